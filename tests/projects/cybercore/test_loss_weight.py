import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cybercore import AdaptiveLossWeight, CybercoreTrainer
from cybercore.loss_weight import AdaptiveLossWeightHook
from fastreid.utils.events import EventStorage

from vreid_common.errors import InputError


def algorithm_1(losses, period, momentum):
    """The paper's algorithm stepped by hand: weights by which each iteration's ID loss was multiplied, and the last one.

    The losses come unweighted; line 13 is the momentum form (README, "Deviations and decisions").
    """
    weight_id, set_id, set_metric, used = 1.0, [], [], []
    for i, (loss_id, loss_metric) in enumerate(losses, start=1):
        used.append(weight_id)
        set_id.append(weight_id * loss_id)
        set_metric.append(loss_metric)
        if i % period == 0:
            id_std, metric_std = np.std(set_id), np.std(set_metric)
            set_id, set_metric = [], []
            if id_std > metric_std:
                new = 1 - (id_std - metric_std) / id_std
                weight_id = momentum * weight_id + (1 - momentum) * new
    return used, weight_id


@pytest.mark.parametrize(("period", "momentum"), [(1, 0.9), (5, 0.9), (7, 0.0), (500, 0.5)])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_feature_equals_algorithm_1(period, momentum, scale):
    losses = np.random.default_rng(0).random((60, 2)).astype(np.float32) * [scale, 1]
    weight = AdaptiveLossWeight(period, momentum)
    used = []
    for loss_id, loss_metric in losses:
        used.append(weight.value)
        weight.record(torch.tensor([weight.value * loss_id, loss_metric]))
    expected, last = algorithm_1(losses, period, momentum)
    assert used == pytest.approx(expected, rel=1e-5)
    assert weight.value == pytest.approx(last, rel=1e-5)
    assert 0 < weight.value <= 1


def test_feature_equal_and_constant_losses_change_nothing():
    weight = AdaptiveLossWeight(3, 0.5)
    for _ in range(9):
        weight.record(torch.tensor([4.0, 1.0]))
    assert weight.value == 1.0


@pytest.mark.parametrize("stop", [0, 1, 13, 14, 59])
def test_feature_a_restored_state_goes_on_as_the_unbroken_one(stop, tmp_path):
    losses = torch.rand(60, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0, 1.0])
    unbroken, first, second = (AdaptiveLossWeight(7, 0.9) for _ in range(3))
    for loss in losses:
        unbroken.record(loss)
    for loss in losses[:stop]:
        first.record(loss)
    torch.save(first.state_dict(), tmp_path / "state.pth")
    second.load_state_dict(torch.load(tmp_path / "state.pth", weights_only=True))
    for loss in losses[stop:]:
        second.record(loss)
    assert second.value == unbroken.value < 1


@pytest.mark.parametrize(
    ("arguments", "message"), [((0,), "PERIOD is 0"), ((5, 1.0), "MOMENTUM is 1.0"), ((5, -0.1), "MOMENTUM is -0.1")]
)
def test_exception_bad_values(arguments, message):
    with pytest.raises(InputError, match=rf"CYBERCORE\.MALW\.{message}"):
        AdaptiveLossWeight(*arguments)


def weights_of_a_rank(rank, size, losses):
    """λ after each iteration, of a process that meets ``losses[rank]`` (iterations, 2)."""
    model = SimpleNamespace(id_weight=1.0)
    hook = AdaptiveLossWeightHook(AdaptiveLossWeight(5, 0.9), model)
    weights = []
    with EventStorage() as storage:
        hook.trainer = SimpleNamespace(storage=storage)
        for loss in losses[rank]:
            model.weighted_losses = loss.clone()
            hook.after_step()
            weights.append(model.id_weight)
        assert storage.latest()["loss_weight_id"][0] == weights[-1]
    return torch.tensor(weights, dtype=torch.float64)


def test_every_process_has_the_weight_of_their_mean_losses(in_two_processes):
    losses = torch.rand(2, 20, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([9.0, 1.0])
    first, second = in_two_processes(weights_of_a_rank, losses)
    alone = weights_of_a_rank(0, 1, losses.mean(dim=0, keepdim=True))
    assert torch.equal(first, second)
    torch.testing.assert_close(first, alone, rtol=1e-6, atol=0)
    assert first[-1] < 1
    assert not torch.allclose(first, weights_of_a_rank(0, 1, losses))


def logged(folder):
    """iteration → (weight of the ID loss, ID loss, metric loss) of metrics.json."""
    lines = [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]
    return {
        line["iteration"]: (line["loss_weight_id"], line["loss_cls"], line["loss_sup_con"])
        for line in lines
        if "loss_cls" in line
    }


def test_a_resumed_run_s_weights_are_the_unbroken_one_s(make_cfg, small_network, tmp_path):
    malw = ("CYBERCORE.MALW.ENABLED", True, "CYBERCORE.MALW.PERIOD", 3)
    options = (*malw, "CYBERCORE.FREEZE_EPOCHS", 1, "SOLVER.MAX_EPOCH", 3, *small_network)
    runs = {}
    for name in ("unbroken", "resumed"):
        cfg = make_cfg(*options, "OUTPUT_DIR", str(tmp_path / name))
        (tmp_path / name).mkdir()
        run = CybercoreTrainer(cfg)
        run.resume_or_load()
        if name == "resumed":
            run.max_epoch = 2  # it is "killed" after two epochs of five iterations: in the middle of K
            run.train()
            run = CybercoreTrainer(cfg)
            run.resume_or_load()
            assert run.start_iter == 2 * run.iters_per_epoch
            assert run.start_iter % 3
        run.train()
        runs[name] = run
    unbroken, resumed = (logged(tmp_path / name) for name in runs)
    assert len(unbroken) == 3
    assert unbroken == resumed
    weights = [weight for weight, *_ in unbroken.values()]
    assert weights[-1] < 1
    states = [run.checkpointer.checkpointables["loss_weight"].state_dict() for run in runs.values()]
    assert states[0]["value"] == states[1]["value"] == weights[-1]
    assert torch.equal(states[0]["losses"], states[1]["losses"])
    models = [run.checkpointer.model.state_dict() for run in runs.values()]
    assert all(torch.equal(value, models[1][name]) for name, value in models[0].items())
    assert runs["unbroken"].checkpointer.model.id_weight == weights[-1]
