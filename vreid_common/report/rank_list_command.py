"""``vreid rank-lists``: some queries' first gallery images, before and after re-ranking, as a picture."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import add_input_arguments, positive, read_inputs, read_protocol
from vreid_common.evaluation.commands.settings import by_step, read_settings
from vreid_common.files import check_writable, write_json
from vreid_common.report.rank_lists import RankList, choose_queries, draw_rank_lists, rank_lists, save_picture
from vreid_common.reranking.pipeline import Pipeline, build_pipeline
from vreid_common.structures import NAMED_LABELS, FeatureSet
from vreid_common.versions import package_versions

__all__ = ["add_rank_list_arguments", "run_rank_lists"]


def add_rank_list_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of ``vreid rank-lists``."""
    add_input_arguments(parser)
    drawn = parser.add_argument_group("picture")
    drawn.add_argument("--steps", default="", metavar="STEP,STEP,...", help="also draw the ranking after these steps")
    drawn.add_argument("--set", nargs="+", default=[], metavar="STEP.NAME=VALUE", help="parameters of the steps")
    drawn.add_argument("--queries", type=positive, default=6, metavar="N", help="how many, at even distances (default: 6)")
    drawn.add_argument("--images", type=positive, default=10, metavar="K", help="gallery images of each (default: 10)")
    drawn.add_argument("--output", required=True, metavar="FILE.png", help="the picture")
    drawn.add_argument("--json", metavar="FILE", help="write the images that are drawn, with their distances")


def run_rank_lists(args: argparse.Namespace) -> int:
    """Executes ``vreid rank-lists``.

    Raises:
        InputError: a file, a step or a parameter is not as it must be.
    """
    check_writable(args.output, args.json)
    if args.set and not args.steps:
        raise InputError("--set goes with --steps.")
    pipelines = [Pipeline(metric=args.metric)]
    if args.steps:
        settings = {key: value for key, (value,) in read_settings("--set", args.set).items()}
        steps = [name.strip() for name in args.steps.split(",")]
        pipelines.append(build_pipeline(steps, args.metric, by_step(settings)))
    inputs = read_inputs(args)
    distances = {str(pipeline): pipeline(inputs.query, inputs.gallery).distance for pipeline in pipelines}
    queries = choose_queries(len(inputs.query), args.queries)
    match = read_protocol(args).match_rule(inputs.query, inputs.gallery)
    lists = rank_lists(inputs.query, inputs.gallery, distances, queries, args.images, match)
    save_picture(draw_rank_lists(lists, inputs.query, inputs.gallery), args.output)
    print(f"{args.output}: {len(queries)} queries, {len(distances)} rankings.")
    if args.json:
        record = {"output": args.output, "protocol": args.protocol, "metric": args.metric}
        drawn = list(_records(lists, inputs.query, inputs.gallery))
        write_json(args.json, {**record, "lists": drawn, "versions": package_versions()})
    return 0


def _records(lists: list[RankList], query: FeatureSet, gallery: FeatureSet) -> Iterator[dict[str, Any]]:
    for entry in lists:
        found = zip(entry.images, entry.distances, entry.correct, strict=True)
        images = [
            {"image": gallery.paths[image], **_names(gallery, image), "distance": distance, "correct": correct}
            for image, distance, correct in found
        ]
        yield {"query": query.paths[entry.query], **_names(query, entry.query), "ranking": entry.name, "images": images}


def _names(images: FeatureSet, row: int) -> dict[str, str | None]:
    return {word: images.name_of(label, row) for label, word in NAMED_LABELS.items()}
