"""What a resumed run may change of the configuration that its checkpoint was trained with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple

from vreid_common.engine.manifest import DERIVED, weights_key
from vreid_common.errors import InputError

__all__ = ["RESUME_RULES", "Agreement", "ResumeRule", "ResumeRules", "compare_configs", "compare_manifests"]


class ResumeRule(Enum):
    """What a change of a key does to a resumed run."""

    FREE = "changes how fast, where or how often something is done: taken over and logged"
    MEASURE = "changes what an evaluation measures: taken over and logged, and model_best.pth is chosen anew from here on"
    LENGTH = "a number of epochs: taken over and logged, if so many are not done yet"
    UNREAD = "this run does not read it"


ResumeRules = Mapping[str, ResumeRule]

RESUME_RULES: ResumeRules = {
    "PROJECT": ResumeRule.UNREAD,
    "OUTPUT_DIR": ResumeRule.FREE,
    "DETERMINISTIC": ResumeRule.FREE,
    "CUDNN_BENCHMARK": ResumeRule.FREE,
    "MODEL.DEVICE": ResumeRule.FREE,
    "MODEL.CHANNELS_LAST": ResumeRule.FREE,
    # Where data lies: the digest of the image list says whether it is the same.
    "DATASETS.CSV.FILE": ResumeRule.FREE,
    "DATASETS.TRANSLATED.ROOT": ResumeRule.FREE,
    "DATALOADER.NUM_WORKERS": ResumeRule.FREE,
    "DATALOADER.TIMEOUT": ResumeRule.FREE,
    "DISTRIBUTED.": ResumeRule.FREE,
    "SOLVER.MAX_EPOCH": ResumeRule.LENGTH,
    "SOLVER.CHECKPOINT_PERIOD": ResumeRule.FREE,
    "TEST.EVAL_PERIOD": ResumeRule.FREE,
    "TEST.IMS_PER_BATCH": ResumeRule.FREE,
    "TEST.NUM_WORKERS": ResumeRule.FREE,
    "TEST.REPORT": ResumeRule.FREE,
    "RERANK.FURTHER": ResumeRule.FREE,
    "DATASETS.TESTS": ResumeRule.MEASURE,
    # Not TEST.PRECISE_BN, which changes the model.
    **dict.fromkeys(
        (
            "TEST.METRIC", "TEST.PROTOCOL", "TEST.MAX_RANK", "TEST.TOP_K", "TEST.NORMALIZER", "TEST.NUM_DRAWS",
            "TEST.DRAW_SEED", "TEST.VIEWS", "TEST.AMP", "TEST.BEST.", "TEST.FLIP.", "TEST.ROC.", "TEST.AQE.",
            "TEST.RERANK.", "RERANK.",
        ),
        ResumeRule.MEASURE,
    ),
}  # fmt: skip
"""Keys, and groups of keys (with a point at the end), that a resumed run may change; it may change no other.

