"""OUTPUT_DIR, which belongs to one run at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.files import reason_of
from vreid_common.lock import locked

__all__ = ["own_output"]


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
