"""Reads a study file: what to train, what to show, and the paper's figures to show beside it.

    title: Main module alone against main + WCVL
    seeds: [0, 1, 2]
    dataset: StreetVehicles                    # the test set, as in the runs' results.json
    config: ../configs/Demo/wcvl_r18.yml       # of every row that names none; relative to this file
    overrides: {SOLVER.MAX_EPOCH: 20}          # config keys of every row that trains
    columns:                                   # header: metric of results.json, or {metric: ..., digits: ...}
      mAP: mAP
      CSC: {metric: CSC, digits: 3}
    paper_source: Table I, VeRi-776            # where the rows' `paper` figures stand
    note: One sentence below the table.
    page: ../../../docs/training-data.md       # takes the table; the project's README.md if not given
    rows:
      - name: Baseline                         # a row trains a run ...
        config: ../configs/Demo/main_r18.yml
        overrides: {MODEL.HEADS.NECK_FEAT: before}
        paper: {mAP: 79.3}
      - name: Ours
        after: Baseline                        # starts from the final checkpoint of that row's run with the same seed,
        checkpoint_key: WCVL.MAIN.WEIGHTS      # which is passed in under this config key
        select: na                             # shows the metrics `na/mAP`, ... of the run
      - name: Ours, dot product
        reuse: Ours                            # ... or shows another row's run once more: a further feature (select),
        evaluate: {TEST.METRIC: dot}           # or its checkpoint evaluated again with other keys
      - name: Teacher
        hidden: true                           # trained, but not shown

The file stands in a folder ``studies/`` beside the README.md that takes the table, where no other ``page`` is named, and the
table is named like the file. A row's project is the nearest folder above its config that holds a ``train_net.py``: an installed
project's, or one that the user names. Rows refer to rows above them, never below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from vreid_common.errors import InputError
from vreid_common.study.fields import Fields

__all__ = ["Column", "Row", "Study", "read_study"]

_RESERVED = ("SEED", "OUTPUT_DIR")


@dataclass(frozen=True)
class Column:
    """One column: its header, the metric it shows, and digits after the point."""

    header: str
    metric: str
    digits: int = 1


@dataclass(frozen=True)
class Row:
    """One row: either a training (``config``) or another view of the training of the row ``reuse``."""

    name: str
    config: Path | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    after: str | None = None
    checkpoint_key: str | None = None
    reuse: str | None = None
    evaluate: Mapping[str, Any] = field(default_factory=dict)
    select: str | None = None
    hidden: bool = False
    paper: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Study:
    """A validated study file. ``rows`` keep the order of the file."""

    path: Path
    title: str
    seeds: tuple[int, ...]
    dataset: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    paper_source: str | None = None
    note: str | None = None
    page: Path | None = None

    @property
    def name(self) -> str:
        """The table's name between the README's markers."""
        return self.path.stem

    @property
    def readme(self) -> Path:
        """The page that takes the table."""
        return self.page or self.path.parent.parent / "README.md"


def read_study(path: str | Path) -> Study:
    """Reads and validates a study file.

    Raises:
        InputError: naming the file and the key, if the file is not a valid study.
    """
    path = Path(path).resolve()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}).") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not valid YAML ({' '.join(str(error).split())}).") from error

    fields = Fields(content, str(path))
    title = fields.take("title", str, required=True)
    seeds = fields.take("seeds", list, required=True)
    if not seeds or len(set(map(str, seeds))) < len(seeds) or not all(type(s) is int and s >= 0 for s in seeds):
        raise InputError(f"{path}: `seeds` must be a list of different integers >= 0, got {seeds!r}.")
    dataset = fields.take("dataset", str, required=True)
    default_config = fields.take("config", str)
    shared = _overrides(fields, "overrides")
    columns = _columns(fields)
    paper_source = fields.take("paper_source", str)
    note = fields.take("note", str)
    page = fields.take("page", str)
    rows: list[Row] = []
    for index, value in enumerate(fields.take("rows", list, required=True)):
        rows.append(_row(value, f"{path}, row {index + 1}", path, default_config, shared, columns, rows))
    fields.finish()
    if all(row.hidden for row in rows):
        raise InputError(f"{path}: `rows` has no row to show.")
    if paper_source is None and any(row.paper for row in rows):
        raise InputError(
            f"{path}: rows have `paper` figures, so `paper_source` must say where they stand (e.g. Table I, VeRi-776)."
        )
    return Study(
        path,
        title,
        tuple(seeds),
        dataset,
        columns,
        tuple(rows),
        paper_source,
        note,
        (path.parent / page).resolve() if page else None,
    )


def _columns(fields: Fields) -> tuple[Column, ...]:
    columns = []
    for header, value in fields.take("columns", dict, required=True).items():
        if isinstance(value, str):
            columns.append(Column(str(header), value))
            continue
        column = Fields(value, f"{fields.where}, column {header}")
        columns.append(Column(str(header), column.take("metric", str, required=True), column.take("digits", int, 1)))
        column.finish()
    if not columns:
        raise InputError(f"{fields.where}: `columns` is empty.")
    return tuple(columns)


def _overrides(fields: Fields, key: str) -> dict[str, Any]:
    """Flattens nested overrides to dotted config keys."""

    def flatten(value: dict, prefix: str) -> dict[str, Any]:
        flat: dict[str, Any] = {}
        for name, item in value.items():
            dotted = f"{prefix}{name}"
            flat.update(flatten(item, f"{dotted}.") if isinstance(item, dict) else {dotted: item})
        return flat

    flat = flatten(fields.take(key, dict, {}), "")
    for reserved in _RESERVED:
        if reserved in flat:
            raise InputError(f"{fields.where}: `{key}` sets {reserved}, which the study itself sets (seeds are in `seeds`).")
    return flat


def _row(
    value: Any,
    where: str,
    path: Path,
    config: str | None,
    shared: Mapping[str, Any],
    columns: tuple[Column, ...],
    above: list[Row],
) -> Row:
    fields = Fields(value, where)
    name = fields.take("name", str, required=True)
    fields.where = where = f"{path}, row `{name}`"
    by_name = {row.name: row for row in above}
    if name in by_name:
        raise InputError(f"{where}: there are two rows of that name.")
    reuse = _reference(fields, "reuse", by_name)
    after = _reference(fields, "after", by_name)
    checkpoint_key = fields.take("checkpoint_key", str)
    own_config = fields.take("config", str)
    overrides = _overrides(fields, "overrides")
    evaluate = _overrides(fields, "evaluate")
    select = fields.take("select", str)
    hidden = fields.take("hidden", bool, False)
    paper = _paper(fields, columns)
    fields.finish()

    if reuse is not None:
        if own_config is not None or overrides or after is not None or checkpoint_key is not None:
            raise InputError(
                f"{where}: a row with `reuse` trains nothing, so it takes no config, overrides, after, checkpoint_key."
            )
        shown = by_name[reuse]
        if shown.evaluate and evaluate:
            raise InputError(f"{where}: `reuse` names `{reuse}`, itself an evaluation; name the row that trains.")
        trains = shown.reuse or reuse
        return Row(name, reuse=trains, evaluate=evaluate or shown.evaluate, select=select, hidden=hidden, paper=paper)

    if evaluate:
        raise InputError(f"{where}: `evaluate` needs `reuse: <row>`, the row whose checkpoint is evaluated again.")
    if (after is None) != (checkpoint_key is None):
        raise InputError(f"{where}: `after` and `checkpoint_key` go together; one of them is missing.")
    if after is not None and by_name[after].evaluate:
        raise InputError(f"{where}: `after` names `{after}`, which trains nothing.")
    if own_config is None and config is None:
        raise InputError(f"{where}: neither the row nor the study has a `config`.")
    config_path = (path.parent / (own_config or config or "")).resolve()
    if not config_path.is_file():
        raise InputError(f"{where}: there is no config file {config_path}.")
    return Row(name, config_path, {**shared, **overrides}, after, checkpoint_key, select=select, hidden=hidden, paper=paper)


def _paper(fields: Fields, columns: tuple[Column, ...]) -> dict[str, float]:
    paper = fields.take("paper", dict, {})
    headers = [column.header for column in columns]
    for header, figure in paper.items():
        if header not in headers:
            raise InputError(f"{fields.where}: `paper` has `{header}`, which is no column; columns are {', '.join(headers)}.")
        if not isinstance(figure, int | float) or isinstance(figure, bool):
            raise InputError(f"{fields.where}: `paper` figure of `{header}` must be a number, got {figure!r}.")
    return paper


def _reference(fields: Fields, key: str, by_name: Mapping[str, Row]) -> str | None:
    name = fields.take(key, str)
    if name is not None and name not in by_name:
        known = ", ".join(by_name) or "none"
        raise InputError(f"{fields.where}: `{key}` names the row `{name}`, which does not stand above it (above: {known}).")
    return name
