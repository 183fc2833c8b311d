"""docs/translation.md: its commands can be given, and its table of options says what the defaults are."""

import re
import shlex
from pathlib import Path

import pytest

from vreid_common.cli import build_parser

PAGE = (Path(__file__).parents[4] / "docs" / "translation.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:^    .*\n)+", PAGE, re.MULTILINE)
COMMANDS = [
    line.strip()
    for block in BLOCKS
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip().startswith("vreid translate")
]


def test_commands_are_there():
    assert {command.split()[2] for command in COMMANDS} == {"train", "apply", "compare"}


@pytest.mark.parametrize("number", range(len(COMMANDS)))
def test_commands_can_be_given(number):
    assert build_parser().parse_args(shlex.split(COMMANDS[number])[1:]).act


def test_defaults():
    """The options of each row have the defaults that its last column says, or its second for "the paper's"."""
    args = build_parser().parse_args(["translate", "train", "--source", "a", "--target", "b", "--output", "c"])
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| `--.*", PAGE, re.MULTILINE)]
    checked = 0
    for options, paper, default in rows:
        names = re.findall(r"`-+([a-z0-9-]+)`", options)
        if "discriminator-width" in names:
            names = [names[0], *(f"discriminator-{name}" for name in names[1:])]
        if "…" in options:
            names = [f"lambda{number}" for number in range(5)]
        values = re.findall(r"\d+(?:\.\d+)?(?:e-\d+)?", (paper if default == "the paper's" else default).replace(",000", "000"))
        for name, value in zip(names, values, strict=False):
            given = getattr(args, name.replace("-", "_"))
            assert (given[0] if isinstance(given, tuple) else given) == float(value), name
            checked += 1
    assert checked == 17
