"""Finding the stages conv2_x ... conv5_x in a main module, whatever it is.

A **stage** is one or more of its modules, applied in order; a **block** is one module of a stage that the main module's
forward calls as such. FastReID's ResNets call the blocks of ``layer4`` one by one, never ``layer4`` itself, and a non-local
block after some of them, so a stage is always taken apart into its blocks.
"""

import re

from torch import nn

from vreid_common.errors import InputError

__all__ = ["LAYOUTS", "find_stages", "own_stages", "stage_blocks"]

LAYOUTS: dict[str, tuple[str, ...]] = {
    "ResNet, ResNeXt, ResNeSt": tuple(f"backbone.layer{i}" for i in (1, 2, 3, 4)),
    "RegNet": tuple(f"backbone.s{i}" for i in (1, 2, 3, 4)),
    "RepVGG": tuple(f"backbone.stage{i}" for i in (1, 2, 3, 4)),
    "OSNet": tuple(f"backbone.conv{i}" for i in (2, 3, 4, 5)),
    "ShuffleNetV2": (
        "backbone.features[0:4]",
        "backbone.features[4:12]",
        "backbone.features[12:16] backbone.conv_last",
    ),
    # Its conv4_x begins in the trunk and goes on in three branches; b1 is the global one.
    "MGN": ("backbone.4", "backbone.5", "backbone.6 b1.0", "b1.1"),
}
"""The stages after the stem by backbone family, the last one being conv5_x. WCVL.MAIN.STAGES says the same of any other."""

_SHARED = {"conv1-2": 3, "conv1-3": 2, "conv1-4": 1, "conv1-5": 0}
_NAME = re.compile(r"(?P<name>[\w.]+)(\[(?P<start>\d*):(?P<stop>\d*)\])?")


def own_stages(shared_layers: str) -> int:
    """The number of stages that the cross-view module has of its own, for a value of WCVL.SHARED_LAYERS.

    Raises:
        InputError: there is no such value.
    """
    if shared_layers not in _SHARED:
        raise InputError(f"WCVL.SHARED_LAYERS is {shared_layers!r}; it has to be one of {', '.join(_SHARED)}.")
    return _SHARED[shared_layers]


def find_stages(main: nn.Module) -> tuple[str, ...]:
    """The stages of a main module of a known layout.

    Raises:
        InputError: none fits.
    """
    for stages in LAYOUTS.values():
        try:
            for stage in stages:
                stage_blocks(main, stage)
        except InputError:
            continue
        return stages
    raise InputError(
        f"{type(main).__name__} has none of the known stage layouts ({'; '.join(LAYOUTS)}): "
        "name its stages in WCVL.MAIN.STAGES, or set WCVL.SHARED_LAYERS to conv1-5, which needs none."
    )


def stage_blocks(main: nn.Module, stage: str) -> list[nn.Module]:
    """The blocks of a stage, in the order in which the main module calls them.

    Args:
        main: the main module.
        stage: module names separated by spaces, as in WCVL.MAIN.STAGES.

    Raises:
        InputError: the main module has no module of that name, or it cannot be sliced.
    """
    blocks: list[nn.Module] = []
    for name in stage.split():
        blocks += _named_blocks(main, name)
    if not blocks:
        raise InputError(f"WCVL.MAIN.STAGES: the stage {stage!r} is empty.")
    return blocks


def _named_blocks(main: nn.Module, name: str) -> list[nn.Module]:
    match = _NAME.fullmatch(name)
    try:
        module = main.get_submodule(match["name"]) if match else None
    except AttributeError:
        module = None
    if module is None:
        raise InputError(f"WCVL.MAIN.STAGES names {name!r}, which {type(main).__name__} does not have.")
    if not isinstance(module, nn.Sequential):
        if match["start"] is not None:
            raise InputError(f"WCVL.MAIN.STAGES slices {name!r}, which is a {type(module).__name__}, not a Sequential.")
        return [module]
    blocks = list(module.children())
    if match["start"] is not None:
        return blocks[int(match["start"] or 0) : int(match["stop"] or len(blocks))]
    parent, _, leaf = match["name"].rpartition(".")
    return _with_non_local(main.get_submodule(parent), leaf, blocks)


def _with_non_local(backbone: nn.Module, leaf: str, blocks: list[nn.Module]) -> list[nn.Module]:
    """Puts the non-local blocks NL_i of FastReID's ResNets after the blocks of layer i that they follow."""
    number = leaf.removeprefix("layer")
    non_local = list(getattr(backbone, f"NL_{number}", ()))
    if not non_local:
        return blocks
    positions = getattr(backbone, f"NL_{number}_idx")
    following = dict(zip(positions, non_local, strict=True))
    return [part for i, block in enumerate(blocks) for part in (block, following.get(i)) if part is not None]
