"""A state that does not fit its optimizer is refused; torch itself loads most of these."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from vreid_common.engine.solver_state import check_solver_state, describe_optimizers, follow_schedule
from vreid_common.errors import InputError


def stepped(model: nn.Module, kind: type[Optimizer] = torch.optim.Adam, **settings: Any) -> Optimizer:
    optimizer = kind(model.parameters(), **{"lr": 0.1, **settings})
    model(torch.rand(2, 3)).sum().backward()
    optimizer.step()
    return optimizer


def net(hidden: int = 4) -> nn.Module:
    return nn.Sequential(nn.Linear(3, hidden), nn.Linear(hidden, 2))


def renamed() -> nn.Module:
    return nn.Sequential(nn.Identity(), nn.Linear(3, 4), nn.Linear(4, 2))


@pytest.mark.parametrize(
    "kind", [torch.optim.Adam, torch.optim.SGD, torch.optim.NAdam, torch.optim.ASGD, torch.optim.Adafactor]
)
def test_its_own_state_fits(kind: type[Optimizer]):
    model = net()
    optimizer = stepped(model, kind)
    recorded = describe_optimizers(model, {"optimizer": optimizer})["optimizer"]
    for record in (recorded, None):
        check_solver_state(model, optimizer, optimizer.state_dict(), record, "m.pth", key="optimizer")


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("model", "kind", "settings", "said", "said_without_names"),
    [
        (
            net(5),
            torch.optim.Adam,
            {},
            "was of 0.weight (4, 3) and is of 0.weight (5, 3) now",
            "with exp_avg (4, 3) for 0.weight",
        ),
        (nn.Sequential(nn.Linear(3, 4)), torch.optim.Adam, {}, "was of 4 parameters in 1 groups and is of 2 in 1 now", None),
        (net(), torch.optim.SGD, {}, "was Adam and is SGD now", "was another kind (with amsgrad, betas, "),
        (net(), torch.optim.Adam, {"weight_decay": 0.1}, "was with weight_decay 0 and is with 0.1 now", None),
        (net(), torch.optim.Adam, {"betas": (0.5, 0.9)}, "was with betas [0.9, 0.999] and is with [0.5, 0.9] now", None),
    ],
)
def test_another_model_kind_or_setting_is_refused(
    named: bool, model: nn.Module, kind: type[Optimizer], settings: dict, said: str, said_without_names: str | None
):
    source = net()
    saved = stepped(source)
    recorded = describe_optimizers(source, {"optimizer": saved})["optimizer"] if named else None
    own = kind(model.parameters(), **{"lr": 0.1, **settings})
    with pytest.raises(InputError) as refused:
        check_solver_state(model, own, saved.state_dict(), recorded, "m.pth", key="optimizer")
    assert str(refused.value).startswith("m.pth: the optimizer optimizer was ")
    assert (said if named else said_without_names or said) in str(refused.value)


def test_other_names_are_refused_although_the_shapes_are_the_same():
    source, model = net(), renamed()
    optimizer = stepped(source)
    recorded = describe_optimizers(source, {"optimizer": optimizer})["optimizer"]
    with pytest.raises(InputError, match=r"was of 0.weight \(4, 3\) and is of 1.weight \(4, 3\) now"):
        check_solver_state(model, stepped(model), optimizer.state_dict(), recorded, "m.pth", key="optimizer")


@pytest.mark.parametrize("state", [{}, {"state": {}}, {"other": {}}])
def test_no_state_of_an_optimizer_is_refused(state: dict):
    with pytest.raises(InputError, match="m.pth has no state of the optimizer optimizer"):
        check_solver_state(net(), stepped(net()), state, None, "m.pth", key="optimizer")


def test_what_is_no_optimizer_is_left_to_itself():
    check_solver_state(net(), torch.amp.GradScaler("cpu"), {"anything": 1}, None, "m.pth", key="grad_scaler")


def test_schedules_of_other_rates_are_refused_and_of_the_same_are_followed():
    optimizer = stepped(net())
    schedule = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    state = copy.deepcopy(schedule.state_dict())
    check_solver_state(net(), schedule, state, None, "m.pth", key="scheduler")
    with pytest.raises(InputError, match=r"base rates \[0.5\], this configuration \[0.1\]"):
        check_solver_state(net(), schedule, {**state, "base_lrs": [0.5]}, None, "m.pth", key="scheduler")
    schedule.last_epoch = 3
    follow_schedule(schedule)
    assert optimizer.param_groups[0]["lr"] == 0.1 / 4
    assert schedule.get_last_lr() == [0.1 / 4]
