"""What the commands print and write. Files are written under a temporary name first.

Shape shorthand: Q queries, G gallery images, K ranks.
"""

from __future__ import annotations

import argparse
import json
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
from vreid_common.files import write_atomically
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import DistanceRows
from vreid_common.versions import package_versions

__all__ = ["Result", "check_folder", "print_table", "result_record", "write_distance", "write_json", "write_ranking"]

Result = tuple[Pipeline, ProtocolResult]


def check_folder(path: str | None) -> None:
    """Finds out before the work that its result cannot be written.

    Raises:
        InputError: ``path`` is a folder, or is to lie in one that is not there.
    """
    if path and Path(path).is_dir():
        raise InputError(f"{path} cannot be written: it is a folder.")
    if path and not Path(path).parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {Path(path).parent}.")


def print_table(results: Mapping[str, Result], protocol: Protocol) -> None:
    """Prints the protocol and a table, in percent, with a row for each result."""
    pipeline, found = next(iter(results.values()))
    print(protocol.summary(found, pipeline.metric, "re-ranked as each row says" if len(results) > 1 else str(pipeline)))
    rows = {name: {key: 100 * value for key, value in found.metrics.items()} for name, (_, found) in results.items()}
    columns = [key for key in next(iter(rows.values())) if key != "metric"]
    print(metrics_table(rows, columns, corner="%"))


def result_record(name: str, pipeline: Pipeline, found: ProtocolResult) -> dict[str, Any]:
    """A result as JSON has it, with fractions."""
    ranking = found.ranking
    assert ranking is not None  # the commands take no protocol without labels
    return {
        "name": name,
        "re-ranking": pipeline.record,
        "metrics": found.metrics,
        "cmc": ranking.cmc.tolist(),
        "num_queries": ranking.num_queries,
        "num_valid_queries": ranking.num_valid_queries,
        "num_gallery": found.num_gallery,
        "num_draws": found.num_draws,
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
    text = json.dumps(content, indent=1) + "\n"
    write_atomically(Path(path), lambda temporary: temporary.write_text(text, encoding="utf-8"))


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
