"""Text files with an image or a vehicle a line, as most data sets list them."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from vreid_common.structures import UNKNOWN

__all__ = ["read_lines", "read_rows", "whole_number"]


@lru_cache(maxsize=1 << 12)  # the rows of a vehicle follow one another, with its number, model and colour on each
def whole_number(text: str) -> int:
    """A number as ids are written; ``int`` would take signs, underscores and numbers that do not fit in 64 bits.

    Raises:
        ValueError: the text is not of at most 18 digits.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def read_lines(path: Path, faults: list[str]) -> list[str]:
    """The lines without blanks at their ends; empty ones are kept, so that a line's place is its number.

    UTF-8 with or without a byte order mark, else GB18030, as many of these sets come from China. A file that is neither, or
    that cannot be read, is one sentence in ``faults``.
    """
    try:
        data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            text = data.decode("gb18030")
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"Cannot read the list {path}: {error}.")
        return []
    return [line.strip() for line in text.split("\n")]  # str.splitlines would also split at control characters


def read_rows(
    path: Path,
    columns: Mapping[str, Callable[[str], Any]],
    faults: list[str],
    *,
    optional: Mapping[str, Callable[[str], Any]] | None = None,
) -> list[tuple]:
    """The rows of a list, separated by blanks; further columns are ignored, empty lines are skipped.

    Args:
        path: the list.
        columns: what each column holds and how it is read; what raises ``ValueError`` is a fault of that row.
        faults: gets one sentence for each row that is not of that form; such a row is left out.
        optional: columns that may follow; ``UNKNOWN`` where a row has fewer.

    Returns:
        A tuple a row, of ``columns`` and then ``optional``.
    """
    optional = optional or {}
    form = " ".join(columns) + "".join(f" [{name}]" for name in optional)
    readers = [*columns.values(), *optional.values()]
    rows = []
    faulty = len(faults)
    for number, line in enumerate(read_lines(path, faults), start=1):
        if not line:
            continue
        fields = line.split()
        try:
            row = tuple([read(field) for read, field in zip(readers, fields, strict=False)])
        except ValueError:
            row = ()
        if len(row) < len(columns):
            faults.append(f"{path}, row {number}: expected {form!r}, got {line[:100]!r}.")
            continue
        rows.append(row + (UNKNOWN,) * (len(readers) - len(row)))
    if not rows and len(faults) == faulty:
        faults.append(f"{path} is empty: expected {form!r} on each row.")
    return rows
