"""Reads a submission back and says what a server would refuse.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.evaluation.submission import SUBMISSION_RANKS

__all__ = ["check_aicity_submission"]


def check_aicity_submission(path: str | os.PathLike[str], num_queries: int, num_gallery: int) -> list[str]:
    """What is wrong with a ``track2.txt``: a sentence for each line at fault; none where it can be handed in.

    It has a line for each query, and each line 100 different gallery images (all, where the gallery has fewer), counted from 1
    and separated by single spaces.

    Args:
        path: the file.
        num_queries: Q; CityFlow-ReID has 1,052.
        num_gallery: G; CityFlow-ReID has 18,290.

    Raises:
        InputError: the file cannot be read as text.
    """
    try:
        text = Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a submission: {error}.") from error
    lines = text.removesuffix("\n").split("\n") if text else []
    faults = [f"line {number}: {fault}." for number, line in enumerate(lines, start=1) for fault in _faults(line, num_gallery)]
    if len(lines) != num_queries:
        faults.append(f"there are {len(lines)} lines for {num_queries} queries.")
    return faults


def _faults(line: str, num_gallery: int) -> Iterator[str]:
    words = line.split(" ")
    if not all(word.isdigit() for word in words):
        yield "it is not made of whole numbers with single spaces between them"
        return
    indices = [int(word) for word in words]
    wanted = min(SUBMISSION_RANKS, num_gallery)
    if len(indices) != wanted:
        yield f"it names {len(indices)} gallery images, not {wanted}"
    if len(set(indices)) < len(indices):
        double = next(index for place, index in enumerate(indices) if index in indices[:place])
        yield f"it names image {double} twice"
    outside = [index for index in indices if not 1 <= index <= num_gallery]
    if outside:
        yield f"image {outside[0]} is not in 1 to {num_gallery}"
