"""Writes a translated copy of a data set's folder: the same names, translated images, and all other files as they are.

Shape shorthand: B images, H × W pixels of the network, each image having a size of its own on disk.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torchvision.transforms as T
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.datasets.folder import IMG_EXTENSIONS
from tqdm import tqdm

from vreid_common.data import BatchLoader, read_image
from vreid_common.data.translated import RECIPE
from vreid_common.errors import InputError
from vreid_common.files import write_atomically
from vreid_common.leavings import sweep
from vreid_common.lock import locked
from vreid_common.synthetic.recipe import check_recipe
from vreid_common.synthetic.translation.pairs import resize_to
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["as_pixels", "translate_folder"]

_JPEG_QUALITY = 95


def as_pixels(images: Tensor) -> Tensor:
    """A network's output (B, 3, H, W), -1 to 1 → uint8 0..255."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


def translate_folder(
    translate: Callable[[Tensor], Tensor],
    source: Path,
    output: Path,
    size: tuple[int, int],
    identity: Mapping[str, Any],
    *,
    batch_size: int = 16,
    workers: int = 0,
) -> tuple[int, int]:
    """Writes what is missing of the translated copy of a folder.

    Images are resized to H × W, translated, resized back to their own size and written under their own name, each whole or not
    at all. All other files are copied when every image is there, so a data set's reader cannot take an unfinished copy for a
    whole one. Hidden files are left out. One process writes at a time, others wait.

    Args:
        translate: images (B, 3, H, W), -1 to 1 → the same of the other domain, on the CPU or another device.
        source: the folder to translate.
        output: made where it is not there.
        size: H, W.
        identity: what the translation depends on, for JSON; a copy that was begun with another one is not gone on with.
        batch_size: B.
        workers: processes that read images, and threads that write them.

    Returns:
        How many images this call has translated, and how many there are.

    Raises:
        ImageReadError: an image cannot be read.
        InputError: the folders cannot be used so.
    """
    images, others = _check_folders(source, output)
    if batch_size < 1 or workers < 0:
        raise InputError(f"The batch size is {batch_size} and workers is {workers}: use 1 or more and 0 or more.")
    try:
        output.mkdir(parents=True, exist_ok=True)
        with locked(output):
            check_recipe(output / RECIPE, identity, "another translation", "vreid translate apply")
            sweep(output, recursive=True, held=True)
            missing = [image for image in images if not _is_written(output / image)]
            with tqdm(total=len(images), initial=len(images) - len(missing), unit="image", disable=None, leave=False) as bar:
                for count in _translate(translate, source, output, missing, size, batch_size, workers):
                    bar.update(count)
            for path in others:
                _copy(source / path, output / path)
    except OSError as error:  # no rights, no space, a path through a file
        raise InputError(f"Cannot write translated images to {output}: {error.strerror or error}.") from error
    return len(missing), len(images)


def _check_folders(source: Path, output: Path) -> tuple[list[Path], list[Path]]:
    """The images and the other files of the source, relative to it, sorted."""
    if not source.is_dir():
        raise InputError(f"There is no folder {source} to translate.")
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file: name a folder for the translated images.")
    there, here = source.resolve(), output.resolve()
    if here == there or there in here.parents:
        raise InputError(f"{output} is {source} or lies in it, and would be translated itself: name a folder elsewhere.")
    files = sorted(_files(source))
    images = [path for path in files if path.name.lower().endswith(IMG_EXTENSIONS)]
    if not images:
        raise InputError(f"There are no images in {source}; their names end in {', '.join(IMG_EXTENSIONS)}.")
    return images, [path for path in files if path not in set(images)]


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name).relative_to(folder) for name in names if not name.startswith("."))


def _is_written(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _translate(
    translate: Callable[[Tensor], Tensor],
    source: Path,
    output: Path,
    missing: list[Path],
    size: tuple[int, int],
    batch_size: int,
    workers: int,
) -> Iterator[int]:
    """Translates and writes the missing images; yields how many more are written."""
    dataset = _SizedImages([source / path for path in missing], size)
    starts = range(0, len(missing), batch_size)
    batches = [list(range(start, min(start + batch_size, len(missing)))) for start in starts]
    pool = ThreadPoolExecutor(max(1, workers))
    writing: list[Future] = []
    try:
        for batch, places in zip(BatchLoader(dataset, batches, num_workers=workers), batches, strict=True):
            pixels = as_pixels(translate(as_network_input(batch["images"]))).cpu()
            sizes = zip(batch["heights"].tolist(), batch["widths"].tolist(), strict=True)
            yield _wait(writing)  # while the batch was translated, the one before was written
            writing = [
                pool.submit(_write, image, own_size, output / missing[place])
                for image, own_size, place in zip(pixels, sizes, places, strict=True)
            ]
        yield _wait(writing)
    finally:
        pool.shutdown()  # what is being written is written to its end


def _wait(writing: list[Future]) -> int:
    for future in writing:
        future.result()
    return len(writing)


class _SizedImages(Dataset):
    """Images resized to H × W, (3, H, W) uint8, and the height and width that they have on disk."""

    def __init__(self, paths: list[Path], size: tuple[int, int]) -> None:
        self.paths = paths
        self.transform = T.Compose(resize_to(*size))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Any]:
        image = read_image(self.paths[index])
        return {"images": self.transform(image), "heights": image.height, "widths": image.width}


def _write(pixels: Tensor, size: tuple[int, int], path: Path) -> None:
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    if image.size != size[::-1]:
        image = image.resize(size[::-1], Image.Resampling.BICUBIC)
    kind = Image.registered_extensions()[path.suffix.lower()]
    options = {"quality": _JPEG_QUALITY} if kind == "JPEG" else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: image.save(temporary, kind, **options))


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: shutil.copyfile(source, temporary))
