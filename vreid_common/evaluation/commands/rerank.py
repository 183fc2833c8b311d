"""``vreid rerank``: re-ranking of feature files by any pipelines of steps."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch.distributed as dist
import yaml

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
from vreid_common.evaluation.commands.settings import by_step, read_settings
from vreid_common.evaluation.commands.validate import run_validation
from vreid_common.evaluation.protocols import Protocol, ProtocolResult
from vreid_common.evaluation.rank_list import rank_list
from vreid_common.evaluation.submission import SUBMISSION_RANKS, write_aicity_submission
from vreid_common.processes import Processes, torchrun_group
from vreid_common.reranking.pipeline import Pipeline, build_pipeline

__all__ = ["add_rerank_arguments", "run_rerank"]


def add_rerank_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that ``run_rerank`` takes."""
    add_input_arguments(parser)
    parser.add_argument(
        "--further",
        nargs=3,
        action="append",
        metavar=("NAME", "QUERY", "GALLERY"),
        help="other features of the same images, for steps that take them: orientation, camera (may be given again)",
    )
    steps = parser.add_argument_group("re-ranking")
    chosen = steps.add_mutually_exclusive_group(required=True)
    chosen.add_argument(
        "--steps", metavar="STEP,STEP,...", help="steps in their order, e.g. database_augmentation,k_reciprocal"
    )
    chosen.add_argument("--pipelines", metavar="FILE.yml", help="several named lists of steps, each evaluated")
    steps.add_argument(
        "--set", nargs="+", default=[], metavar="STEP.NAME=VALUE", help="parameters of --steps, e.g. k_reciprocal.k1=30"
    )
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
        return run_validation(args, _split(args.steps), read_inputs(args), read_protocol(args, group))
    pipelines = _read_pipelines(args)
    for name, *_ in args.further or ():
        if not any(name in pipeline.further for pipeline in pipelines.values()):
            raise InputError(f"--further {name}: no step takes features of that name.")
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


def _split(steps: str) -> list[str]:
    names = [name.strip() for name in steps.split(",")]
    if not all(names):
        raise InputError(f"--steps {steps!r}: give names of steps, separated by commas.")
    return names


def _read_pipelines(args: argparse.Namespace) -> dict[str, Pipeline]:
    """Name → pipeline. With --steps, the features as they are come first, to compare with."""
    if args.steps is not None:
        settings = {key: value for key, (value,) in read_settings("--set", args.set).items()}
        pipeline = build_pipeline(_split(args.steps), args.metric, by_step(settings))
        return {"no re-ranking": Pipeline(metric=args.metric), str(pipeline): pipeline}
    pipelines: dict[str, Pipeline] = {}
    for name, specs in _read_pipeline_file(Path(args.pipelines)).items():
        try:
            pipelines[name] = build_pipeline(specs, args.metric)
        except InputError as error:
            raise InputError(f"{args.pipelines}, {name}: {error}") from error
    return pipelines


class _UniqueKeys(yaml.SafeLoader):
    """YAML's own rule, that keys are unique, which PyYAML does not check: the last one would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubled = next((name for name in names if names.count(name) > 1), None)
        if doubled is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the name {doubled!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


def _read_pipeline_file(path: Path) -> dict[str, list[Any]]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    if not (isinstance(content, dict) and content and all(isinstance(specs, list) for specs in content.values())):
        raise InputError(f"{path}: write names, each with a list of steps, e.g. `both: [database_augmentation, k_reciprocal]`.")
    return {str(name): specs for name, specs in content.items()}


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
