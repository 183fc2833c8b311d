"""What a folder was made of, kept in a file beside what was made, so that a later run goes on only with the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vreid_common.errors import InputError
from vreid_common.files import write_atomically

__all__ = ["check_recipe"]


def check_recipe(path: Path, recipe: Mapping[str, Any], held: str, command: str) -> None:
    """Writes the recipe (of JSON values) into a fresh folder, or compares it with the one that is there.

    Args:
        path: the recipe's file; its folder is there.
        held: what a folder with another recipe holds, as in "other rendered images".
        command: what makes such folders.

    Raises:
        InputError: the folder holds something else.
    """
    folder = path.parent
    if path.is_file():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = {}
        other = [f"{key} {found.get(key)!r}" for key in recipe if found.get(key) != recipe[key]]
        if other:
            raise InputError(f"{folder} already holds {held} ({', '.join(other)}): choose another folder.")
    elif any(not entry.name.startswith(".") for entry in folder.iterdir()):  # a lock, or the recipe's unfinished write
        raise InputError(f"{folder} is not empty and was not made by `{command}`: choose another folder.")
    else:
        text = json.dumps(recipe, indent=2) + "\n"
        write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
