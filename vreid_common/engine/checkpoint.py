"""Checkpoints: written atomically, read without unpickling code, refused when they do not fit the model."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from fastreid.utils.checkpoint import Checkpointer as FastReIDCheckpointer
from fastreid.utils.checkpoint import _strip_prefix_if_present
from torch import nn

from vreid_common.engine.solver_state import check_solver_state, describe_optimizers
from vreid_common.errors import InputError
from vreid_common.files import write_atomically
from vreid_common.weights import classifier_parameters, current_names, load_checkpoint_file, move_rows

__all__ = ["Checkpointer", "bytes_of", "load_checkpoint_file"]

logger = logging.getLogger(__name__)


class Checkpointer(FastReIDCheckpointer):
    """FastReID's checkpointer, with its file names: atomic, and safe against code in files and wrong models (A11, B16).

    Args:
        model, save_dir, save_to_disk, checkpointables: FastReID's.
        classes: names of the vehicles that the model is trained on, in the order of its classifiers' rows; a checkpoint's rows
            go to those of the same name. None where the model is not trained.
    """

    def __init__(
        self,
        model: nn.Module,
        save_dir: str = "",
        *,
        save_to_disk: bool = True,
        classes: Sequence[str] | None = None,
        **checkpointables: Any,
    ) -> None:
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        self.classes = classes

    def save(self, name: str, **extra: Any) -> None:
        if not self.save_dir or not self.save_to_disk:
            return
        data = {"model": self.model.state_dict(), **extra}
        data.update({key: part.state_dict() for key, part in self.checkpointables.items()})
        data["optimizers"] = describe_optimizers(self.model, self.checkpointables)
        path = Path(self.save_dir) / f"{name}.pth"
        self.logger.info("Saving checkpoint to %s", path)
        write_atomically(path, lambda temporary: torch.save(data, temporary), size=bytes_of(data))
        self.tag_last_checkpoint(path.name)

    def tag_last_checkpoint(self, last_filename_basename: str) -> None:
        write_atomically(Path(self.save_dir) / "last_checkpoint", lambda path: path.write_text(last_filename_basename))

    def load(self, path: str, checkpointables: list[str] | None = None, *, strict: bool = False) -> dict[str, Any]:
        """Loads model and checkpointables.

        Args:
            path: a checkpoint file; empty loads nothing.
            checkpointables: names of the other states to restore; None restores all that the file has.
            strict: also refuse a file that lacks any parameter of the model outside the classifier (evaluation, resuming).

        Returns:
            What else the file holds (``epoch``, ``iteration``, ``metric``, ...).

        Raises:
            InputError: no such file, not a checkpoint, or made for another model.
        """
        if not path:
            return {}
        return self.restore(self.read(path), path, checkpointables, strict=strict)

    def read(self, path: str) -> dict[str, Any]:
        """A checkpoint's content; nothing is changed yet.

        Raises:
            InputError: no such file, or not a checkpoint, or damaged.
        """
        if not Path(path).is_file():
            raise InputError(f"Checkpoint {path} {'is a folder, not a file' if Path(path).is_dir() else 'does not exist'}.")
        self.logger.info("Loading checkpoint from %s", path)
        return load_checkpoint_file(path)

    def restore(
        self, checkpoint: dict[str, Any], path: str, checkpointables: list[str] | None = None, *, strict: bool = False
    ) -> dict[str, Any]:
        """``load`` of what ``read`` gave.

        Raises:
            InputError: made for another model, or by another optimizer; nothing of the latter is loaded then.
        """
        keys = [key for key in (self.checkpointables if checkpointables is None else checkpointables) if key in checkpoint]
        for key in self.checkpointables if checkpointables is None else ():
            if key not in checkpoint:
                self.logger.warning("%s has no %s, whose state begins anew.", path, key)
        recorded = checkpoint.get("optimizers") or {}
        for key in keys:
            check_solver_state(self.model, self.checkpointables[key], checkpoint[key], recorded.get(key), path, key=key)
        classes = (checkpoint.get("manifest") or {}).get("classes")
        load_model(self.model, checkpoint.pop("model"), path, strict=strict, theirs=classes, ours=self.classes)
        for key in keys:
            try:
                self.checkpointables[key].load_state_dict(checkpoint.pop(key))
            except (KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
                raise InputError(f"{path}: its {key} does not fit this configuration ({error}).") from error
        return checkpoint

    def resume_or_load(self, path: str, *, resume: bool = True) -> dict[str, Any]:
        if resume and self.has_checkpoint():
            return self.load(self.get_checkpoint_file(), strict=True)
        return self.load(path, checkpointables=[])


def bytes_of(state: Any) -> int:
    """About how many bytes a checkpoint of ``state`` has: those of its Tensors."""
    if isinstance(state, torch.Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        state = state.values()
    return sum(map(bytes_of, state)) if isinstance(state, Iterable) and not isinstance(state, str | bytes) else 0


def load_model(
    model: nn.Module,
    state: dict[str, Any],
    path: str,
    *,
    strict: bool = False,
    theirs: Sequence[str] | None = None,
    ours: Sequence[str] | None = None,
) -> None:
    """Loads ``state`` into ``model``; rows of classifiers as ``move_rows`` says, by the names of ``theirs`` and ``ours``.

    Raises:
        InputError: naming the first parameter of another shape; or the first one that the file lacks, inside the backbone
            or, when ``strict``, anywhere.
    """
    state = {key: torch.as_tensor(value) for key, value in state.items() if hasattr(value, "shape")}
    _strip_prefix_if_present(state, "module.")
    state = current_names(state, model, path)
    own = model.state_dict()
    classifiers = set(classifier_parameters(model))
    move_rows(model, state, path, theirs, ours)
    for key in sorted(set(state) & set(own)):
        there, here = tuple(state[key].shape), tuple(own[key].shape)
        if there != here:
            raise InputError(
                f"{path} was made for another model: {key} has shape {there} there and {here} in the model that the config "
                "builds."
            )
    missing = [key for key in own if key not in state and key not in classifiers and not key.endswith("num_batches_tracked")]
    fatal = missing if strict else [key for key in missing if key.split(".")[0] == "backbone"]
    if fatal:
        raise InputError(
            f"{path} was made for another model: it lacks {len(fatal)} of the model's {len(own)} tensors, first {fatal[0]}."
        )
    if missing:
        logger.warning(
            "%s lacks %d tensors of the model, which keep their initial values; first %s.", path, len(missing), missing[0]
        )
    unexpected = [key for key in state if key not in own]
    if unexpected:
        logger.warning("%s has %d tensors that the model has not; first %s.", path, len(unexpected), unexpected[0])
    model.load_state_dict(state, strict=False)
