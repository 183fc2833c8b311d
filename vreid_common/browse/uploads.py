"""The folder of the pictures that were uploaded and those that the page shows: bounded, the oldest give way."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vreid_common.browse.refusal import Refusal

__all__ = ["Uploads"]

_TIDY_SECONDS = 10.0


class Uploads:
    """Files in a folder of their own, to which only the page's application writes.

    Args:
        folder: where they are.
        most_bytes, most_files: what may lie there; the oldest files are removed when more is to come.
        at_a_time: uploads that may be under way.
    """

    def __init__(self, folder: str, most_bytes: int = 256 * 2**20, most_files: int = 4096, at_a_time: int = 4) -> None:
        self._folder = Path(folder).resolve()
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._free = at_a_time
        self._tidied = time.monotonic()

    def holds(self, path: str) -> bool:
        """Whether a path is that of a file in the folder; links and devices are none."""
        place = Path(os.path.normpath(path))
        if not place.is_relative_to(self._folder):  # by its name alone: others are not even looked for
            return False
        try:
            return place.parent.resolve() == place.parent and stat.S_ISREG(place.lstat().st_mode)
        except (OSError, ValueError):  # no such file; a name that no file can have
            return False

    @contextmanager
    def room(self, size: int) -> Iterator[None]:
        """Makes room for an upload, while which it counts as under way.

        Raises:
            Refusal: too many are.
        """
        if not self._free:
            raise Refusal(503, "Other pictures are being uploaded: try again.")
        self._free -= 1
        try:
            self._remove_oldest(size)
            yield
        finally:
            self._free += 1

    def tidy(self) -> None:
        """Removes what is too much, now and then: the page writes pictures there too."""
        if time.monotonic() > self._tidied + _TIDY_SECONDS:
            self._tidied = time.monotonic()
            self._remove_oldest(0)

    def _remove_oldest(self, size: int) -> None:
        files = []
        for place, _, names in os.walk(self._folder):
            for name in names:
                path = Path(place, name)
                with suppress(FileNotFoundError):  # the application moves what has arrived
                    status = path.lstat()
                    files.append((status.st_mtime_ns, status.st_size, path))
        files.sort(reverse=True)  # newest first
        kept, room = 0, self._most_bytes - size
        for kept, (_, length, _) in enumerate(files):
            room -= length
            if room < 0 or kept + 1 >= self._most_files:
                break
        else:
            kept = len(files)
        for _, _, path in files[kept:]:
            path.unlink(missing_ok=True)
            if path.parent != self._folder:
                with suppress(OSError):  # it is not empty
                    path.parent.rmdir()
