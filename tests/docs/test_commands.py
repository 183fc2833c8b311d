"""docs/commands.md: made from the parsers of the commands."""

import argparse

from vreid_common.cli import COMMANDS


def test_page_is_the_one_made_from_the_parsers(make_commands):
    assert make_commands.PAGE.read_text(encoding="utf-8") == make_commands.make_page(), "run python docs/make_commands.py"


def test_every_command_has_its_section(make_commands):
    page = make_commands.make_page()
    for command in COMMANDS:
        assert f"\n## vreid {command.name}\n" in page
        assert all(f"    {example}\n" in page for example in command.examples)
    assert "\n### vreid translate apply\n" in page
    assert "| `--config-file FILE` | configuration (YAML) |" in page


def test_arguments_are_shown_as_they_are_written(make_commands):
    parser = argparse.ArgumentParser()
    parser.add_argument("place", metavar="FOLDER", help="a folder <or file>")
    parser.add_argument("--top", type=int, default=5, metavar="N", help="so many (default: %(default)s)")
    parser.add_argument("--kind", choices=("a", "b"), required=True, help="a|b")
    parser.add_argument("--flag", "-f", action="store_true", help="on")
    parser.add_argument("--hidden", help=argparse.SUPPRESS)
    (table,) = make_commands._arguments(parser)
    assert table.splitlines()[2:] == [
        "| `FOLDER` | a folder &lt;or file> |",
        "| `--top N` | so many (default: 5) |",
        "| `--kind {a,b}` | a\\|b (required) |",
        "| `--flag, -f` | on |",
    ]
