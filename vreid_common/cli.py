"""The ``vreid`` command: each subcommand's arguments and work stand in the module that does it."""

import argparse
import sys
from collections.abc import Callable, Sequence

from vreid_common import __version__
from vreid_common.data.check import add_check_arguments, run_check
from vreid_common.engine.extract import add_extract_arguments, run_extract
from vreid_common.engine.translation.command import add_translate_arguments, run_translate
from vreid_common.errors import InputError
from vreid_common.evaluation.commands.check_submission import add_check_submission_arguments, run_check_submission
from vreid_common.evaluation.commands.evaluate import add_evaluate_arguments, run_evaluate
from vreid_common.evaluation.commands.rerank import add_rerank_arguments, run_rerank
from vreid_common.report.command import add_cmc_arguments, run_cmc
from vreid_common.report.rank_list_command import add_rank_list_arguments, run_rank_lists
from vreid_common.study import add_study_arguments, run_study
from vreid_common.synthetic.render import add_render_arguments, run_render

__all__ = ["main"]

Command = tuple[str, str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]

COMMANDS: tuple[Command, ...] = (
    ("render", "write rendered vehicles as a data set", add_render_arguments, run_render),
    ("translate", "make synthetic images look like real ones (UNIT)", add_translate_arguments, run_translate),
    ("check-data", "say what is missing or inconsistent in a data set's folder", add_check_arguments, run_check),
    ("extract", "write the features of images, by one or several trained models", add_extract_arguments, run_extract),
    ("evaluate", "print the metrics of feature files", add_evaluate_arguments, run_evaluate),
    ("rerank", "re-rank feature files by a list of steps, and evaluate or write the result", add_rerank_arguments, run_rerank),
    ("cmc", "draw the CMC curves of several runs in one picture", add_cmc_arguments, run_cmc),
    ("rank-lists", "draw queries' first gallery images, before and after re-ranking", add_rank_list_arguments, run_rank_lists),
    ("check-submission", "say what AI City's server would refuse", add_check_submission_arguments, run_check_submission),
    ("study", "run the trainings behind a table and write it into its README", add_study_arguments, run_study),
)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vreid", description="Vehicle re-identification on FastReID.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_line, add_arguments, run in COMMANDS:
        subparser = subparsers.add_parser(name, help=help_line, description=help_line[0].upper() + help_line[1:] + ".")
        add_arguments(subparser)
        subparser.set_defaults(run=run)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Ends the process with the command's status: 0 done, 1 something was found or failed, 2 wrong input, 130 interrupted."""
    args = build_parser().parse_args(argv)
    try:
        status = args.run(args)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        status = 130
    raise SystemExit(status)
