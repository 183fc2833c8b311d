import pytest
import torch
from fastreid.utils.events import EventStorage
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.engine.step import REPORT_PERIOD, TrainStep


class Squares(nn.Module):
    """Losses of one weight with known values and gradients."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 3))
        self.seen_dtype = None

    def forward(self, batch: dict) -> dict:
        product = batch["images"] @ self.weight.T
        self.seen_dtype = product.dtype
        return {"loss_a": product.float().pow(2).mean(), "loss_b": self.weight.sum()}


def step_of(model: nn.Module, **amp) -> TrainStep:
    cfg = get_vreid_cfg()
    for key, value in amp.items():
        cfg.SOLVER.AMP[key] = value
    return TrainStep(model, torch.optim.SGD(model.parameters(), lr=0.1), cfg, torch.device("cpu"))


def test_the_update_is_plain_gradient_descent():
    model, images = Squares(), torch.arange(12.0).reshape(4, 3)
    expected = torch.ones(2, 3, requires_grad=True)
    ((images @ expected.T).pow(2).mean() + expected.sum()).backward()
    with EventStorage():
        step_of(model).run({"images": images}, data_seconds=0.0)
    torch.testing.assert_close(model.weight.detach(), torch.ones(2, 3) - 0.1 * expected.grad)


def test_a10_bfloat16_runs_on_the_cpu():
    model = Squares()
    step = step_of(model, ENABLED=True)
    with EventStorage():
        step.run({"images": torch.ones(4, 3)}, data_seconds=0.0)
    assert model.seen_dtype is torch.bfloat16
    assert model.weight.dtype is torch.float32
    assert step.grad_scaler is None


def test_reported_losses_are_means_since_the_last_report():
    model = Squares()
    model.weight.requires_grad_(True)
    step = step_of(model)
    step.optimizer.param_groups[0]["lr"] = 0.0
    with EventStorage() as storage:
        for i in range(REPORT_PERIOD):
            step.run({"images": torch.full((1, 3), float(i % 2))}, data_seconds=0.5)
        latest = {key: value for key, (value, _) in storage.latest().items()}
    assert latest["loss_a"] == pytest.approx(9 / 2)
    assert latest["loss_b"] == pytest.approx(6)
    assert latest["total_loss"] == pytest.approx(10.5)
    assert latest["data_time"] == pytest.approx(0.5)


def test_a_loss_that_is_not_finite_is_named():
    step = step_of(Squares())
    with EventStorage(5):
        step.run({"images": torch.full((1, 3), float("nan"))}, data_seconds=0.0)
        with pytest.raises(FloatingPointError, match="loss_a became nan between iterations 5 and 5"):
            step.report()


def test_update_steps_the_optimizers_that_it_is_given_and_no_other():
    first, second, third = (nn.Parameter(torch.ones(2)) for _ in range(3))
    optimizers = [torch.optim.SGD([parameter], lr=0.5) for parameter in (first, second, third)]
    step = TrainStep(Squares(), optimizers[0], get_vreid_cfg(), torch.device("cpu"))
    step.update({"a": first.sum(), "b": (2 * second * third).sum()}, optimizers[:2])
    assert first.tolist() == [0.5, 0.5]
    assert second.tolist() == [0.0, 0.0]
    assert third.tolist() == [1.0, 1.0]
