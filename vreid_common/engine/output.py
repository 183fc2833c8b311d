"""OUTPUT_DIR, which belongs to one run at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.files import reason_of
from vreid_common.lock import locked

__all__ = ["own_output", "set_aside"]

_OF_A_RUN = (
    "last_checkpoint",  # first: without it, nothing goes on from what is left where this is interrupted
    "*.pth",
    "metrics.json",
    "results.json",
    "cmc.json",
    "manifest.json",
    "config.yaml",
    "report_*.html",
    "events.out.tfevents.*",
)


@contextmanager
def own_output(folder: str) -> Iterator[None]:
    """Makes an OUTPUT_DIR and keeps other runs out of it; of a run's processes the main one does it for all.

    Raises:
        InputError: it cannot be made or written to, or another run has it.
    """
    with ExitStack() as owned:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            owned.enter_context(locked(Path(folder), f"OUTPUT_DIR {folder} belongs to a run that goes on"))
        except OSError as error:
            reason = reason_of(error, folder)
            raise InputError(f"OUTPUT_DIR {folder} cannot be written to: {error.filename or folder}: {reason}.") from error
        yield


def set_aside(folder: str) -> Path | None:
    """Moves the files of the run that an OUTPUT_DIR holds into a folder in it, so that a run that starts there loses nothing.

    log.txt stays and is continued.

    Returns:
        ``<folder>/earlier-1``, or the first number that is free; None where there is no checkpoint.
    """
    output = Path(folder)
    if not (output / "last_checkpoint").is_file():
        return None
    number = next(number for number in itertools.count(1) if not (output / f"earlier-{number}").exists())
    earlier = output / f"earlier-{number}"
    earlier.mkdir()
    for pattern in _OF_A_RUN:
        for file in sorted(output.glob(pattern)):
            file.rename(earlier / file.name)
    return earlier
