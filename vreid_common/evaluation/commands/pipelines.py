"""Which pipelines of steps a command applies: one of ``--steps``, or several out of a file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.settings import by_step, read_settings
from vreid_common.reranking.pipeline import Pipeline, build_pipeline

__all__ = ["PLAIN", "add_pipeline_arguments", "read_pipelines", "split_steps"]

PLAIN = "no re-ranking"
"""Name of the features as they are."""


def add_pipeline_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> argparse._ArgumentGroup:
    """Declares what ``read_pipelines`` and ``read_inputs`` read of re-ranking; returns the group, for further options."""
    parser.add_argument(
        "--further",
        nargs=3,
        action="append",
        metavar=("NAME", "QUERY", "GALLERY"),
        help="other features of the same images, for steps that take them: orientation, camera (may be given again)",
    )
    steps = parser.add_argument_group("re-ranking")
    chosen = steps.add_mutually_exclusive_group(required=required)
    chosen.add_argument(
        "--steps", metavar="STEP,STEP,...", help="steps in their order, e.g. database_augmentation,k_reciprocal"
    )
    chosen.add_argument("--pipelines", metavar="FILE.yml", help="several named lists of steps, each evaluated")
    steps.add_argument(
        "--set", nargs="+", default=[], metavar="STEP.NAME=VALUE", help="parameters of --steps, e.g. k_reciprocal.k1=30"
    )
    return steps


def read_pipelines(args: argparse.Namespace, also: Mapping[str, Pipeline] | None = None) -> dict[str, Pipeline]:
    """Name → pipeline. Without --pipelines the features as they are come first, to compare with.

    Args:
        args: of ``add_pipeline_arguments``, with the metric.
        also: pipelines that come from elsewhere; they stand before those of the arguments.

    Raises:
        InputError: a step or a parameter is not as it must be, or no step takes features that --further names.
    """
    pipelines = {**(also or {}), **_read_pipelines(args)}
    for name, *_ in args.further or ():
        if not any(name in pipeline.further for pipeline in pipelines.values()):
            raise InputError(f"--further {name}: no step takes features of that name.")
    return pipelines


def split_steps(steps: str) -> list[str]:
    """The names in a value of --steps.

    Raises:
        InputError: one is empty.
    """
    names = [name.strip() for name in steps.split(",")]
    if not all(names):
        raise InputError(f"--steps {steps!r}: give names of steps, separated by commas.")
    return names


def _read_pipelines(args: argparse.Namespace) -> dict[str, Pipeline]:
    if args.set and args.steps is None:
        raise InputError("--set goes with --steps.")
    if args.steps is None and args.pipelines is None:
        return {PLAIN: Pipeline(metric=args.metric)}
    if args.steps is not None:
        settings = {key: value for key, (value,) in read_settings("--set", args.set).items()}
        pipeline = build_pipeline(split_steps(args.steps), args.metric, by_step(settings))
        return {PLAIN: Pipeline(metric=args.metric), str(pipeline): pipeline}
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
