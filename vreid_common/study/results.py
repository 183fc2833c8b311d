"""One small JSON a run: what was run (the hashed definition), how, and every metric that came out.

The files are committed in ``<project>/studies/results/<hash>.json``, so that tables can be made again without training. A
file holds the definition itself, so that its name can be checked against its content.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vreid_common.errors import InputError
from vreid_common.files import write_atomically
from vreid_common.study.plan import Run, digest

__all__ = ["ResultStore", "read_run_output", "write_text"]

_FROM_THE_RUN = ("dataset", "protocol", "iterations", "seconds", "versions")


class ResultStore:
    """Results by run, in each project's ``studies/results`` or, if ``folder`` is given, all in that folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def path(self, run: Run) -> Path:
        return (self._folder or run.project / "studies" / "results") / f"{run.id}.json"

    def load(self, run: Run) -> dict[str, Any] | None:
        """The result of ``run``, or None if there is none yet.

        Raises:
            InputError: if the file is not what :meth:`save` wrote for this run.
        """
        path = self.path(run)
        if not path.exists():
            return None
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            intact = digest(record["definition"]) == run.id and isinstance(record["dataset"], dict)
        except (OSError, ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            raise InputError(
                f"{path}: is not the result that its name says; restore it, or delete it to have the run done again."
            )
        return record

    def save(self, run: Run, output: Mapping[str, Any], command: str) -> None:
        """Writes what the run's results.json says, beside the run's definition and the command that made it."""
        record = {
            "definition": run.definition,
            "command": command,
            **{key: output[key] for key in _FROM_THE_RUN if key in output},
        }
        write_text(self.path(run), json.dumps(record, indent=1) + "\n")


def read_run_output(folder: Path) -> dict[str, Any] | None:
    """``results.json`` of a run's output folder, or None while the run is not finished."""
    path = folder / "results.json"
    if not path.exists():
        return None
    try:
        output = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: is not valid JSON ({error}).") from error
    if not isinstance(output, dict) or not isinstance(output.get("dataset"), dict):
        raise InputError(f"{path}: has no `dataset` with the metrics of each test set.")
    return output


def write_text(path: Path, text: str) -> None:
    """Writes a whole text file or nothing, and the folder that it goes into."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
