"""A YAML file of keys as assignments, each with its line; ``_BASE_`` names a file whose assignments come first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from fastreid.config.config import BASE_KEY

from vreid_common.config.written import shown
from vreid_common.errors import InputError

__all__ = ["GROUP", "Assignment", "read_assignments", "written_values"]

GROUP = object()
"""The value of a key that only holds others."""

# More than any configuration has; aliases of aliases make billions of a few lines.
_MOST_NODES = 100_000


class Assignment(NamedTuple):
    """``key`` gets ``value`` at ``where``, a file and its line."""

    key: str
    value: Any
    where: str


def read_assignments(file: str, _chain: tuple[str, ...] = ()) -> list[Assignment]:
    """What a file assigns, in order, that of the files it is based on first.

    Raises:
        InputError: the file cannot be read, is no YAML or not made of KEY: VALUE; a key stands twice; an alias holds itself;
            ``_BASE_`` names a file that is not there, or one that is based on this one.
    """
    root = _compose(file, _chain)
    if os.path.realpath(file) in map(os.path.realpath, _chain):
        raise InputError(f"{_chain[-1]}: _BASE_ goes in a circle: {' -> '.join([*_chain, file])}.")
    if not isinstance(root, yaml.MappingNode):
        raise InputError(f"{file} is empty or is not made of KEY: VALUE.")
    _refuse_recursion(root, file)
    reader = _Reader(file)
    own = list(reader.assignments(root, ""))
    base = next((entry for entry in own if entry.key == BASE_KEY), None)
    if base is None:
        return own
    if not isinstance(base.value, str) or not base.value:
        raise InputError(f"{base.where}: {BASE_KEY} is {shown(base.value)}: name one file.")
    below = read_assignments(_base_path(file, base.value), (*_chain, file))
    return [*below, *(entry for entry in own if entry is not base)]


def written_values(file: str) -> dict[str, Any]:
    """Dotted keys and their values as ``read_assignments`` gives them, the last one where several files assign one.

    Raises:
        InputError: as ``read_assignments`` says.
    """
    return {key: value for key, value, _ in read_assignments(file) if value is not GROUP}


def _compose(file: str, chain: tuple[str, ...]) -> yaml.Node | None:
    """The file's tree of nodes, which know their lines."""
    said = f"{chain[-1]}: {BASE_KEY} names {file}" if chain else f"--config-file {file}"
    if chain and file.startswith(("http://", "https://")):
        raise InputError(f"{said}, but nothing is fetched: save that file beside this one and name it.")
    try:
        if chain and Path(file).exists() and not Path(file).is_file():  # a device or a pipe may have no end
            raise IsADirectoryError
        return yaml.compose(Path(file).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError as error:
        raise InputError(f"{said}{',' if chain else ''} {'which ' if chain else ''}does not exist.") from error
    except IsADirectoryError as error:
        raise InputError(f"{said}{',' if chain else ''} {'which ' if chain else ''}does not exist as a file.") from error
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise InputError(f"{file} is not text in UTF-8.") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{file}{line}: this is not YAML: {error.problem or error.context}.") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"{said} cannot be read: {error}.") from error
    except RecursionError as error:
        raise InputError(f"{file} is nested too deeply.") from error


def _base_path(file: str, base: str) -> str:
    base = os.path.expanduser(base) if base.startswith("~") else base  # noqa: PTH111 - a name, which may be a URL
    if base.startswith(("/", "https://", "http://")):
        return base
    return os.path.normpath(Path(file).parent / base)


def _refuse_recursion(root: yaml.Node, file: str) -> None:
    """An alias inside of what it stands for makes a value that holds itself; aliases of aliases make endless ones."""
    seen = 0
    open_nodes: set[int] = set()

    def visit(node: yaml.Node) -> None:
        nonlocal seen
        seen += 1
        if seen > _MOST_NODES:
            raise InputError(f"{file} has more than {_MOST_NODES} values, counting each alias: no configuration needs them.")
        if id(node) in open_nodes:
            raise InputError(f"{file}:{node.start_mark.line + 1}: the value that an anchor names holds itself.")
        if isinstance(node, yaml.CollectionNode):
            open_nodes.add(id(node))
            for child in node.value:
                for part in child if isinstance(child, tuple) else (child,):
                    visit(part)
            open_nodes.remove(id(node))

    visit(root)


class _Reader:
    """Values of one file's nodes, by PyYAML's safe rules."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.constructor = yaml.constructor.SafeConstructor()

    def assignments(self, node: yaml.MappingNode, prefix: str) -> Iterator[Assignment]:
        self._refuse_duplicates(node, prefix)
        self.constructor.flatten_mapping(node)  # `<<: *anchor`, whose keys come before the node's own
        for name_node, value_node in node.value:
            key = f"{prefix}{name_node.value}"
            if isinstance(value_node, yaml.MappingNode):
                yield Assignment(key, GROUP, self._where(name_node))
                yield from self.assignments(value_node, f"{key}.")
            else:
                yield Assignment(key, self._value(value_node), self._where(value_node))

    def _refuse_duplicates(self, node: yaml.MappingNode, prefix: str) -> None:
        first: dict[str, yaml.Node] = {}
        for name_node, _ in node.value:
            if not isinstance(name_node, yaml.ScalarNode):
                raise InputError(f"{self._where(name_node)}: a key is a name, not a list or a group.")
            other = first.setdefault(name_node.value, name_node)
            if other is not name_node:
                line = other.start_mark.line + 1
                raise InputError(
                    f"{self._where(name_node)}: {prefix}{name_node.value} is written twice, in line {line} too: "
                    "the first would be lost, so put both together."
                )

    def _value(self, node: yaml.Node) -> Any:
        try:
            return self.constructor.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:  # a tag, or 2026-99-99, which looks like a date
            problem = getattr(error, "problem", None) or str(error)
            raise InputError(f"{self._where(node)}: this value cannot be read: {problem}.") from error

    def _where(self, node: yaml.Node) -> str:
        return f"{self.file}:{node.start_mark.line + 1}"
