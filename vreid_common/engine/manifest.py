"""What a run trains with, as plain data: part of every checkpoint, and OUTPUT_DIR/manifest.json."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fastreid.config import CfgNode
from fastreid.utils import comm

from vreid_common.data import ItemDataset
from vreid_common.features import file_digest
from vreid_common.files import write_atomically, write_json
from vreid_common.versions import package_versions

__all__ = [
    "DERIVED",
    "FILE_NAME",
    "class_names",
    "flat_config",
    "make_manifest",
    "weights_key",
    "write_records",
]

FILE_NAME = "manifest.json"

DERIVED = ("MODEL.HEADS.NUM_CLASSES",)
"""Keys that follow from the data and are never saved as if they had been chosen."""

_WEIGHTS = ("WEIGHTS", "MODEL_WEIGHTS", "PRETRAIN_PATH")

# What an image list says of an image. Written out: a field that is added to the items must not make every old list another one.
_FIELDS = ("camid", "track_id", "view_id", "domain", "color_id", "type_id", "model_id", "timestamp", "orientation")


def make_manifest(cfg: CfgNode, dataset: ItemDataset, tests: Mapping[str, ItemDataset] | None = None) -> dict[str, Any]:
    """The manifest of a run.

    Args:
        cfg: its configuration, with the seed that was drawn where SEED was -1.
        dataset: its training images.
        tests: the images of its test sets, by the sets' names.

    Returns:
        JSON: ``config`` (key → value, without ``DERIVED``), ``images`` (``sets``, ``number``, ``digest``), ``classes`` (the
        vehicles' names in the order of the classes), ``tests`` (name → digest of the images), ``weights`` (key → SHA-256 of the
        file that it names), ``processes`` and ``versions``.
    """
    config = {key: value for key, value in flat_config(cfg) if key not in DERIVED}
    files = {key: value for key, value in config.items() if weights_key(key) and isinstance(value, str)}
    content = {
        "format": 1,
        "config": config,
        "images": {
            "sets": list(cfg.DATASETS.NAMES),
            "number": len(dataset.img_items),
            "digest": _image_list_digest(dataset),
        },
        "classes": class_names(dataset),
        "tests": {name: _image_list_digest(images) for name, images in (tests or {}).items()},
        "weights": {key: file_digest(path) for key, path in files.items() if Path(path).is_file()},
        "processes": comm.get_world_size(),
        "versions": package_versions(),
    }
    return json.loads(json.dumps(content))


def class_names(dataset: ItemDataset) -> list[str]:
    """What the training vehicles are called, in the order of their classes; ids where names do not tell them apart."""
    names = dataset.class_names
    return names if len(set(names)) == len(names) else [str(pid) for pid in dataset.pids]


def weights_key(key: str) -> bool:
    """Whether a key names a file of weights, which may be moved but must not be another one."""
    return key.rpartition(".")[2] in _WEIGHTS


def flat_config(cfg: CfgNode, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every key of a configuration with its value; tuples as lists."""
    for name, value in cfg.items():
        if isinstance(value, CfgNode):
            yield from flat_config(value, f"{prefix}{name}.")
        else:
            yield prefix + name, list(value) if isinstance(value, tuple) else value


def write_records(cfg: CfgNode, manifest: dict[str, Any]) -> None:
    """Writes OUTPUT_DIR/config.yaml, with which other data can be trained as well, and OUTPUT_DIR/manifest.json."""
    folder = Path(cfg.OUTPUT_DIR)
    chosen = cfg.clone()
    chosen.defrost()
    chosen.MODEL.HEADS.NUM_CLASSES = 0
    write_atomically(folder / "config.yaml", lambda path: path.write_text(chosen.dump(), encoding="utf-8"))
    write_json(folder / FILE_NAME, manifest)


def _image_list_digest(dataset: ItemDataset) -> str:
    """SHA-256 of the images' paths below their common folder, which may be moved, and their labels, in order."""
    names = dict(zip(dataset.pids, class_names(dataset), strict=True))
    paths = [os.path.abspath(item.path) for item in dataset.img_items]  # noqa: PTH100 - a Path a file is slow
    below = len(os.path.commonpath([path.rpartition(os.sep)[0] for path in paths]))
    digest = hashlib.sha256()
    for item, path in zip(dataset.img_items, paths, strict=True):
        labels = [names[item.pid], *(getattr(item, field) for field in _FIELDS), list(item.attributes)]
        digest.update(f"{path[below:]}\0{labels}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
