"""States of optimizers and schedules: named when they are saved, and compared with the model before they are loaded.

torch's own states know parameters by their position, so those of another model load without a word. A fused optimizer then
reads and writes past the end of its buffers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from vreid_common.errors import InputError

__all__ = ["check_solver_state", "describe_optimizers", "follow_schedule"]

# How an update is computed, and the rate that the schedule has reached: not what the optimizer is.
_NO_SETTINGS = ("params", "param_names", "lr", "foreach", "fused", "capturable", "differentiable")

# The only states of torch's optimizers that have many values and another shape than their parameter: Adafactor's.
_FACTORED = ("row_var", "col_var")


def describe_optimizers(model: nn.Module, checkpointables: Mapping[str, Any]) -> dict[str, Any]:
    """Kind, and names and shapes of the parameters, of every optimizer: what ``check_solver_state`` compares."""
    return {
        key: {part: _describe(model, optimizer) for part, optimizer in optimizers.items()}
        for key, owner in checkpointables.items()
        if (optimizers := dict(_members(owner, Optimizer)))
    }


def check_solver_state(
    model: nn.Module, owner: Any, state: Any, recorded: Mapping[str, Any] | None, path: str, *, key: str
) -> None:
    """Refuses what ``owner.load_state_dict(state)`` would load although it does not fit.

    Args:
        model: whose parameters are optimized.
        owner: an optimizer, a schedule, several of them as one, or any other object with a state, which is not looked at.
        state: that a checkpoint has of it.
        recorded: what ``describe_optimizers`` said of it; None in files of others, where names cannot be compared.
        path: the checkpoint, for messages.
        key: name of the owner there.

    Raises:
        InputError: another kind of optimizer, other parameters, shapes or settings; or other rates of a schedule.
    """
    for part, optimizer in _members(owner, Optimizer):
        of_part = state.get(part) if part else state
        if not (isinstance(of_part, Mapping) and {"state", "param_groups"} <= of_part.keys()):
            raise InputError(f"{path} has no state of the optimizer {part or key}, so this run cannot go on from it.")
        _check_optimizer(model, optimizer, of_part, (recorded or {}).get(part), f"{path}: the optimizer {part or key}")
    for part, schedule in _members(owner, LambdaLR):
        of_part = state.get(part) if part else state
        theirs = of_part.get("base_lrs") if isinstance(of_part, Mapping) else None
        if theirs != schedule.base_lrs:
            raise InputError(
                f"{path} has a learning rate schedule {part} with base rates {theirs}, this configuration {schedule.base_lrs}: "
                "set SOLVER as it was, or train in another OUTPUT_DIR."
            )


def follow_schedule(owner: Any) -> None:
    """Sets the learning rates that schedules prescribe where they stand, which may be others than those that were loaded."""
    for _, schedule in _members(owner, LambdaLR):
        rates = [
            base * factor(schedule.last_epoch) for base, factor in zip(schedule.base_lrs, schedule.lr_lambdas, strict=True)
        ]
        for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        schedule._last_lr = rates


def _members(owner: Any, kind: type) -> Iterator[tuple[str, Any]]:
    """The owner itself under "", or those that it holds by name, under which its ``state_dict`` has their states."""
    if isinstance(owner, kind):
        yield "", owner
        return
    for held in vars(owner).values():
        if isinstance(held, Mapping):
            yield from ((name, part) for name, part in held.items() if isinstance(part, kind))


def _describe(model: nn.Module, optimizer: Optimizer) -> dict[str, Any]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    parameters = [[[names.get(id(p), "?"), list(p.shape)] for p in group["params"]] for group in optimizer.param_groups]
    return {"kind": type(optimizer).__name__, "parameters": parameters}


def _check_optimizer(
    model: nn.Module, optimizer: Optimizer, state: Mapping[str, Any], recorded: Mapping[str, Any] | None, what: str
) -> None:
    own, groups = _describe(model, optimizer), state["param_groups"]
    ours = optimizer.param_groups
    if recorded and recorded["kind"] != own["kind"]:
        raise _refusal(what, recorded["kind"], own["kind"])
    unknown = set().union(*groups[:1]) - set(ours[0]) - {*_NO_SETTINGS, "initial_lr"}
    if unknown and not recorded:
        raise _refusal(what, f"another kind (with {', '.join(sorted(unknown))})", own["kind"])
    sizes, own_sizes = ([len(group["params"]) for group in these] for these in (groups, ours))
    if sizes != own_sizes:
        raise _refusal(what, f"of {sum(sizes)} parameters in {len(sizes)} groups", f"of {sum(own_sizes)} in {len(own_sizes)}")
    parameters = _flat(own["parameters"])
    for theirs, here in zip(_flat(recorded["parameters"]) if recorded else parameters, parameters, strict=True):
        if list(theirs) != list(here):
            raise _refusal(what, f"of {theirs[0]} {tuple(theirs[1])}", f"of {here[0]} {tuple(here[1])}")
    for group, here in zip(groups, ours, strict=True):
        for name in sorted(set(group) & set(here) - set(_NO_SETTINGS)):
            if _plain(group[name]) != _plain(here[name]):
                raise _refusal(what, f"with {name} {_plain(group[name])}", f"with {_plain(here[name])}")
    _check_shapes(state, parameters, groups, what)


def _check_shapes(state: Mapping[str, Any], parameters: list[Any], groups: list[Any], what: str) -> None:
    """Every state of a parameter is one value or as large as the parameter."""
    positions = [position for group in groups for position in group["params"]]
    for position, (name, shape) in zip(positions, parameters, strict=True):
        for key, value in state["state"].get(position, {}).items():
            if isinstance(value, Tensor) and value.dim() and list(value.shape) != shape and key not in _FACTORED:
                raise _refusal(what, f"with {key} {tuple(value.shape)} for {name}", f"with {name} {tuple(shape)}")


def _refusal(what: str, before: str, now: str) -> InputError:
    return InputError(
        f"{what} was {before} and is {now} now: set SOLVER as it was, or train in another OUTPUT_DIR, with MODEL.WEIGHTS to "
        "begin with its weights."
    )


def _flat(groups: list[list[Any]]) -> list[Any]:
    return [parameter for group in groups for parameter in group]


def _plain(value: Any) -> Any:
    """Tensors and tuples as what they are equal to."""
    if isinstance(value, Tensor):
        return value.tolist()
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value
