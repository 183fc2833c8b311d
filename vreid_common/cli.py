"""The ``vreid`` command: each subcommand's arguments and work stand in the module that does it."""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from vreid_common import __version__
from vreid_common.arguments import refuse_empty
from vreid_common.data.check import add_check_arguments, run_check
from vreid_common.engine.commands.browse import add_browse_arguments, run_browse
from vreid_common.engine.commands.compare import add_compare_arguments, run_compare
from vreid_common.engine.commands.export import add_export_arguments, run_export
from vreid_common.engine.commands.gallery import add_gallery_arguments, run_gallery
from vreid_common.engine.commands.report import add_report_arguments, run_report
from vreid_common.engine.commands.search import add_search_arguments, run_search
from vreid_common.engine.extract import add_extract_arguments, run_extract
from vreid_common.engine.translation.command import add_translate_arguments, run_translate
from vreid_common.evaluation.commands.bench import add_bench_arguments, run_bench
from vreid_common.evaluation.commands.check_submission import add_check_submission_arguments, run_check_submission
from vreid_common.evaluation.commands.evaluate import add_evaluate_arguments, run_evaluate
from vreid_common.evaluation.commands.rerank import add_rerank_arguments, run_rerank
from vreid_common.guard import add_debug_argument, guard
from vreid_common.report.command import add_cmc_arguments, run_cmc
from vreid_common.report.rank_list_command import add_rank_list_arguments, run_rank_lists
from vreid_common.study import add_study_arguments, run_study
from vreid_common.synthetic.render import add_render_arguments, run_render

__all__ = ["main"]


class Command(NamedTuple):
    """A subcommand: its name, what it does, what adds its arguments, what runs it, and examples for its --help."""

    name: str
    help_line: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: tuple[str, ...]