A project adds its own in ``Trainer.resume_rules``.
"""

_UNSET = object()


class Agreement(NamedTuple):
    """What is taken over."""

    changes: list[str]
    """A sentence for each change."""
    same_measure: bool
    """Whether metrics from before and after can be compared."""
    same_length: bool


def compare_manifests(
    recorded: Mapping[str, Any], current: Mapping[str, Any], rules: ResumeRules, path: str, epochs_done: int
) -> Agreement:
    """Compares what a checkpoint was trained with to what its run is to go on with.

    Args:
        recorded: manifest in the checkpoint.
        current: manifest of the run.
        rules: as ``RESUME_RULES``.
        path: the checkpoint, for messages.
        epochs_done: epochs that it has gone through, one that has begun included.

    Raises:
        InputError: something differs that may not; with its old and its new value.
    """
    agreement = compare_configs(recorded["config"], current["config"], rules, path, epochs_done, _same_files(recorded, current))
    _compare_images(recorded, current, path)
    changes = list(agreement.changes)
    tests = recorded.get("tests", {})
    others = [name for name, digest in current.get("tests", {}).items() if tests.get(name, digest) != digest]
    changes += [f"{name} has other test images or labels than until now." for name in others]
    if recorded["processes"] != current["processes"]:
        changes.append(f"{current['processes']} processes, {recorded['processes']} until now.")
    theirs, ours = recorded["versions"], current["versions"]
    changes += [
        f"{package} {ours.get(package, 'not installed')}, {theirs.get(package, 'not installed')} until now."
        for package in sorted({*theirs, *ours})
        if theirs.get(package) != ours.get(package)
    ]
    return agreement._replace(changes=changes, same_measure=agreement.same_measure and not others)


def compare_configs(
    recorded: Mapping[str, Any],
    current: Mapping[str, Any],
    rules: ResumeRules,
    path: str,
    epochs_done: int,
    same_files: Mapping[str, bool] | None = None,
) -> Agreement:
    """``compare_manifests`` of the keys alone, key → value; ``same_files`` says it of files of weights that were compared."""
    same_files = same_files or {}
    refused: list[str] = []
    changes: list[str] = []
    changed_rules = set()
    for key in dict.fromkeys((*recorded, *current)):
        old, new = recorded.get(key, _UNSET), current.get(key, _UNSET)
        rule = _rule_of(key, rules)
        if key in DERIVED or rule is ResumeRule.UNREAD:
            continue
        if weights_key(key) and key in same_files:
            if not same_files[key]:
                refused.append(f"{key} {old} (now {'another file of that name' if old == new else new})")
            continue
        if old == new:
            continue
        if _UNSET in (old, new):  # versions have other keys
            changes.append(f"{key} {new}, a key that was not there until now." if old is _UNSET else f"{key} {old} is gone.")
        elif rule is None:
            refused.append(f"{key} {old} (now {new})")
        elif rule is ResumeRule.LENGTH and new < epochs_done:
            raise InputError(
                f"{key} is {new}, but {path} has gone through {epochs_done} epochs: set it to {epochs_done} or more."
            )
        else:
            changed_rules.add(rule)
            changes.append(f"{key} {new}, {old} until now.")
    if refused:
        listed = ", ".join(refused[:3]) + (f" (and {len(refused) - 3} more keys)" if len(refused) > 3 else "")
        raise InputError(
            f"{path} was trained with {listed}: a resumed run cannot change that. Set it as it was, or "
            "train in another OUTPUT_DIR, with MODEL.WEIGHTS to begin with these weights."
        )
    return Agreement(changes, ResumeRule.MEASURE not in changed_rules, ResumeRule.LENGTH not in changed_rules)


def _rule_of(key: str, rules: ResumeRules) -> ResumeRule | None:
    """The rule of the key, or of the innermost group that has one."""
    names = [key]
    while key:
        key = key.rpartition(".")[0]
        names.append(f"{key}.")
    return next((rules[name] for name in names if name in rules), None)


def _same_files(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> dict[str, bool]:
    """Whether a key names the same weights, where both files could be read."""
    theirs, ours = recorded["weights"], current["weights"]
    return {key: theirs[key] == ours[key] for key in theirs if key in ours}


def _compare_images(recorded: Mapping[str, Any], current: Mapping[str, Any], path: str) -> None:
    theirs, ours = recorded["images"], current["images"]
    if theirs["digest"] == ours["digest"] and recorded["classes"] == current["classes"]:
        return

    def said(manifest: Mapping[str, Any]) -> str:
        images = manifest["images"]
        return f"{images['number']:,} images of {len(manifest['classes']):,} vehicles of {', '.join(images['sets'])}"

    raise InputError(
        f"{path} was trained on {said(recorded)}, and this run has {said(current)}"
        f"{''.join(_first_difference(recorded, current))}: a resumed run cannot change them. Train in another OUTPUT_DIR, with "
        "MODEL.WEIGHTS to begin with these weights; the classifier then keeps its rows of vehicles of the same name."
    )


def _first_difference(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> Iterator[str]:
    theirs, ours = set(recorded["classes"]), set(current["classes"])
    gone, new = sorted(theirs - ours), sorted(ours - theirs)
    if gone:
        yield f", without {gone[0]}"
    if new:
        yield f", with {new[0]}"
    if not gone and not new:
        yield ", in another order or with other labels"
