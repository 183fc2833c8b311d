"""``vreid``: its commands' examples are commands, and its help shows them."""

import argparse
import shlex
from collections.abc import Iterator

import pytest

from vreid_common.cli import COMMANDS, build_parser, main

EXAMPLES = [example for command in COMMANDS for example in command.examples]


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_is_a_command(example):
    program, *arguments = shlex.split(example)
    assert program == "vreid"
    assert build_parser().parse_args(arguments).run


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_help_has_the_examples_of_the_command(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert command.examples
    assert all(example.split()[1] == command.name and f"\n  {example}\n" in text for example in command.examples)


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of the commands, or of their actions where they have some."""
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for child in actions[0].choices.values() if actions else ():
        yield from _leaves(child)
    if not actions:
        yield parser


def test_every_command_writes_its_results_as_json():
    lacking = [parser.prog for parser in _leaves(build_parser()) if "--json" not in parser._option_string_actions]
    assert [prog for prog in lacking if prog != "vreid browse"] == [], "browse shows pages until it is stopped"


def test_no_command_and_an_unknown_one(capsys):
    for arguments in ([], ["exstract"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "invalid choice: 'exstract'" in capsys.readouterr().err
