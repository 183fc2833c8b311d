"""Galleries on disk.

A gallery is a folder. ``gallery.json`` says what belongs to it and is replaced last, so a change is there whole or not at all::

    <folder>/gallery.json                          metric, number of images, names of the other files, digest of the index
             features-<mark>.safetensors, .json    a feature set
             index-<mark>.faiss                    where there is an index

Features and index are mapped into memory, not read: what is not looked at stays on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import faiss

from vreid_common.errors import InputError
from vreid_common.files import file_sha256, write_atomically, write_json
from vreid_common.gallery.gallery import Gallery
from vreid_common.gallery.index import INDEX_KINDS, Index, Recall
from vreid_common.lock import locked
from vreid_common.structures import METRICS, FeatureSet
from vreid_common.versions import package_versions

__all__ = ["edit_gallery", "load_gallery", "save_gallery"]

_FORMAT = "vreid-gallery-1"
_RECORD = "gallery.json"
_OWN_NAME = re.compile(r"features-[0-9a-f]{12}\.(safetensors|json)|index-[0-9a-f]{12}\.faiss")
"""Of the other files; no file of another name is ever removed."""


def save_gallery(gallery: Gallery, folder: str | os.PathLike[str]) -> None:
    """Writes a gallery; one that is there is replaced, and stays what it was until the new one is whole.

    Raises:
        InputError: the folder holds something else, or cannot be written to.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = [file.name for file in folder.iterdir() if not file.name.startswith(".")]
        if _RECORD not in names and not all(map(_OWN_NAME.fullmatch, names)):  # all: what an interrupted first build leaves
            raise InputError(f"{folder} holds files but no {_RECORD}: give a gallery a folder of its own.")
        with locked(folder, f"Another process is changing the gallery {folder}"):
            _write(gallery, folder)
    except OSError as error:
        raise InputError(f"The gallery {folder} cannot be written: {error.strerror or error}.") from error


def edit_gallery(folder: str | os.PathLike[str], change: Callable[[Gallery], Gallery]) -> Gallery:
    """Writes what ``change`` makes of a gallery, which no other process can change meanwhile; returns that.

    Raises:
        InputError: as ``load_gallery``, ``save_gallery`` and ``change``; the gallery is then as it was.
    """
    folder = Path(folder)
    _read_record(folder)  # before a lock's file is made in a folder that is none
    with locked(folder, f"Another process is changing the gallery {folder}"):
        changed = change(load_gallery(folder, mapped=False))
        _write(changed, folder)
    return changed


def load_gallery(folder: str | os.PathLike[str], *, mapped: bool = True, indexed: bool = True) -> Gallery:
    """Reads a gallery, after its index was compared with the digest that its record has of it.

    Args:
        folder: as ``save_gallery`` wrote it.
        mapped: map the index into memory; False reads it, so that images can be added.
        indexed: False leaves the index unread: faiss is not made for files that somebody crafted.

    Raises:
        InputError: the folder is no gallery, or a file of it is missing, damaged or of another gallery.
    """
    folder = Path(folder)
    record = _read_record(folder)
    images = FeatureSet.load(folder / record["features"])
    if record["features_sha256"] not in (None, file_sha256(folder / f"{record['features']}.json")):
        raise InputError(f"{folder / record['features']}.json is not of the gallery that {folder / _RECORD} describes.")
    if list(images.features.shape) != [record["images"], record["dimensions"]]:
        raise InputError(f"{folder / record['features']} is not of the gallery that {folder / _RECORD} describes.")
    index = _read_index(folder, record, mapped) if indexed and record["index"] is not None else None
    return Gallery(images, record["metric"], index, record["wanted_recall"], record["model"])


def _write(gallery: Gallery, folder: Path) -> None:
    mark = uuid.uuid4().hex[:12]
    gallery.images.save(folder / f"features-{mark}")
    record = {
        "format": _FORMAT,
        "images": len(gallery.images),
        "dimensions": gallery.images.features.shape[1],
        "metric": gallery.metric,
        "features": f"features-{mark}",
        "features_sha256": file_sha256(folder / f"features-{mark}.json"),  # which has a digest of the features
        "index": None if gallery.index is None else _write_index(gallery.index, folder / f"index-{mark}.faiss"),
        "wanted_recall": gallery.wanted_recall,
        "model": gallery.model,
        "versions": package_versions(),
    }
    write_json(folder / _RECORD, {**record, "sha256": _digest(record)})
    for file in folder.iterdir():
        if _OWN_NAME.fullmatch(file.name) and mark not in file.name:
            file.unlink()


def _write_index(index: Index, path: Path) -> dict[str, Any]:
    """Writes the index; returns its part of the record."""
    write_atomically(path, lambda temporary: faiss.write_index(index.faiss_index, os.fspath(temporary)))
    return {
        "file": path.name,
        "sha256": file_sha256(path),
        "kind": index.kind,
        "effort": index.effort,
        "trained_on": index.trained_on,
        "recall": asdict(index.recall),
    }


def _read_index(folder: Path, record: dict[str, Any], mapped: bool) -> Index:
    about = record["index"]
    path = folder / about["file"]
    if not path.is_file() or file_sha256(path) != about["sha256"]:  # before faiss, which trusts what it reads
        raise InputError(f"{path} is missing or damaged: build the gallery again from its features.")
    flags = {"ivf": faiss.IO_FLAG_MMAP, "hnsw": faiss.IO_FLAG_MMAP_IFC}[about["kind"]] if mapped else 0
    found = faiss.read_index(os.fspath(path), flags)
    return Index(about["kind"], record["metric"], about["effort"], about["trained_on"], Recall(**about["recall"]), found)


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / _RECORD
    if not path.is_file():
        raise InputError(f"{folder} is no gallery: it has no {_RECORD}; vreid gallery build makes one.")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        index = record["index"]
        names = [record["features"], *([] if index is None else [index["file"]])]
        sound = (
            record["format"] == _FORMAT
            and record["metric"] in METRICS
            and all(Path(name).name == name for name in names)
            and (index is None or index["kind"] in INDEX_KINDS[1:])
            and {"images", "dimensions", "wanted_recall", "model"} <= record.keys()
        )
    except (OSError, ValueError, TypeError, KeyError):
        sound = False
    # Galleries of before there were digests have none.
    if not sound or ("sha256" in record and record.pop("sha256") != _digest(record)):
        raise InputError(f"{path} is damaged, or no gallery's (format {_FORMAT}).")
    record.setdefault("features_sha256", None)
    return record


def _digest(record: dict[str, Any]) -> str:
    """SHA-256 of what gallery.json says."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
