"""Writes docs/commands.md from the parsers of the commands: python docs/make_commands.py"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from vreid_common.cli import COMMANDS, build_parser
from vreid_common.engine.main import build_parser as build_train_parser
from vreid_common.guard import DebugAction

__all__ = ["PAGE", "make_page"]

PAGE = Path(__file__).parent / "commands.md"

_INTRODUCTION = """# Commands

<!-- Made by docs/make_commands.py from the commands' parsers: edit those. -->

`vreid COMMAND --help` shows the same. A command ends with status 0 if it is done, 1 if something was found or failed, 2 if its
input is wrong, 130 if it was interrupted, and 141 if the program that it writes to, such as `head`, has gone.

Whatever goes wrong, it says so in one sentence. Where that is not all that there is to say, the sentence names a file with the
traceback, which lies in OUTPUT_DIR or among the system's temporary files. `--debug`, which every command has, prints the
traceback in its place; so does the environment variable `VREID_DEBUG=1`.
"""


def make_page() -> str:
    """The text of docs/commands.md."""
    parsers = _subparsers(build_parser())
    sections = [_INTRODUCTION]
    for command in COMMANDS:
        parser = parsers[command.name]
        examples = "\n".join(f"    {example}" for example in command.examples)
        sections += [f"## vreid {command.name}\n", f"{parser.description}\n", f"{examples}\n", *_arguments(parser)]
        for name, part in _subparsers(parser).items():
            sections += [f"### vreid {command.name} {name}\n", *filter(None, [part.description and f"{part.description}\n"])]
            sections += _arguments(part)
    train = build_train_parser()
    sections += ["## train_net.py\n", f"Each project's own. {train.description}\n", *_arguments(train)]
    return "\n".join(sections)


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    actions = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(actions[0].choices) if actions else {}


def _arguments(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A table of a parser's own arguments, if it has any."""
    of_all = (argparse._HelpAction, argparse._SubParsersAction, DebugAction)  # every command has them
    actions = [action for action in parser._actions if not isinstance(action, of_all) and action.help != argparse.SUPPRESS]
    if actions:
        rows = [f"| `{_call(action)}` | {_explanation(parser, action)} |" for action in actions]
        yield "\n".join(["| argument | |", "|---|---|", *rows, ""])


def _call(action: argparse.Action) -> str:
    """The argument as it is written: ``--top N``."""
    values = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper())
    values = " ".join(values) if isinstance(values, tuple) else values
    if not action.option_strings:
        return action.metavar if isinstance(action.metavar, str) else action.dest
    return ", ".join(action.option_strings) + (f" {values}" if action.nargs != 0 else "")


def _explanation(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    text = " ".join(text.split()).replace("<", "&lt;").replace("*", "\\*").replace("|", "\\|")
    return f"{text} (required)" if action.required and action.option_strings else text


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
