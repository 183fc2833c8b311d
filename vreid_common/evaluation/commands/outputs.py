"""What the commands print and write. Files are written under a temporary name first.

Shape shorthand: Q queries, G gallery images, K ranks.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import Inputs
from vreid_common.evaluation.protocols import Protocol, ProtocolResult
from vreid_common.evaluation.rank_list import blocks_of_rows, rank_list
from vreid_common.evaluation.table import metrics_table
from vreid_common.files import check_writable, write_atomically
from vreid_common.files import write_json as write_json_file
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import DistanceRows
from vreid_common.versions import package_versions

__all__ = ["Result", "check_outputs", "print_table", "result_record", "write_distance", "write_json", "write_ranking"]

Result = tuple[Pipeline, ProtocolResult]

_PAIR = (".safetensors", ".json")
"""The two files of a feature set, which may be named without a suffix."""


def check_outputs(args: argparse.Namespace, outputs: Sequence[str | None]) -> None:
    """Finds out before the work that a result cannot be written, or that it would take the place of another file.

    Raises:
        InputError: an output is a folder, lies in one that is not there, is an input of the command, or is named twice.
    """
    inputs = _input_files(args)
    taken: set[Path] = set()
    check_writable(*outputs)
    for path in filter(None, outputs):
        file = Path(path).resolve()
        if file in inputs:
            raise InputError(f"{path} cannot be written: it is an input of this command.")
        if file in taken:
            raise InputError(f"{path} is to hold two different results: give each a file of its own.")
        taken.add(file)


def _input_files(args: argparse.Namespace) -> set[Path]:
    """All files that the command reads; a feature set is two."""
    further = [file for _, *files in getattr(args, "further", None) or () for file in files]
    sets = [path for path in map(Path, (args.query, args.gallery, *further)) if path.name]
    others = [Path(file) for file in (args.labels, getattr(args, "pipelines", None)) if file]
    pairs = [path.with_name(f"{path.stem if path.suffix in _PAIR else path.name}{suffix}") for path in sets for suffix in _PAIR]
    return {path.resolve() for path in (*sets, *others, *pairs)}


def print_table(results: Mapping[str, Result], protocol: Protocol) -> None:
    """Prints the protocol and a table, in percent, with a row for each result."""
    pipeline, found = next(iter(results.values()))
    print(protocol.summary(found, pipeline.metric, "re-ranked as each row says" if len(results) > 1 else str(pipeline)))
    rows = {name: {key: 100 * value for key, value in found.metrics.items()} for name, (_, found) in results.items()}
    columns = [key for key in next(iter(rows.values())) if key != "metric"]
    print(metrics_table(rows, columns, corner="%"))


def result_record(name: str, pipeline: Pipeline, found: ProtocolResult | None) -> dict[str, Any]:
    """A result as JSON has it, with fractions; what was not evaluated has no metrics."""
    if found is None:
        return {"name": name, "re-ranking": pipeline.record, "metrics": None}
    ranking = found.ranking
    assert ranking is not None  # the commands take no protocol without labels
    return {
        "name": name,
        "re-ranking": pipeline.record,
        "metrics": found.metrics,
        "cmc": ranking.cmc.tolist(),
        "num_queries": ranking.num_queries,
        "num_valid_queries": ranking.num_valid_queries,
        **found.record,
    }


def write_json(
    path: str, args: argparse.Namespace, inputs: Inputs, protocol: Protocol, results: Sequence[Mapping[str, Any]], **extra: Any
) -> None:
    """Writes the results with all that they have to be read with; metrics are fractions."""
    content = {
        "query": args.query,
        "gallery": args.gallery,
        "further": {name: files for name, *files in getattr(args, "further", None) or ()},
        "images": {"query": len(inputs.query), "gallery": len(inputs.gallery)},
        "protocol": {
            "name": args.protocol,
            "description": protocol.description,
            "metric": args.metric,
            "max_rank": protocol.max_rank,
            "top_k": protocol.top_k,
            "normalizer": protocol.normalizer,
            "draw_seed": protocol.seed,
        },
        **extra,
        "results": list(results),
        "versions": package_versions(),
    }
    write_json_file(path, content)


def write_distance(path: str, distance: DistanceRows) -> None:
    """Writes the distance as a .npy (Q, G) of float32, a block of rows at a time."""

    def write(temporary: Path) -> None:
        matrix = np.lib.format.open_memmap(temporary, "w+", np.float32, tuple(distance.shape))
        with tqdm(total=len(matrix), desc="distance", unit="query", leave=False) as bar:
            for start, block in blocks_of_rows(distance):
                matrix[start : start + len(block)] = block.cpu().numpy()
                bar.update(len(block))
        matrix.flush()

    write_atomically(Path(path), write)


def write_ranking(path: str, distance: DistanceRows, top_k: int) -> None:
    """Writes the indices of each query's first gallery images as a .npy (Q, K) of int64, counted from 0."""
    ranking = rank_list(distance, top_k)

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:  # np.save would append .npy to the temporary name
            np.save(file, ranking)

    write_atomically(Path(path), write)
