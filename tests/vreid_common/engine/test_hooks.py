import types
from collections.abc import Callable

import pytest
import torch
from fastreid.config import CfgNode
from torch import nn

from vreid_common.engine import Trainer
from vreid_common.engine.hooks import BatchNormSync, EvalHook, FreezeHook, PreciseBN
from vreid_common.errors import InputError


def frozen_state(model: nn.Module) -> dict:
    return {key: value.clone() for key, value in model.backbone.state_dict().items()}


def test_b6_frozen_layers_stay_as_they_are_through_an_evaluation_and_then_train(tiny: Callable[..., CfgNode]):
    iterations = Trainer(tiny()).iters_per_epoch
    freeze = ("MODEL.FREEZE_LAYERS", ["backbone"], "SOLVER.FREEZE_ITERS", iterations + 1)
    trainer = Trainer(tiny("TEST.EVAL_PERIOD", 1, "SOLVER.MAX_EPOCH", 2, *freeze))
    model = trainer.model
    before, states = frozen_state(model), []
    step = trainer._trainer.run

    def run_and_look(*args) -> None:
        step(*args)
        states.append(frozen_state(model))

    trainer._trainer.run = run_and_look
    trainer.train()
    for state in states[: iterations + 1]:  # one step beyond the evaluation at the end of the first epoch
        assert all(torch.equal(state[key], value) for key, value in before.items())
    assert not torch.equal(states[iterations + 1]["conv1.weight"], before["conv1.weight"])
    assert not torch.equal(states[iterations + 1]["bn1.running_mean"], before["bn1.running_mean"])


def test_without_a_number_of_iterations_layers_are_frozen_for_the_whole_run(tiny: Callable[..., CfgNode]):
    trainer = Trainer(tiny("MODEL.FREEZE_LAYERS", ["backbone"], "SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", []))
    before = frozen_state(trainer.model)
    head = trainer.model.heads.weight.detach().clone()
    trainer.train()
    assert all(torch.equal(value, before[key]) for key, value in trainer.model.backbone.state_dict().items())
    assert not torch.equal(trainer.model.heads.weight, head)


def test_a_frozen_head_still_gives_what_losses_take(tiny: Callable[..., CfgNode]):
    trainer = Trainer(tiny("MODEL.FREEZE_LAYERS", ["heads"], "SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", []))
    before = {key: value.clone() for key, value in trainer.model.state_dict().items()}
    trainer.train()
    after = trainer.model.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items() if key.startswith("heads."))
    assert not all(torch.equal(value, after[key]) for key, value in before.items() if key.startswith("backbone."))


def test_freezing_everything_for_good_is_refused():
    model = nn.ModuleDict({"backbone": nn.Linear(1, 1), "heads": nn.Linear(1, 1)})
    FreezeHook(model, ["backbone", "heads"], 1)
    with pytest.raises(InputError, match=r"MODEL.FREEZE_LAYERS \['backbone', 'heads'\] leaves nothing to train"):
        FreezeHook(model, ["backbone", "heads"], None)


def test_precise_statistics_are_averaged_over_the_processes_before_the_evaluation(tiny: Callable[..., CfgNode]):
    order = [type(hook) for hook in Trainer(tiny("TEST.PRECISE_BN.ENABLED", True)).build_hooks()]
    assert order.index(PreciseBN) < order.index(BatchNormSync) < order.index(EvalHook)


def test_unknown_frozen_layer_is_refused_by_name():
    model = nn.ModuleDict({"backbone": nn.Linear(1, 1), "heads": nn.Linear(1, 1)})
    with pytest.raises(InputError, match="MODEL.FREEZE_LAYERS names 'backbones', but the model's parts are backbone, heads"):
        FreezeHook(model, ["backbones"], 1)


@pytest.mark.parametrize(
    ("period", "epochs", "evaluated"),
    [(0, 3, [2]), (-1, 3, [2]), (1, 3, [0, 1, 2]), (2, 5, [1, 3, 4]), (2, 4, [1, 3])],
)
def test_a13_b17_evaluation_is_periodic_and_always_last(period: int, epochs: int, evaluated: list[int]):
    hook = EvalHook(period, dict, lambda: None)
    hook.trainer = types.SimpleNamespace(max_epoch=epochs)
    assert [epoch for epoch in range(epochs) if hook.due(epoch)] == evaluated
