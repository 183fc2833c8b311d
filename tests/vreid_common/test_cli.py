"""``vreid``: its commands' examples are commands, and its help shows them."""

import shlex

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


def test_no_command_and_an_unknown_one(capsys):
    for arguments in ([], ["exstract"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
    assert "invalid choice: 'exstract'" in capsys.readouterr().err
