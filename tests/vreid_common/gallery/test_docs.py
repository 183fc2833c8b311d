"""The Python in docs/search.md runs as it stands, and the commands there are ones that the parser takes."""

import re
import shlex
from pathlib import Path

import pytest

from vreid_common.cli import build_parser

PAGE = (Path(__file__).parents[3] / "docs" / "search.md").read_text(encoding="utf-8")


def test_the_example_runs(draw, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, more, query = draw(300), draw(20, seed=1, name="h"), draw(4, seed=2)
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    given = {"features": images.features, "pids": images.pids, "paths": images.paths, "more": more, "query": query}
    exec(compile(example, "search.md", "exec"), given)
    assert len(given["gallery"].images) == 317
    assert given["gallery"].index.recall.value >= 0.95
    assert given["indices"].shape == (4, 10)


COMMANDS = re.findall(r"^    vreid (.*)$", PAGE, re.MULTILINE)
COMMANDS += [
    command.replace("FOLDER", "x").replace("FILE", "x").replace(" …", "")
    for command in re.findall(r"^\| `vreid (.*?)` \|", PAGE, re.M)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    build_parser().parse_args(shlex.split(command))


def test_all_commands_of_the_page_are_there():
    assert {command.split()[0] for command in COMMANDS} == {"compare", "gallery", "search"}
    assert len(COMMANDS) == 12
