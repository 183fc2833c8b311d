import math

import pytest
import torch
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.engine.solver import build_lr_scheduler, build_optimizer, clip_gradients
from vreid_common.errors import InputError


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.heads = nn.Linear(4, 2)


def solver_cfg(**solver):
    cfg = get_vreid_cfg()
    cfg.merge_from_list([item for key, value in solver.items() for item in (f"SOLVER.{key}", value)])
    return cfg


def rates(cfg, iters_per_epoch: int) -> list[float]:
    """The rate that each iteration is trained with."""
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [parameter], "lr": cfg.SOLVER.BASE_LR}])
    scheduler = build_lr_scheduler(cfg, optimizer, iters_per_epoch)
    seen = []
    for _ in range(cfg.SOLVER.MAX_EPOCH * iters_per_epoch):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen


@pytest.mark.parametrize("warm_up", [0, 7, 35])
def test_b5_steps_count_epochs_of_the_run_whatever_the_warm_up(warm_up: int):
    seen = rates(solver_cfg(BASE_LR=1.0, MAX_EPOCH=10, STEPS=[4, 9], WARMUP_ITERS=warm_up), iters_per_epoch=10)
    assert seen[39] == pytest.approx(1.0)
    assert seen[40] == pytest.approx(0.1)
    assert seen[89] == pytest.approx(0.1)
    assert seen[90] == pytest.approx(0.01)


def test_linear_warm_up_starts_at_its_factor_and_ends_at_the_base_rate():
    seen = rates(solver_cfg(BASE_LR=2.0, MAX_EPOCH=2, STEPS=[], WARMUP_ITERS=10, WARMUP_FACTOR=0.1), iters_per_epoch=10)
    assert seen[0] == pytest.approx(0.2)
    assert seen[5] == pytest.approx(2.0 * (0.1 + 0.9 * 0.5))
    assert seen[10:] == pytest.approx([2.0] * 10)


def test_cosine_follows_its_formula():
    cfg = solver_cfg(BASE_LR=1.0, MAX_EPOCH=8, SCHED="CosineAnnealingLR", WARMUP_ITERS=0, DELAY_EPOCHS=2, ETA_MIN_LR=0.1)
    seen = rates(cfg, iters_per_epoch=1)
    expected = [1.0, 1.0] + [0.1 + 0.9 * (1 + math.cos(math.pi * e / 6)) / 2 for e in range(6)]
    assert seen == pytest.approx(expected)


def test_linear_decay_holds_the_rate_and_then_falls_in_equal_steps():
    cfg = solver_cfg(BASE_LR=1.0, MAX_EPOCH=6, SCHED="LinearLR", WARMUP_ITERS=0, DELAY_EPOCHS=2)
    assert rates(cfg, iters_per_epoch=2) == pytest.approx([1.0] * 6 + [0.75] * 2 + [0.5] * 2 + [0.25] * 2)


def test_a_step_beyond_the_run_is_said_and_not_refused(caplog):
    seen = rates(solver_cfg(BASE_LR=1.0, MAX_EPOCH=2, STEPS=[1, 5], WARMUP_ITERS=0), iters_per_epoch=2)
    assert seen == pytest.approx([1, 1, 0.1, 0.1])
    assert "SOLVER.STEPS is [1, 5]: with SOLVER.MAX_EPOCH 2 the run ends before" in caplog.text


def test_exponential_decay():
    seen = rates(solver_cfg(BASE_LR=1.0, MAX_EPOCH=3, SCHED="ExponentialLR", GAMMA=0.5, WARMUP_ITERS=0), iters_per_epoch=2)
    assert seen == pytest.approx([1, 1, 0.5, 0.5, 0.25, 0.25])


@pytest.mark.parametrize(
    ("solver", "said"),
    [
        ({"WARMUP_ITERS": 20, "MAX_EPOCH": 2, "STEPS": []}, "SOLVER.WARMUP_ITERS is 20: the run has only 20 iterations"),
        (
            {"WARMUP_ITERS": 0, "MAX_EPOCH": 2, "DELAY_EPOCHS": 2},
            "SOLVER.DELAY_EPOCHS is 2: it leaves nothing",
        ),
        ({"MAX_EPOCH": 60, "STEPS": [40, 20]}, r"SOLVER.STEPS is \[40, 20\]: the entries have to rise"),
        ({"MAX_EPOCH": 60, "STEPS": [20, 20]}, "have to rise"),
        ({"MAX_EPOCH": 40, "STEPS": [0, 20]}, "a list of epochs, 1 or more"),
        ({"WARMUP_ITERS": 0, "SCHED": "StepLR"}, "SOLVER.SCHED is 'StepLR'"),
        ({"WARMUP_ITERS": 1, "WARMUP_METHOD": "slow"}, "SOLVER.WARMUP_METHOD is 'slow'"),
    ],
)
def test_a15_impossible_schedules_are_refused(solver: dict, said: str):
    with pytest.raises(InputError, match=said):
        rates(solver_cfg(**solver), iters_per_epoch=10)


@pytest.mark.parametrize("name", ["Lamb", "Ranger", "lr_scheduler"])
def test_a16_optimizers_that_do_not_run_are_refused(name: str):
    with pytest.raises(InputError, match=f"SOLVER.OPT is '{name}'"):
        build_optimizer(solver_cfg(OPT=name), Model())


def test_groups_hold_every_parameter_once_with_fastreids_settings():
    cfg = solver_cfg(BASE_LR=1.0, HEADS_LR_FACTOR=10.0, BIAS_LR_FACTOR=2.0, WEIGHT_DECAY=0.1, WEIGHT_DECAY_NORM=0.2)
    model = Model()
    optimizer = build_optimizer(cfg, model)
    settings = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(settings) == len(list(model.parameters()))
    assert settings[id(model.backbone[0].weight)] == (1.0, 0.1)
    assert settings[id(model.backbone[1].weight)] == (1.0, 0.2)
    assert settings[id(model.heads.weight)] == (10.0, 0.1)
    assert settings[id(model.heads.bias)][0] == 20.0


def test_b18_each_parameter_is_clipped_by_its_own_norm():
    cfg = get_vreid_cfg()
    cfg.SOLVER.CLIP_GRADIENTS.ENABLED = True
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_VALUE = 1.0
    model = Model()
    optimizer = build_optimizer(cfg, model)
    for i, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, 0.001 if i % 2 else 10.0)
    small = [p.grad.clone() for i, p in enumerate(model.parameters()) if i % 2]
    clip_gradients(cfg, optimizer)
    norms = [p.grad.norm().item() for p in model.parameters()]
    assert norms[0::2] == pytest.approx([1.0] * len(norms[0::2]), rel=1e-4)
    for before, parameter in zip(small, list(model.parameters())[1::2], strict=True):
        torch.testing.assert_close(parameter.grad, before)
