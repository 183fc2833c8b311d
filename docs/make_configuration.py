"""Writes docs/configuration.md from the config.py files: python docs/make_configuration.py

The comment above a key is its explanation. One above a node (``cfg.X = CfgNode()``) explains the node, and its keys where none
of them has a comment of its own.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from vreid_common.config import CfgNode, get_vreid_cfg

__all__ = ["PAGE", "Key", "Node", "Source", "find_sources", "make_page", "read_nodes"]

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "configuration.md"

_INTRODUCTION = """# Configuration

<!-- Made by docs/make_configuration.py from the comments in the config.py files: edit those. -->

A configuration is FastReID's: a YAML file, `_BASE_` naming another one that it changes, and `KEY VALUE` pairs at the end of a
command that change both (`SOLVER.BASE_LR 0.01 TEST.NUM_WORKERS 0`). A key that is not known is refused. FastReID's own keys are
explained in [its defaults.py](https://github.com/JDAI-CV/fast-reid/blob/master/fastreid/config/defaults.py); here are the keys
added to them.
"""


class Key(NamedTuple):
    """A key of a node; ``explanation`` is "" where the node's is meant."""

    name: str
    default: Any
    explanation: str


class Node(NamedTuple):
    """The keys that a file adds to one node, and what the comment above the node says."""

    path: str
    explanation: str
    keys: list[Key]

    def unexplained(self) -> list[str]:
        """Keys without a comment, unless the node's comment is the only one."""
        if self.explanation and not any(key.explanation for key in self.keys):
            return []
        return [".".join(filter(None, [self.path, key.name])) for key in self.keys if not key.explanation]


class Source(NamedTuple):
    """A config.py: who reads its keys, and the module."""

    title: str
    path: Path
    module: str

    def config(self) -> CfgNode:
        """Defaults with the keys of this file."""
        cfg = get_vreid_cfg()
        package = self.module.partition(".")[0]
        if package != "vreid_common":
            getattr(importlib.import_module(self.module), f"add_{package}_config")(cfg)
        return cfg


def find_sources() -> list[Source]:
    """vreid_common's config.py, then those of the projects."""
    projects = [
        Source(path.parts[-3], path, f"{path.parent.name}.config") for path in sorted(ROOT.glob("projects/*/*/config.py"))
    ]
    return [Source("All projects", ROOT / "vreid_common" / "config.py", "vreid_common.config"), *projects]


def read_nodes(source: Source) -> list[Node]:
    """The nodes that have keys, in the order of the file."""
    lines = source.path.read_text(encoding="utf-8").splitlines()
    cfg = source.config()
    nodes: dict[str, Node] = {}
    for path, line in _assignments(ast.parse("\n".join(lines))):
        value = cfg
        for name in path.split("."):
            value = value[name]
        parent, _, name = path.rpartition(".")
        if isinstance(value, CfgNode):
            nodes[path] = Node(path, _comment_above(lines, line), [])
        else:
            node = nodes.setdefault(parent, Node(parent, "", []))
            node.keys.append(Key(name, value, _comment_above(lines, line)))
    return [node for node in nodes.values() if node.keys]


def make_page() -> str:
    """The text of docs/configuration.md."""
    sections = [_INTRODUCTION]
    for source in find_sources():
        path = source.path.relative_to(ROOT)
        readme = f"; [its README](../projects/{source.title}/README.md)" if path.parts[0] == "projects" else ""
        sections += [f"## {source.title}\n", f"Keys of [{path}](../{path}){readme}.\n"]
        sections += [_section(node) for node in read_nodes(source)]
    return "\n".join(sections)


def _assignments(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """(dotted key, line) of each ``cfg.A.B = ...``, whichever node a function has been given as its ``cfg``."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    given: dict[str, str] = {}
    for function in functions:
        prefix = given.get(function.name, "")
        for statement in function.body:
            match statement:
                case ast.Assign(targets=[ast.Attribute() as target]):
                    yield prefix + _dotted(target), statement.lineno
                case ast.Expr(value=ast.Call(func=ast.Name(id=called), args=[ast.Attribute() as node])):
                    given[called] = prefix + _dotted(node) + "."


def _dotted(node: ast.Attribute) -> str:
    return ast.unparse(node).partition(".")[2]


def _comment_above(lines: list[str], line: int) -> str:
    first = line - 1
    while lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return " ".join(text.lstrip().removeprefix("#").strip() for text in lines[first : line - 1])


def _section(node: Node) -> str:
    own = any(key.explanation for key in node.keys)
    table = ["| key | default | |", "|---|---|---|"] if own else ["| key | default |", "|---|---|"]
    for key in node.keys:
        cells = [f"`{key.name}`", f"`{key.default!r}`", *([_markdown(key.explanation)] if own else [])]
        table.append("| " + " | ".join(cells) + " |")
    heading = f"### `{node.path}`" if node.path else "### Top level"
    explanation = [_markdown(node.explanation), ""] if node.explanation else []
    return "\n".join([heading, "", *explanation, *table, ""])


def _markdown(text: str) -> str:
    """A comment as Markdown that shows the same characters; what stands in backticks is left as it is."""
    parts = text.split("`")
    for index in range(0, len(parts), 2):
        for sign, shown in (("<", "&lt;"), ("*", "\\*"), ("|", "\\|")):
            parts[index] = parts[index].replace(sign, shown)
    return "`".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
