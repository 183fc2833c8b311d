"""The README's table of commands has every command of ``vreid``, and pages that are there."""

import re
from pathlib import Path

from vreid_common.cli import COMMANDS

ROOT = Path(__file__).parent.parent


def test_the_table_of_commands():
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("## Commands")[1].split("\n\n")[0]
    assert re.findall(r"^\| `vreid (\S+)", table, re.MULTILINE) == [name for name, *_ in COMMANDS]


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []
