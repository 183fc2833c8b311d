"""``vreid cmc``: the CMC curves of several runs in one picture."""

from __future__ import annotations

import argparse

from vreid_common.errors import InputError
from vreid_common.files import check_writable, write_json
from vreid_common.report.cmc import draw_cmc
from vreid_common.report.curves import read_curve
from vreid_common.report.figures import save_figure

__all__ = ["add_cmc_arguments", "run_cmc"]


def add_cmc_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid cmc``."""
    parser.add_argument(
        "curves", nargs="+", metavar="NAME=PATH",
        help="a line: its name, and a run's folder, its cmc.json, or the JSON file of vreid evaluate or vreid rerank",
    )  # fmt: skip
    parser.add_argument("--output", required=True, metavar="FILE", help="the picture, e.g. cmc.png or cmc.pdf")
    parser.add_argument("--dataset", default="", metavar="NAME", help="test set, where runs have several")
    parser.add_argument(
        "--feature", default="", metavar="NAME", help="feature, or feature/subset, e.g. main/2400 (default: the first)"
    )
    parser.add_argument("--title", default="", metavar="TEXT", help="stands above the picture")
    parser.add_argument("--max-rank", type=int, default=20, metavar="K", help="the last rank shown (default: 20)")
    parser.add_argument("--json", metavar="FILE", help="write the curves, as fractions from rank 1 on")


def run_cmc(args: argparse.Namespace) -> int:
    """Executes ``vreid cmc``.

    Raises:
        InputError: an argument or a file is not as it must be.
    """
    check_writable(args.output, args.json)
    curves = {}
    for text in args.curves:
        name, equals, path = text.partition("=")
        if not equals or name in curves:
            raise InputError(f"{text!r}: give each curve as NAME=PATH, with a name of its own.")
        curves[name] = read_curve(path, args.dataset, args.feature)
    save_figure(draw_cmc(curves, title=args.title, max_rank=args.max_rank), args.output)
    print(f"{args.output}: " + ", ".join(f"{name} {100 * curve[0]:.1f}" for name, curve in curves.items()) + " % at rank 1.")
    if args.json:
        write_json(args.json, {"output": args.output, "curves": {name: list(c[: args.max_rank]) for name, c in curves.items()}})
    return 0