COMMANDS: tuple[Command, ...] = (
    Command(
        "render",
        "write rendered vehicles as a data set",
        add_render_arguments,
        run_render,
        ("vreid render datasets/street --layout veri --size demo",),
    ),
    Command(
        "translate",
        "make synthetic images look like real ones (UNIT)",
        add_translate_arguments,
        run_translate,
        (
            "vreid translate train --source StudioVehicles --target StreetVehicles --output logs/unit",
            "vreid translate apply --weights logs/unit/translator.pth --input datasets/VehicleX --output translated/VehicleX",
        ),
    ),
    Command(
        "check-data",
        "say what is missing or inconsistent in a data set's folder",
        add_check_arguments,
        run_check,
        (
            "vreid check-data VeRi776 --root datasets --read-images",
            "vreid check-data CSVVehicles --opts DATASETS.CSV.FILE cars.csv",
        ),
    ),
    Command(
        "extract",
        "write the features of images, by one or several trained models",
        add_extract_arguments,
        run_extract,
        (
            "vreid extract --config-file wcvl_r50.yml --weights model_final.pth --images crops --output features/crops",
            "vreid extract --config-file wcvl_r50.yml --weights model_final.pth --dataset VeRi776 --output features/veri",
            "vreid extract --onnx wcvl.onnx --csv cars.csv --output features/cars",
        ),
    ),
    Command(
        "compare",
        "say how alike two images are, or the images of two folders",
        add_compare_arguments,
        run_compare,
        (
            "vreid compare a.jpg b.jpg --config-file wcvl_r50.yml --weights model_final.pth",
            "vreid compare gate yard --onnx wcvl.onnx --top 3 --json pairs.json",
        ),
    ),
    Command(
        "gallery",
        "make a saved gallery to search in, add images to it and remove them",
        add_gallery_arguments,
        run_gallery,
        (
            "vreid gallery build cars --images crops --config-file wcvl_r50.yml --weights model_final.pth",
            "vreid gallery build cars --features features/cars_gallery --index hnsw --recall 0.99",
            "vreid gallery add cars --images today",
            "vreid gallery remove cars crops/0007.jpg",
            "vreid gallery info cars",
        ),
    ),
    Command(
        "search",
        "find the images of a saved gallery that are nearest to a query",
        add_search_arguments,
        run_search,
        (
            "vreid search cars query.jpg --top 5",
            "vreid search cars queries --rerank k_reciprocal --set k_reciprocal.k1=10 --candidates 200 --json matches.json",
        ),
    ),
    Command(
        "export",
        "write a trained model as an ONNX file or a torch.export program",
        add_export_arguments,
        run_export,
        (
            "vreid export --config-file wcvl_r50.yml --weights model_final.pth --output wcvl.onnx",
            "vreid export --config-file wcvl_r50.yml --weights model_final.pth --output wcvl.pt2 --preprocessing resize "
            "--images crops",
        ),
    ),
    Command(
        "evaluate",
        "print the metrics of feature files",
        add_evaluate_arguments,
        run_evaluate,
        ("vreid evaluate --query features/veri_query --gallery features/veri_gallery --json plain.json",),
    ),
    Command(
        "rerank",
        "re-rank feature files by a list of steps, and evaluate or write the result",
        add_rerank_arguments,
        run_rerank,
        (
            "vreid rerank --query features/veri_query --gallery features/veri_gallery --steps k_reciprocal",
            "vreid rerank --query q.npz --gallery g.npz --steps k_reciprocal --set k_reciprocal.k1=30 --ranking first100.npy",
        ),
    ),
    Command(
        "cmc",
        "draw the CMC curves of several runs in one picture",
        add_cmc_arguments,
        run_cmc,
        ("vreid cmc baseline=logs/main_r50 WCVL=logs/wcvl_r50 --output cmc.png",),
    ),
    Command(
        "rank-lists",
        "draw queries' first gallery images, before and after re-ranking",
        add_rank_list_arguments,
        run_rank_lists,
        ("vreid rank-lists --query q --gallery g --steps k_reciprocal --output lists.png",),
    ),
    Command(
        "report",
        "write what rankings are like as one HTML page: metrics, curves, rank lists, distances, t-SNE, activation maps",
        add_report_arguments,
        run_report,
        (
            "vreid report --query features/veri_query --gallery features/veri_gallery --output report.html",
            "vreid report --query q --gallery g --steps k_reciprocal --config-file wcvl_r50.yml --weights model_final.pth "
            "--output report.html",
        ),
    ),
    Command(
        "browse",
        "search a gallery in the browser: pick a query or upload a picture, filter, re-rank",
        add_browse_arguments,
        run_browse,
        (
            "vreid browse cars",
            "vreid browse --query features/veri_query --gallery features/veri_gallery --steps k_reciprocal",
            "vreid browse --query q --gallery g --pipelines steps.yml --onnx wcvl.onnx --port 8000",
        ),
    ),
    Command(
        "check-submission",
        "say what AI City's server would refuse",
        add_check_submission_arguments,
        run_check_submission,
        ("vreid check-submission track2.txt", "vreid check-submission track2.txt --queries 1103 --gallery 31238"),
    ),
    Command(
        "bench",
        "time evaluation and re-ranking here, beside FastReID's own functions",
        add_bench_arguments,
        run_bench,
        ("vreid bench --queries 1000 --gallery-images 9000", "vreid bench --query f_query --gallery f_gallery --device cuda"),
    ),
    Command(
        "study",
        "run the trainings behind a table and write it into its README",
        add_study_arguments,
        run_study,
        ("vreid study projects/WCVL/studies/main.yml --jobs 2", "vreid study projects/WCVL/studies/main.yml --dry-run"),
    ),
)


class _Help(argparse.RawDescriptionHelpFormatter):
    """argparse's own layout, which wraps texts, except that examples keep their lines."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return super()._fill_text(text, width, indent)
        return argparse.HelpFormatter._fill_text(self, text, width, indent)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vreid", description="Vehicle re-identification on FastReID.")
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name,
            help=command.help_line,
            description=command.help_line[0].upper() + command.help_line[1:] + ".",
            epilog="\n  ".join(["examples:", *command.examples]),
            formatter_class=_Help,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
        add_debug_argument(subparser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Ends the process with the command's status: 0 done, 1 something was found or failed, 2 wrong input, 130 interrupted."""
    with guard():
        args = build_parser().parse_args(argv)
        refuse_empty(sys.argv[1:] if argv is None else argv)
        status = args.run(args)
    raise SystemExit(status)
