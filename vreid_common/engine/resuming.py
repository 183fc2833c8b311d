"""Whether a run can go on from its last checkpoint: looked at before anything is trained, and again when it is loaded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from fastreid.config import CfgNode
from torch import nn

from vreid_common.engine.checkpoint import Checkpointer
from vreid_common.engine.manifest import flat_config, weights_key
from vreid_common.engine.resume_rules import ResumeRules, compare_configs, compare_manifests
from vreid_common.errors import InputError
from vreid_common.weights import read_checkpoint_header

__all__ = ["FINAL", "ResumePoint", "agree_to_resume", "check_stages", "is_finished", "last_checkpoint"]

logger = logging.getLogger(__name__)

FINAL = "model_final.pth"


class HasResumeRules(Protocol):
    """A trainer."""

    @classmethod
    def resume_rules(cls, cfg: CfgNode) -> ResumeRules: ...


def last_checkpoint(output_dir: str) -> str:
    """The file from which a run in OUTPUT_DIR would go on; "" where there is none."""
    checkpointer = Checkpointer(nn.Identity(), output_dir)
    return checkpointer.get_checkpoint_file() if checkpointer.has_checkpoint() else ""


def is_finished(cfg: CfgNode) -> bool:
    """True where OUTPUT_DIR holds a final model of as many epochs as the configuration wants, and its results."""
    folder = Path(cfg.OUTPUT_DIR)
    if not ((folder / FINAL).is_file() and (folder / "results.json").is_file()):
        return False
    header = read_checkpoint_header(str(folder / FINAL))
    return header.get("epoch", -1) + 1 >= cfg.SOLVER.MAX_EPOCH and "unfinished" not in header


def check_stages(stages: Sequence[CfgNode], trainer: HasResumeRules) -> None:
    """Refuses to resume a command of which a stage cannot go on as its configuration says; nothing was trained yet.

    Training images are not compared here: they are not read before their stage begins.

    Raises:
        InputError: a key was changed that may not change; or a stage is to train longer although a later one was trained on
            its final model.
    """
    for number, stage in enumerate(stages):
        path = last_checkpoint(stage.OUTPUT_DIR)
        if not path or not Path(path).is_file():
            continue
        header = read_checkpoint_header(path)
        manifest = header.get("manifest")
        if manifest:
            config = dict(flat_config(stage))
            if config["SEED"] < 0:
                config["SEED"] = manifest["config"]["SEED"]
            # Files of weights are compared by their content, later: one may be what an earlier stage is still to write.
            weights = dict.fromkeys(filter(weights_key, config), True)
            compare_configs(manifest["config"], config, trainer.resume_rules(stage), path, _epochs_done(header), weights)
        if _epochs_done(header) >= stage.SOLVER.MAX_EPOCH:
            continue
        final = str(Path(stage.OUTPUT_DIR) / FINAL)
        for later in stages[number + 1 :]:
            if final in dict(flat_config(later)).values() and last_checkpoint(later.OUTPUT_DIR) and Path(final).is_file():
                raise InputError(
                    f"The run in {later.OUTPUT_DIR} was trained on {final}, so the one in {stage.OUTPUT_DIR} cannot be trained "
                    f"to {stage.SOLVER.MAX_EPOCH} epochs now: leave its SOLVER.MAX_EPOCH as it was, or train both in another "
                    "OUTPUT_DIR."
                )


class ResumePoint(NamedTuple):
    """Where a resumed run goes on."""

    iteration: int
    best_metric: float
    """Of the models so far; -1 where another metric decides from now on."""
    unfinished: dict[str, tuple[float, bool]] | None
    """The scalars of the last epoch, where its evaluation is still to come."""
    same_length: bool
    """Whether the run is to end when it was to end; else its schedule is another one."""


def agree_to_resume(
    checkpoint: Mapping[str, Any],
    manifest: Mapping[str, Any],
    rules: ResumeRules,
    path: str,
    *,
    iters_per_epoch: int,
) -> ResumePoint:
    """Compares a run with the checkpoint from which it is to go on, and logs what is taken over.

    Args:
        checkpoint: its content.
        manifest: of the run.
        rules: what may change.
        path: of the checkpoint, for messages.
        iters_per_epoch: the run's.

    Raises:
        InputError: something differs that may not.
    """
    done = _epochs_done(checkpoint)
    recorded, config = checkpoint.get("manifest"), manifest["config"]
    if recorded:
        agreement = compare_manifests(recorded, manifest, rules, path, done)
    else:
        logger.warning(
            "%s does not say what it was trained with, as those of older versions and other programs do not: that data, losses "
            "and sizes are the same cannot be checked. Parameters, optimizer and number of iterations are.", path,
        )  # fmt: skip
        agreement = compare_configs(
            {"SEED": checkpoint.get("seed", config["SEED"])}, {"SEED": config["SEED"]}, rules, path, done
        )
    if config["SOLVER.MAX_EPOCH"] < done:
        raise InputError(
            f"SOLVER.MAX_EPOCH is {config['SOLVER.MAX_EPOCH']}, but {path} has gone through {done} epochs: set it to {done} or "
            "more."
        )
    if checkpoint.get("iters_per_epoch", iters_per_epoch) != iters_per_epoch:
        raise InputError(
            f"{path} was made with {checkpoint['iters_per_epoch']} iterations an epoch and this configuration has "
            f"{iters_per_epoch}: resume with the same data and SOLVER.IMS_PER_BATCH, or start in another OUTPUT_DIR."
        )
    for change in agreement.changes:
        logger.info("Resuming with a change: %s", change)
    return ResumePoint(
        checkpoint.get("iteration", done * iters_per_epoch),
        checkpoint.get("best_metric", -1.0) if agreement.same_measure else -1.0,
        checkpoint.get("unfinished"),
        agreement.same_length,
    )


def _epochs_done(checkpoint: Mapping[str, Any]) -> int:
    """Epochs that a checkpoint has gone through, one that has begun included."""
    iteration, an_epoch = checkpoint.get("iteration"), checkpoint.get("iters_per_epoch")
    if iteration is None or not an_epoch:
        return checkpoint.get("epoch", -1) + 1
    return -(-iteration // an_epoch)
