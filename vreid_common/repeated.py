"""Sentences that say the same of many things, shortened to a few of each and a count."""

import argparse
import re
from collections import Counter
from collections.abc import Iterable, Iterator

__all__ = ["add_limit_argument", "shortened"]

# What differs between two sentences about two images: words with a digit, a path or a quoted text.
_VARIABLE = re.compile(r"'[^']*'|\S*[\d/\\]\S*")


def add_limit_argument(parser: argparse.ArgumentParser) -> None:
    """Declares ``--limit``, which ``shortened`` takes."""
    parser.add_argument(
        "--limit", type=_count, default=5, metavar="N",
        help="faults shown of those that differ only in names and numbers, 0 for all (default: %(default)s)",
    )  # fmt: skip


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"must be 0 or a whole number above it, got {text!r}")
    return int(text)


def shortened(sentences: Iterable[str], limit: int) -> Iterator[str]:
    """The sentences as they come, at most ``limit`` of those that differ only in names and numbers; then a count of the others.

    Args:
        sentences: any number; read as the result is.
        limit: 0 gives all of them.
    """
    count: Counter[str] = Counter()
    first: dict[str, str] = {}
    for sentence in sentences:
        shape = _VARIABLE.sub("*", sentence) if limit else ""
        count[shape] += 1
        first.setdefault(shape, sentence)
        if not limit or count[shape] <= limit:
            yield sentence
    if limit:
        for shape, times in count.items():
            if times > limit:
                like = f" like {first[shape]!r}" if len(count) > 1 else ""
                yield f"... and {times - limit:,} more{like}; --limit 0 shows all."
