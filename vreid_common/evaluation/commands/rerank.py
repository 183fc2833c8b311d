"""``vreid rerank``: re-ranking of feature files by any pipelines of steps."""

from __future__ import annotations

import argparse

import torch.distributed as dist

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.evaluate import evaluate
from vreid_common.evaluation.commands.inputs import Inputs, add_input_arguments, positive, read_inputs, read_protocol
from vreid_common.evaluation.commands.outputs import (
    check_outputs,
    print_table,
    result_record,
    write_distance,
    write_json,
    write_ranking,
)
from vreid_common.evaluation.commands.pipelines import add_pipeline_arguments, read_pipelines, split_steps
from vreid_common.evaluation.commands.validate import run_validation
from vreid_common.evaluation.protocols import Protocol, ProtocolResult
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.evaluation.submission import SUBMISSION_RANKS, write_aicity_submission
from vreid_common.processes import Processes, torchrun_group
from vreid_common.reranking.pipeline import Pipeline

__all__ = ["add_rerank_arguments", "run_rerank"]


def add_rerank_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that ``run_rerank`` takes."""
    add_input_arguments(parser)
    steps = add_pipeline_arguments(parser)
    steps.add_argument(
        "--validate",
        action="store_true",
        help="choose parameters: evaluate --steps for every combination of --grid, on the images of a validation split",
    )
    steps.add_argument(
        "--grid",
        nargs="+",
        default=[],
        metavar="STEP.NAME=V,V,...",
        help="values that --validate tries (default: k1, k2 and lambda_value of k_reciprocal)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--json", metavar="FILE", help="write the metrics, as fractions, with all parameters and versions")
    output.add_argument("--distance", metavar="FILE.npy", help="write the re-ranked distance, queries x gallery, float32")
    output.add_argument("--ranking", metavar="FILE.npy", help="write the indices of each query's first gallery images")
    output.add_argument(
        "--submission",
        metavar="track2.txt",
        help="write the first 100 gallery images of each query, as AI City's server takes them",
    )
    output.add_argument(
        "--ranking-size", type=positive, default=100, metavar="K", help="how many images --ranking names (default: %(default)s)"
    )


def run_rerank(args: argparse.Namespace) -> int:
    """Re-ranks, evaluates where there are labels, and writes what is asked for; returns 0.

    Raises:
        InputError: a file, a step or a parameter is not as it must be.
    """
    _check_together(args)
    with torchrun_group() as group:
        return _run(args, group)


def _run(args: argparse.Namespace, group: dist.ProcessGroup | None) -> int:
    is_main = not Processes(group).rank
    check_outputs(args, [args.json, args.distance, args.ranking, args.submission])
    if args.validate:
        return run_validation(args, split_steps(args.steps), read_inputs(args), read_protocol(args, group))
    pipelines = read_pipelines(args)
    inputs, protocol = read_inputs(args), read_protocol(args, group)
    if not inputs.labelled and not _outputs(args):
        raise InputError(
            "The images have no identities to evaluate with: give --labels, or ask for --distance, --ranking or --submission."
        )
    results = {name: _apply(args, pipeline, inputs, protocol) for name, pipeline in pipelines.items()}
    if not is_main:
        return 0
    evaluated = {name: (pipelines[name], found) for name, found in results.items() if found is not None}
    if evaluated:
        print_table(evaluated, protocol)
    else:
        print("The images have no identities: nothing was evaluated.")
    if args.json:
        records = [result_record(name, pipelines[name], found) for name, found in results.items()]
        write_json(args.json, args, inputs, protocol, records)
    return 0


def _check_together(args: argparse.Namespace) -> None:
    if args.pipelines and (args.set or args.validate):
        raise InputError("--set and --validate go with --steps: --pipelines has the parameters in its file.")
    if args.pipelines and _outputs(args):
        raise InputError(f"{_outputs(args)[0]} is that of one pipeline: give its --steps instead of --pipelines.")
    if args.validate and _outputs(args):
        raise InputError(f"--validate only chooses parameters: write {_outputs(args)[0]} with the chosen ones.")
    if args.grid and not args.validate:
        raise InputError("--grid goes with --validate.")


def _outputs(args: argparse.Namespace) -> list[str]:
    """The options that ask for files of one re-ranking."""
    return [f"--{name}" for name in ("distance", "ranking", "submission") if getattr(args, name)]


def _apply(args: argparse.Namespace, pipeline: Pipeline, inputs: Inputs, protocol: Protocol) -> ProtocolResult | None:
    """Evaluates a pipeline where there are labels, and writes what is asked for where it is the one of --steps."""
    distance = None
    if args.steps and pipeline.steps and _outputs(args):
        distance = pipeline(inputs.query, inputs.gallery, inputs.further, protocol.group).distance
        is_main = not Processes(protocol.group).rank
        if args.distance and is_main:
            write_distance(args.distance, distance)
        if args.ranking and is_main:
            write_ranking(args.ranking, distance, args.ranking_size)
        if args.submission and is_main:
            write_aicity_submission(rank_list(distance, SUBMISSION_RANKS), args.submission)
    return evaluate(inputs, pipeline, protocol, distance) if inputs.labelled else None
