"""Reading a set from the translated copy that ``vreid translate apply`` wrote of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fastreid.config import CfgNode

from vreid_common.data.datasets import DatasetError, data_root
from vreid_common.structures import VehicleImage

__all__ = ["RECIPE", "check_translated", "translated_root"]

RECIPE = "translation.json"
"""What a translated copy was made by; in the folder of every one."""


def translated_root(cfg: CfgNode, name: str) -> str | None:
    """The data root in which a set's translated copy lies; None for a set that is read as it is.

    Raises:
        DatasetError: there is no such folder.
    """
    keys = cfg.DATASETS.TRANSLATED
    if name not in keys.NAMES:
        return None
    for root in (Path(keys.ROOT), Path(data_root()) / keys.ROOT):
        if keys.ROOT and root.is_dir():
            return str(root)
    raise DatasetError(
        f"DATASETS.TRANSLATED.ROOT is {keys.ROOT!r}, which is no folder, nor one under FASTREID_DATASETS ({data_root()}): "
        f"write a translated copy of {name} into it with `vreid translate apply`."
    )


def check_translated(items: Sequence[VehicleImage], name: str) -> None:
    """Raises a ``DatasetError`` where the images of a set that was to be read translated are not."""
    if items and not any((folder / RECIPE).is_file() for folder in Path(items[0].path).parents):
        raise DatasetError(
            f"DATASETS.TRANSLATED.NAMES has {name}, but `vreid translate apply` did not write {items[0].path}: let it write "
            "a copy of the set's folder, under the folder's own name, into DATASETS.TRANSLATED.ROOT."
        )
