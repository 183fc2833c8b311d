"""Turns the rows and seeds of studies into runs, each known by the hash of what decides its outcome.

The hash covers the config as it is written (``_BASE_`` merged, then the row's overrides), the seed, the renderer's version
where data are rendered, and the hash of the run it starts from or evaluates; not the code's version, nor keys that only say
where and how fast to compute. Two rows, or two studies, that ask for the same thing therefore share one run.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.study.spec import Row, Study
from vreid_common.synthetic import StreetVehicles, StudioVehicles
from vreid_common.synthetic.writer import RENDERER_VERSION

__all__ = ["RENDERED_DATASETS", "Run", "digest", "plan_runs", "with_ancestors"]

RENDERED_DATASETS = frozenset({StreetVehicles.dataset_name, StudioVehicles.dataset_name})

SCHEMA = 1
"""Part of every hash: raised when the meaning of a definition or of a result changes, so that older results no longer count."""

_NOT_THE_OUTCOME = ("VERSION", "PROJECT", "SEED", "OUTPUT_DIR", "MODEL.DEVICE", "DATALOADER.NUM_WORKERS", "TEST.NUM_WORKERS")
_RENDER_KEYS = ("DATASETS.RENDER.SIZE", "DATASETS.RENDER.SEED")


@dataclass(frozen=True)
class Run:
    """One execution of a project's ``train_net.py``: a training, or (``evaluates``) another evaluation of its checkpoint."""

    project: Path
    config: Path
    overrides: Mapping[str, Any]
    seed: int
    definition: Mapping[str, Any]
    label: str
    after: Run | None = None
    checkpoint_key: str | None = None
    evaluates: Run | None = None

    @cached_property
    def id(self) -> str:
        return digest(self.definition)

    @property
    def parent(self) -> Run | None:
        """The run whose checkpoint this one needs."""
        return self.evaluates or self.after


def digest(definition: Mapping[str, Any]) -> str:
    """Hash (12 hexadecimal digits) of a run's definition."""
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plan_runs(study: Study) -> dict[tuple[str, int], Run]:
    """The run that each (row name, seed) shows. Rows that share a run have equal ones.

    Raises:
        InputError: if a row's config cannot be read or belongs to no project.
    """
    rows = {row.name: row for row in study.rows}
    plan: dict[tuple[str, int], Run] = {}
    for seed in study.seeds:
        for row in study.rows:
            if row.config is not None:
                after = plan[row.after, seed] if row.after else None
                plan[row.name, seed] = _training(study, row, row.config, seed, after)
            else:
                plan[row.name, seed] = _view(row, rows, seed, plan)
    return plan


def with_ancestors(runs: Iterable[Run]) -> list[Run]:
    """``runs`` and every run they need a checkpoint of, each once and parents first."""
    ordered: dict[str, Run] = {}
    for run in runs:
        chain: list[Run] = []
        node: Run | None = run
        while node is not None and node.id not in ordered:
            chain.append(node)
            node = node.parent
        ordered.update({item.id: item for item in reversed(chain)})
    return list(ordered.values())


def _training(study: Study, row: Row, config: Path, seed: int, after: Run | None) -> Run:
    project = _project_of(config, f"{study.path}, row `{row.name}`")
    definition = {
        "schema": SCHEMA,
        "project": project.name,
        "config": _effective_config(config, row.overrides),
        "seed": seed,
        "after": None if after is None else {"key": row.checkpoint_key, "run": after.id},
    }
    return Run(project, config, row.overrides, seed, definition, f"{row.name}, seed {seed}", after, row.checkpoint_key)


def _view(row: Row, rows: Mapping[str, Row], seed: int, plan: Mapping[tuple[str, int], Run]) -> Run:
    shown = plan[row.reuse or "", seed]
    if not row.evaluate:
        return shown
    definition = {
        "schema": SCHEMA,
        "project": shown.project.name,
        "evaluates": shown.id,
        "overrides": {key: _canonical(value) for key, value in row.evaluate.items()},
    }
    return Run(shown.project, shown.config, row.evaluate, seed, definition, f"{row.name}, seed {seed}", evaluates=shown)


def _project_of(config: Path, where: str) -> Path:
    for folder in config.parents:
        if (folder / "train_net.py").is_file():
            return folder
    raise InputError(f"{where}: no folder above {config} has a train_net.py, so the config belongs to no project.")


def _effective_config(path: Path, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys and values that the run is started with, as far as they decide its outcome."""
    try:
        written = CfgNode.load_yaml_with_base(str(path))
    except (OSError, AssertionError, TypeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read as a config ({' '.join(str(error).split())}).") from error
    flat = {key: _canonical(value) for key, value in _flatten(written)}
    flat.update({key: _canonical(value) for key, value in overrides.items()})
    if RENDERED_DATASETS & {*flat.get("DATASETS.NAMES", ()), *flat.get("DATASETS.TESTS", ())}:
        defaults = dict(_flatten(get_vreid_cfg()))
        flat = {key: defaults[key] for key in _RENDER_KEYS} | flat | {"renderer": RENDERER_VERSION}
    return {key: flat[key] for key in sorted(flat) if key not in _NOT_THE_OUTCOME}


def _flatten(node: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _canonical(value: Any) -> Any:
    """The value as yacs understands it: strings such as ``"('VeRi',)"`` or ``"1e-4"`` are Python literals; tuples are lists."""
    if isinstance(value, str):
        try:
            decoded = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            return value
        return value if isinstance(decoded, str) else _canonical(decoded)
    if isinstance(value, Sequence):
        return [_canonical(item) for item in value]
    return value if isinstance(value, bool | int | float | None) else str(value)
