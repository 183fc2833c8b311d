"""``vreid evaluate``: metrics of feature files."""

from __future__ import annotations

import argparse

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import Inputs, add_input_arguments, read_inputs, read_protocol
from vreid_common.evaluation.commands.outputs import check_folder, print_table, result_record, write_json
from vreid_common.evaluation.protocols import Protocol, ProtocolResult
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import DistanceRows

__all__ = ["add_evaluate_arguments", "evaluate", "run_evaluate"]


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that ``run_evaluate`` takes."""
    add_input_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the metrics, as fractions, with the protocol and versions")


def run_evaluate(args: argparse.Namespace) -> int:
    """Prints the metrics of features as they are, without re-ranking; returns 0.

    Raises:
        InputError: a file is not as it must be, or has no labels.
    """
    check_folder(args.json)
    inputs, protocol = read_inputs(args), read_protocol(args)
    pipeline = Pipeline(metric=args.metric)
    found = evaluate(inputs, pipeline(inputs.query, inputs.gallery).distance, protocol)
    print_table({"features": (pipeline, found)}, protocol)
    if args.json:
        write_json(args.json, args, inputs, protocol, [result_record("features", pipeline, found)])
    return 0


def evaluate(inputs: Inputs, distance: DistanceRows, protocol: Protocol) -> ProtocolResult:
    """The metrics of a distance between the images.

    Raises:
        InputError: there are no labels, or they do not give what the protocol needs.
    """
    if not inputs.labelled:
        raise InputError("The images have no identities to evaluate with: give --labels FILE.csv, or a .npz with pids.")
    return protocol(inputs.query, inputs.gallery, distance)
