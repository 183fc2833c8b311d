"""``vreid report``: what feature files' rankings are like, as one HTML page."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from vreid_common.engine.model_arguments import add_model_arguments, read_models
from vreid_common.engine.placement import share_cores
from vreid_common.engine.seeding import use_repeatable_kernels
from vreid_common.engine.trained_model import TrainedModel
from vreid_common.errors import InputError
from vreid_common.evaluation.commands.evaluate import check_labelled
from vreid_common.evaluation.commands.inputs import Inputs, add_input_arguments, positive, read_inputs, read_protocol
from vreid_common.evaluation.commands.outputs import check_outputs, print_table, result_record, write_json
from vreid_common.evaluation.commands.pipelines import add_pipeline_arguments, read_pipelines
from vreid_common.evaluation.protocols import Protocol
from vreid_common.report.activation_pairs import Looker, choose_pairs, draw_pairs
from vreid_common.report.analysis import Amounts, analyse
from vreid_common.report.page import Page, now, write_page
from vreid_common.report.ranking import Ranking
from vreid_common.report.record import analysis_record

__all__ = ["add_report_arguments", "run_report"]


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid report``."""
    add_input_arguments(parser)
    add_pipeline_arguments(parser, required=False)
    models = add_model_arguments(parser, required=False)
    models.description = "Models to draw activation maps of; without any the page has none."
    page = parser.add_argument_group("page")
    page.add_argument("--output", required=True, metavar="FILE.html", help="the page, with all its pictures in it")
    page.add_argument("--title", default="", metavar="TEXT", help="its head line (default: the gallery file's name)")
    page.add_argument(
        "--queries",
        type=positive,
        default=6,
        metavar="N",
        help="how many best, worst and random queries each (default: %(default)s)",
    )
    page.add_argument("--images", type=positive, default=10, metavar="K", help="gallery images of each (default: %(default)s)")
    page.add_argument(
        "--points", type=positive, default=1000, metavar="N", help="images laid out by t-SNE at most (default: %(default)s)"
    )
    page.add_argument(
        "--maps", type=positive, default=6, metavar="N", help="pairs with activation maps, with models (default: %(default)s)"
    )
    page.add_argument("--seed", type=int, default=0, help="of what is drawn at random (default: %(default)s)")
    page.add_argument("--json", metavar="FILE", help="write the numbers, with the protocol and versions")


def run_report(args: argparse.Namespace) -> int:
    """Writes the page and prints the metrics; returns 0.

    Raises:
        InputError: a file, a step, a parameter or a model is not as it must be.
    """
    if not args.output.endswith((".html", ".htm")):
        raise InputError(f"--output {args.output}: end the name of a page in .html.")
    if args.seed < 0:
        raise InputError(f"--seed is {args.seed}: use 0 or more.")
    check_outputs(args, [args.output, args.json])
    share_cores(1)
    pipelines, models = read_pipelines(args), read_models(args)
    inputs, protocol = read_inputs(args), read_protocol(args)
    if inputs.labelled:
        check_labelled(inputs)
    rankings = [Ranking(name, pipeline, inputs.query, inputs.gallery, inputs.further) for name, pipeline in pipelines.items()]
    analysis = analyse(rankings, protocol, Amounts(args.queries, args.images, args.points, args.seed))
    names = _names(args, models)
    lookers = [_looker(name, model) for name, model in zip(names, models, strict=True)]
    pairs = choose_pairs(analysis, args.maps) if lookers else []
    page = Page(
        title=args.title or Path(args.gallery).name,
        analysis=analysis,
        written=now(),
        settings=_settings(args, inputs, protocol),
        configs={name: model.cfg.dump() for name, model in zip(names, models, strict=True)},
        activations=draw_pairs(lookers, analysis.query, analysis.gallery, pairs),
    )
    size = write_page(page, args.output)
    results = {one.name: (pipelines[one.name], one.found) for one in analysis.rankings}
    if analysis.labelled:
        print_table({name: (pipeline, found) for name, (pipeline, found) in results.items() if found}, protocol)
    else:
        print("The images have no identities: nothing was evaluated.")
    print(f"{args.output}: {size / 2**20:.1f} MB.")
    if args.json:
        records = [result_record(name, *result) for name, result in results.items()]
        write_json(args.json, args, inputs, protocol, records, report=analysis_record(analysis))
    return 0


def _looker(name: str, model: TrainedModel) -> Looker:
    model.trainer.check_config(model.cfg, training=False)
    use_repeatable_kernels(model.cfg)
    return Looker(name, model.build(), model.cfg)


def _names(args: argparse.Namespace, models: list[TrainedModel]) -> list[str]:
    """The configurations' names, with the checkpoints' where these are needed to tell models apart."""
    files = args.config_file * (len(models) if len(args.config_file) == 1 else 1)
    stems = [Path(file).stem for file in files]
    shared = Counter(stems)
    return [
        stem if shared[stem] == 1 else f"{stem}, {model.cfg.MODEL.WEIGHTS}" for stem, model in zip(stems, models, strict=True)
    ]


def _settings(args: argparse.Namespace, inputs: Inputs, protocol: Protocol) -> dict[str, str]:
    chosen = {
        "queries": f"{args.query}, {len(inputs.query):,} images",
        "gallery": f"{args.gallery}, {len(inputs.gallery):,} images",
        "labels": args.labels,
        "further features": ", ".join(name for name, *_ in args.further or ()),
        "checkpoints": ", ".join(args.weights),
        "protocol": f"{args.protocol}: {protocol.description}",
        "metric": args.metric,
        "features": f"{inputs.query.features.shape[1]} dimensions",
    }
    return {name: value for name, value in chosen.items() if value}
