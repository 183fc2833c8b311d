"""What a translator's training depends on, and the checkpoint that keeps it beside the weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from vreid_common.data import ImageReadError
from vreid_common.engine.checkpoint import load_checkpoint_file
from vreid_common.errors import InputError
from vreid_common.files import write_atomically
from vreid_common.structures import VehicleImage
from vreid_common.synthetic.translation import (
    AdamSettings,
    DiscriminatorSize,
    LossWeights,
    TranslationStep,
    Translator,
    TranslatorSize,
)
from vreid_common.versions import package_versions

__all__ = ["AMP", "Settings", "file_list_digest", "load_training", "load_translator", "save_training"]

AMP = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Settings:
    """All that decides what a training gives, but the images themselves.

    Attributes:
        height, width: of the images as the networks see them, in pixels.
        batch_size: images of each domain.
        seed: not negative.
        amp: a name in ``AMP``, or None.
        translator, discriminators, weights, adam: of the networks, the losses and the optimizers.
        images: how many the source and the target have.
        lists: digest of the names and sizes of the source's and of the target's files.
    """

    height: int
    width: int
    batch_size: int
    seed: int
    amp: str | None
    translator: TranslatorSize
    discriminators: DiscriminatorSize
    weights: LossWeights
    adam: AdamSettings
    images: tuple[int, int]
    lists: tuple[str, str]

    def build_step(self, device: torch.device) -> TranslationStep:
        """New networks and optimizers.

        Raises:
            InputError: the networks cannot be applied to images of this size.
        """
        self.translator.check(self.height, self.width)
        self.discriminators.check(self.height, self.width)
        amp_dtype = AMP[self.amp] if self.amp else None
        return TranslationStep(
            self.translator, self.discriminators, self.weights, self.adam, device=device, amp_dtype=amp_dtype
        )

    def record(self) -> dict[str, Any]:
        """As plain containers, as a checkpoint holds them."""
        return asdict(self) | {"images": list(self.images), "lists": list(self.lists)}


def file_list_digest(items: Sequence[VehicleImage]) -> str:
    """SHA-256 of the images' names and sizes, in their order: the same wherever the folder lies.

    Raises:
        ImageReadError: there is no such image.
    """
    digest = hashlib.sha256()
    for item in items:
        try:
            size = Path(item.path).stat().st_size
        except OSError as error:
            raise ImageReadError(f"Cannot read the image {item.path}: {error.strerror}.") from error
        digest.update(f"{Path(item.path).name}\0{size}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def save_training(path: Path, settings: Settings, step: TranslationStep, iteration: int) -> None:
    """Writes the state of a training after ``iteration`` iterations, whole or not at all."""
    state = {"settings": settings.record(), "iteration": iteration, "versions": package_versions(), **step.state_dict()}
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def load_training(path: Path, settings: Settings, step: TranslationStep) -> int:
    """Puts a training into the state that a checkpoint holds; returns the number of iterations done.

    Raises:
        InputError: the file is not such a checkpoint, or of a training with other settings.
    """
    state = _read(path)
    mine, theirs = _flat(settings.record()), _flat(state["settings"])
    same_images = mine.pop("lists") == theirs.get("lists")
    other = [f"{key} {theirs.get(key)} there and {value} here" for key, value in mine.items() if theirs.get(key) != value]
    if not other and not same_images:
        raise InputError(
            f"{path} is of a training on other images: resume with the same source and target, or start in another folder."
        )
    if other:
        raise InputError(
            f"{path} is of a training with other settings ({'; '.join(other)}): resume with the same ones, or start in "
            "another folder."
        )
    step.load_state_dict(state)
    return state["iteration"]


def load_translator(path: Path) -> tuple[Translator, tuple[int, int]]:
    """The translator of a checkpoint, and the height and width of the images that it was trained on.

    Raises:
        InputError: the file is not a checkpoint of ``vreid translate train``.
    """
    state = _read(path)
    try:
        settings = state["settings"]
        height, width = int(settings["height"]), int(settings["width"])
        size = TranslatorSize(**settings["translator"])
        if size.halvings + size.blocks > len(state["model"]):
            raise ValueError(f"{size.halvings + size.blocks} layers")
        with torch.device("meta"):  # no memory for networks that the file only claims to hold
            translator = Translator(size)
        translator.load_state_dict(state["model"], assign=True)
    except (KeyError, TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InputError(f"{path} is not a whole checkpoint of `vreid translate train`: train it again.") from error
    size.check(height, width)
    return translator.eval(), (height, width)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"Checkpoint {path} {'is a folder, not a file' if path.is_dir() else 'does not exist'}.")
    state = load_checkpoint_file(str(path))
    if not ({"settings", "iteration", "discriminators"} <= set(state) and isinstance(state["settings"], dict)):
        raise InputError(f"{path} is not a checkpoint of `vreid translate train`.")
    return state


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= _flat(value, f"{prefix}{key} ") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
