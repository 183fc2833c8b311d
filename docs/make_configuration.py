"""Writes docs/configuration.md from the declared keys: python docs/make_configuration.py"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastreid.config import CfgNode, get_cfg

from vreid_common.config import get_vreid_cfg, key_of, leaves, meaning_of

__all__ = ["PAGE", "Source", "find_sources", "make_page"]

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "configuration.md"

_INTRODUCTION = """# Configuration

<!-- Made by docs/make_configuration.py from the declarations of the keys: edit those. -->

A configuration is FastReID's: a YAML file, `_BASE_` naming another one that it changes, and `KEY VALUE` pairs at the end of a
command that change both (`SOLVER.BASE_LR 0.01 TEST.NUM_WORKERS 0`). On the command line a list is quoted, as are texts in it:
`DATASETS.NAMES "['VeRi776']"`.

All of it is checked when it is read, before anything is loaded. An unknown key, a key that a file has twice, a value of another
type or one that the tables below do not allow ends the command with one sentence, which names the file and the line:

    error: configs/mine.yml:12: SOLVER.GAMMA is 10.0: use a number above 0, up to 1.

What goes together (Nesterov's momentum needs a momentum, a batch is a multiple of the processes) is checked as well. Where the
table says "a name in" a registry, that includes the names which the project registers.
"""


class Source(NamedTuple):
    """A declaration of keys: its heading, the file that it stands in, the configuration before and with its keys."""

    title: str
    path: Path
    before: CfgNode
    after: CfgNode

    def groups(self) -> dict[str, list[str]]:
        """The keys that it adds, by their group."""
        present = {name for name, _ in leaves(self.before)}
        found: dict[str, list[str]] = {}
        for name, _ in leaves(self.after):
            if name not in present:
                found.setdefault(name.rpartition(".")[0], []).append(name)
        return found


def find_sources() -> list[Source]:
    """FastReID's keys, vreid_common's, then those of the projects."""
    folder = ROOT / "vreid_common" / "config"
    return [
        Source("FastReID", folder / "fastreid_keys.py", CfgNode(), get_cfg()),
        Source("All projects", folder / "keys.py", get_cfg(), get_vreid_cfg()),
        *_projects(),
    ]


def _projects() -> Iterator[Source]:
    for path in sorted(ROOT.glob("projects/*/*/config.py")):
        package = path.parent.name
        add_config = getattr(importlib.import_module(f"{package}.config"), f"add_{package}_config")
        yield Source(path.parts[-3], path, get_vreid_cfg(), add_config(get_vreid_cfg()))


def make_page() -> str:
    """The text of docs/configuration.md."""
    sections = [_INTRODUCTION]
    for source in find_sources():
        path = source.path.relative_to(ROOT)
        readme = f"; [its README](../projects/{source.title}/README.md)" if path.parts[0] == "projects" else ""
        sections += [f"## {source.title}\n", f"Keys of [{path}](../{path}){readme}.\n"]
        defaults = dict(leaves(source.after))
        sections += [_section(group, names, defaults) for group, names in source.groups().items()]
    return "\n".join(sections)


def _section(group: str, names: list[str], defaults: dict[str, object]) -> str:
    meaning = meaning_of(group)
    lines = [f"### `{group}`" if group else "### Top level", "", *([_markdown(meaning), ""] if meaning else [])]
    lines += ["| key | default | values | |", "|---|---|---|---|"]
    for name in names:
        key = key_of(name)
        cells = (f"`{name.rpartition('.')[2]}`", f"`{defaults[name]!r}`", _markdown(str(key.values)), _markdown(key.meaning))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _markdown(text: str) -> str:
    """Text as Markdown that shows the same characters; what stands in backticks is left as it is."""
    parts = text.split("`")
    for index in range(0, len(parts), 2):
        for sign, shown in (("<", "&lt;"), ("*", "\\*"), ("|", "\\|")):
            parts[index] = parts[index].replace(sign, shown)
    return "`".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
