"""``vreid evaluate``: metrics of feature files."""

from __future__ import annotations

import argparse

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.inputs import Inputs, add_input_arguments, read_inputs, read_protocol
from vreid_common.evaluation.commands.outputs import check_outputs, print_table, result_record, write_json
from vreid_common.evaluation.places import NotANumber
from vreid_common.evaluation.protocols import Protocol, ProtocolResult, apply_protocol
from vreid_common.processes import Processes, torchrun_group
from vreid_common.reranking.pipeline import Pipeline
from vreid_common.structures import DistanceRows

__all__ = ["add_evaluate_arguments", "check_labelled", "evaluate", "run_evaluate"]


def add_evaluate_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that ``run_evaluate`` takes."""
    add_input_arguments(parser)
    parser.add_argument("--json", metavar="FILE", help="write the metrics, as fractions, with the protocol and versions")


def run_evaluate(args: argparse.Namespace) -> int:
    """Prints the metrics of features as they are, without re-ranking; returns 0.

    Raises:
        InputError: a file is not as it must be, or has no labels.
    """
    check_outputs(args, [args.json])
    with torchrun_group() as group:
        inputs, protocol = read_inputs(args), read_protocol(args, group)
        pipeline = Pipeline(metric=args.metric)
        found = evaluate(inputs, pipeline, protocol)
        if Processes(group).rank:
            return 0
        print_table({"features": (pipeline, found)}, protocol)
        if args.json:
            write_json(args.json, args, inputs, protocol, [result_record("features", pipeline, found)])
    return 0


def evaluate(inputs: Inputs, pipeline: Pipeline, protocol: Protocol, distance: DistanceRows | None = None) -> ProtocolResult:
    """The metrics of a re-ranking of the images, whose ``distance`` may be there already.

    Raises:
        InputError: there are no labels, or they do not give what the protocol needs.
    """
    check_labelled(inputs)
    try:
        return apply_protocol(protocol, pipeline, inputs.query, inputs.gallery, inputs.further, distance)
    except NotANumber as error:
        raise InputError(f"The features are too large to be compared: {error}") from error


def check_labelled(inputs: Inputs) -> None:
    """Whether there is something to evaluate with.

    Raises:
        InputError: there are none.
    """
    if not inputs.labelled:
        raise InputError("The images have no identities to evaluate with: give --labels FILE.csv, or a .npz with pids.")
