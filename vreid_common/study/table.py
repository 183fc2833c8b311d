"""Writes a study's results as a Markdown table between markers in the README.

<!-- table: main -->
...
<!-- /table: main -->
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vreid_common.errors import InputError
from vreid_common.study.plan import RENDERED_DATASETS, Run
from vreid_common.study.results import ResultStore
from vreid_common.study.spec import Column, Row, Study

__all__ = ["make_table", "replace_table", "table_in", "table_record"]

_ABSENT = "–"
_NOT_RUN = "not run"


def make_table(study: Study, plan: Mapping[tuple[str, int], Run], store: ResultStore) -> str:
    """The table, with its title above it and below it how it was made.

    A cell is the mean over the seeds ± the sample standard deviation; a row that lacks seeds says how many it has.

    Raises:
        InputError: if no run has a column's metric, or the study's test set.
    """
    shown = [row for row in study.rows if not row.hidden]
    records = {row.name: [r for seed in study.seeds if (r := store.load(plan[row.name, seed])) is not None] for row in shown}
    values = {
        (row.name, column.header): [v for record in records[row.name] if (v := _value(study, row, column, record)) is not None]
        for row in shown
        for column in study.columns
    }
    if any(records.values()):
        for column in study.columns:
            if not any(values[row.name, column.header] for row in shown):
                raise InputError(_no_such_metric(study, column, next(r for r in records.values() if r)[0]))

    with_paper = [c for c in study.columns if any(c.header in row.paper for row in shown)]
    header = [""]
    for column in study.columns:
        header += [column.header, f"{column.header}, paper"] if column in with_paper else [column.header]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for row in shown:
        cells = [row.name]
        for column in study.columns:
            cells.append(_cell(values[row.name, column.header], records[row.name], study, column))
            if column in with_paper:
                cells.append(f"{row.paper[column.header]:.{column.digits}f}" if column.header in row.paper else _ABSENT)
        lines.append(cells)
    table = "\n".join(f"| {' | '.join(_escape(cell) for cell in line)} |" for line in lines)
    return f"**{study.title}**\n\n{table}\n\n{_caption(study, plan, records)}\n"


def table_record(study: Study, plan: Mapping[tuple[str, int], Run], store: ResultStore) -> dict[str, Any]:
    """The table as JSON has it: of each cell the value of each seed that was run, beside the paper's figure."""
    rows = []
    for row in study.rows:
        if row.hidden:
            continue
        records = {seed: record for seed in study.seeds if (record := store.load(plan[row.name, seed])) is not None}
        values = {
            column.header: {seed: _value(study, row, column, record) for seed, record in records.items()}
            for column in study.columns
        }
        rows.append({"name": row.name, "paper": dict(row.paper), "values": values})
    return {"study": str(study.path), "title": study.title, "dataset": study.dataset, "rows": rows}


def _value(study: Study, row: Row, column: Column, record: Mapping[str, Any]) -> float | None:
    datasets = record["dataset"]
    if study.dataset not in datasets:
        known = ", ".join(datasets) or "none"
        raise InputError(f"{study.path}: `dataset` is {study.dataset}, but row `{row.name}` was evaluated on {known}.")
    return datasets[study.dataset].get(f"{row.select}/{column.metric}" if row.select else column.metric)


def _no_such_metric(study: Study, column: Column, record: Mapping[str, Any]) -> str:
    known = ", ".join(record["dataset"][study.dataset])
    return f"{study.path}, column `{column.header}`: no run reports the metric `{column.metric}`; there are {known}."


def _cell(values: list[float], records: list[Any], study: Study, column: Column) -> str:
    if not records:
        return _NOT_RUN
    if not values:
        return _ABSENT
    text = f"{statistics.fmean(values):.{column.digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.{column.digits}f}"
    return text if len(values) == len(study.seeds) else f"{text} (n = {len(values)})"


def _caption(study: Study, plan: Mapping[tuple[str, int], Run], records: Mapping[str, list[Any]]) -> str:
    seeds = ", ".join(map(str, study.seeds))
    over = f"Mean ± sample standard deviation over seeds {seeds}" if len(study.seeds) > 1 else f"Seed {seeds}"
    sentences = [f"{over} on {study.dataset}{_size(study, plan)}."]
    sentences += _protocols(records)
    if study.paper_source:
        sentences.append(f"Paper: {study.paper_source}.")
    if study.note:
        sentences.append(study.note)
    project = study.path.parent.parent
    sentences.append(f"Made by `vreid study {project.parent.name}/{project.name}/{study.path.parent.name}/{study.path.name}`.")
    return " ".join(sentences)


def _size(study: Study, plan: Mapping[tuple[str, int], Run]) -> str:
    """The size of the rendered data set, if that is what the study's runs are evaluated on."""
    if study.dataset not in RENDERED_DATASETS:
        return ""
    configs = [run.definition["config"] for run in plan.values() if "config" in run.definition]
    sizes = sorted({config["DATASETS.RENDER.SIZE"] for config in configs})
    return f" (size {', '.join(sizes)})"


def _protocols(records: Mapping[str, list[Any]]) -> list[str]:
    """How distances were made and judged; rows that differ from the first are named with what differs."""
    protocols = {name: dict(runs[0].get("protocol", {})) for name, runs in records.items() if runs}
    if not protocols:
        return []
    common = next(iter(protocols.values()))
    sentences = [f"Protocol: {_listed(common)}."] if common else []
    for name, protocol in protocols.items():
        other = {key: value for key, value in protocol.items() if common.get(key) != value}
        if other:
            sentences.append(f"{name}: {_listed(other)}.")
    return sentences


def _listed(settings: Mapping[str, Any]) -> str:
    """For example ``SameCameraExcluded, distance cosine, no re-ranking``."""
    return ", ".join(_phrase(key, value) for key, value in settings.items())


def _phrase(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return key if value else f"no {key}"
    return str(value) if key == "name" else f"{key} {value}"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- table: {name} -->", f"<!-- /table: {name} -->"


def table_in(readme: Path, name: str) -> str:
    """What stands between the markers of the table ``name``.

    Raises:
        InputError: if the README or one of the two markers is missing, or stands there twice.
    """
    text, start, end = _locate(readme, name)
    return text[start:end].strip("\n") + "\n"


def replace_table(readme: Path, name: str, table: str) -> str:
    """The README's text with ``table`` between the markers of the table ``name``; raises as :func:`table_in` does."""
    text, start, end = _locate(readme, name)
    return f"{text[:start]}\n{table.strip()}\n{text[end:]}"


def _locate(readme: Path, name: str) -> tuple[str, int, int]:
    if not readme.is_file():
        raise InputError(f"{readme}: is missing; the table `{name}` is written into it.")
    text = readme.read_text(encoding="utf-8")
    begin, end = _markers(name)
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise InputError(f"{readme}: needs the line {begin} once and below it the line {end}, where the table `{name}` goes.")
    return text, text.index(begin) + len(begin), text.index(end)
