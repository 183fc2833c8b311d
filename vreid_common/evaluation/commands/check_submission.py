"""``vreid check-submission``: whether AI City's server can take a ``track2.txt``."""

from __future__ import annotations

import argparse

from vreid_common.evaluation.commands.inputs import positive
from vreid_common.evaluation.submission_check import check_aicity_submission
from vreid_common.files import check_writable, write_json
from vreid_common.repeated import add_limit_argument, shortened

__all__ = ["add_check_submission_arguments", "run_check_submission"]


def add_check_submission_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid check-submission``."""
    parser.add_argument("file", metavar="track2.txt", help="the submission")
    parser.add_argument("--queries", type=positive, default=1052, metavar="N", help="query images (default: CityFlow's 1052)")
    parser.add_argument(
        "--gallery", type=positive, default=18290, metavar="N", help="gallery images (default: CityFlow's 18290)"
    )
    add_limit_argument(parser)
    parser.add_argument("--json", metavar="FILE", help="write the faults")


def run_check_submission(args: argparse.Namespace) -> int:
    """Prints the faults, a line each and few of those that repeat, and returns 1, or says that there is none and returns 0.

    Raises:
        InputError: the file cannot be read.
    """
    check_writable(args.json)
    faults = check_aicity_submission(args.file, args.queries, args.gallery)
    if args.json:
        write_json(args.json, {"file": args.file, "queries": args.queries, "gallery": args.gallery, "faults": faults})
    for line in shortened((f"{args.file}, {fault}" for fault in faults), args.limit):
        print(line)
    if not faults:
        print(f"{args.file}: {args.queries} lines of {min(100, args.gallery)} different gallery images each, nothing is wrong.")
    return 1 if faults else 0
