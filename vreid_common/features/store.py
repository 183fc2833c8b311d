"""Features on disk while they are extracted: what is written stays, so that work that was killed goes on where it stopped.

A store is a folder of its own, named by the digest of all that its features depend on::

    <root>/<digest>/store.json                    what the digest is of, number of images, images of a shard
                    shard-00000.safetensors ...   features of that many consecutive images, checksum

Shape shorthand: N images, S images of a shard, D feature dimensions.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from fastreid.utils import comm
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vreid_common.errors import InputError
from vreid_common.features.gather import tell_all
from vreid_common.files import write_atomically
from vreid_common.leavings import sweep
from vreid_common.lock import locked

__all__ = ["FeatureStore", "open_store", "shard_size"]

_FORMAT = "vreid-store-1"
_MOST_SHARDS, _LARGEST_SHARD = 64, 512


def shard_size(num_images: int, batch_size: int) -> int:
    """Images of a shard, a multiple of the batch: 64 shards, of up to 512 images (which a kill may lose) where that is more."""
    batches = math.ceil(num_images / (_MOST_SHARDS * batch_size))
    return batch_size * max(1, min(batches, _LARGEST_SHARD // batch_size))


@contextmanager
def open_store(
    root: str | os.PathLike[str], identity: Mapping[str, Any], num_images: int, images_per_shard: int
) -> Iterator[FeatureStore]:
    """The store under ``root`` for ``identity``, made where it is not there; every process has to open it.

    While it is open no other run can open it. Shards that are there are read, so that damage is found before anything is
    extracted.

    Args:
        root: folder of stores, on a disk that all processes share.
        identity: all that the features depend on, as JSON (``features.identity``). Another identity is another store.
        num_images: N.
        images_per_shard: S of a new store; one that is there keeps its own.

    Raises:
        InputError: on every process, if the folder cannot be written, another run has it open, or a file in it is damaged.
    """
    folder = Path(root) / _digest(identity)
    with ExitStack() as held:
        failure = None
        if comm.is_main_process():
            try:
                held.enter_context(_locked(folder))
                _prepare(folder, identity, num_images, images_per_shard)
            except InputError as error:
                failure = str(error)
        failure = tell_all(failure)
        if failure is not None:
            raise InputError(failure)
        yield FeatureStore(folder)


class FeatureStore:
    """The features of a list of N images, in shards of S that any process writes in any order.

    Args:
        folder: an existing store, as ``open_store`` makes one.

    Raises:
        InputError: store.json is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        record = _read_record(folder)
        self.num_images: int = record["num_images"]
        self.shard_size: int = record["shard_size"]
        self.num_shards = math.ceil(self.num_images / self.shard_size)

    def images(self, shard: int) -> range:
        """The images of a shard, as positions in the list."""
        return range(shard * self.shard_size, min((shard + 1) * self.shard_size, self.num_images))

    def missing(self) -> list[int]:
        """The shards that are not written yet; the same on every process, which all have to ask together."""
        return tell_all([shard for shard in range(self.num_shards) if not self._path(shard).exists()])

    def write(self, shard: int, features: Tensor) -> None:
        """Writes the (S, D) float32 features of a shard's images, under a temporary name first.

        Raises:
            WriteError: the disk does not take it.
        """
        if features.shape[:1] != (len(self.images(shard)),) or features.ndim != 2 or features.dtype != torch.float32:
            raise ValueError(f"Shard {shard} holds {len(self.images(shard))} images, got {features.dtype} {features.shape}.")
        features = features.cpu().contiguous()
        mark = {"format": _FORMAT, "store": self.folder.name, "shard": str(shard), "sha256": _checksum(features)}
        path = self._path(shard)
        write_atomically(path, lambda temporary: save_file({"features": features}, temporary, metadata=mark), features.nbytes)

    def read(self, shard: int) -> Tensor:
        """The (S, D) features of a shard.

        Raises:
            InputError: the file is damaged or of another store.
        """
        path = self._path(shard)
        try:
            with safe_open(path, framework="pt") as content:
                mark, features = content.metadata() or {}, content.get_tensor("features")
        except (OSError, SafetensorError) as error:
            raise InputError(_damage(path, str(error))) from error
        if (mark.get("format"), mark.get("store"), mark.get("shard")) != (_FORMAT, self.folder.name, str(shard)):
            raise InputError(_damage(path, "it belongs somewhere else"))
        if mark.get("sha256") != _checksum(features):
            raise InputError(_damage(path, "its checksum is wrong"))
        if features.ndim != 2 or len(features) != len(self.images(shard)):
            raise InputError(_damage(path, f"it holds {tuple(features.shape)} for {len(self.images(shard))} images"))
        return features

    def load(self) -> Tensor:
        """The (N, D) features of all images, when no shard is missing.

        Raises:
            InputError: a shard is damaged, or of another number of dimensions than the first.
        """
        features: Tensor | None = None
        for shard in range(self.num_shards):
            part = self.read(shard)
            if features is None:
                features = part.new_empty(self.num_images, part.shape[1])
            if part.shape[1] != features.shape[1]:
                raise InputError(_damage(self._path(shard), f"{part.shape[1]} dimensions after {features.shape[1]}"))
            images = self.images(shard)
            features[images.start : images.stop] = part
        if features is None:
            raise ValueError("A store of no images has no features.")
        return features

    def _path(self, shard: int) -> Path:
        return self.folder / f"shard-{shard:05d}.safetensors"


def _prepare(folder: Path, identity: Mapping[str, Any], num_images: int, images_per_shard: int) -> None:
    sweep(folder, held=True)
    if not (folder / "store.json").is_file():
        record = {"format": _FORMAT, "num_images": num_images, "shard_size": images_per_shard, "identity": identity}
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(folder / "store.json", lambda path: path.write_text(text, encoding="utf-8"))
    store = FeatureStore(folder)
    if store.num_images != num_images:
        raise InputError(f"{folder / 'store.json'} is of {store.num_images} images, not {num_images}: delete {folder}.")
    for shard in range(store.num_shards):
        if store._path(shard).exists():
            store.read(shard)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder, f"Another run is extracting into {folder}"))
        except OSError as error:
            raise InputError(f"Cannot write into {folder}: {error.strerror}.") from error
        yield


def _read_record(folder: Path) -> dict[str, Any]:
    path = folder / "store.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] == _FORMAT and _digest(record["identity"]) == folder.name and record["shard_size"] > 0:
            return record
    except (OSError, ValueError, TypeError, KeyError):
        pass
    raise InputError(f"{path} is damaged or of another store: delete the folder {folder} to extract anew.")


def _digest(identity: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _checksum(features: Tensor) -> str:
    return hashlib.sha256(features.numpy()).hexdigest()


def _damage(path: Path, reason: str) -> str:
    return f"{path} is damaged ({reason}): delete it, and the same command extracts its images again."
