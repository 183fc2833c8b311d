"""``vreid rerank --validate``: which parameters of re-ranking suit a model, chosen on a validation split."""

from __future__ import annotations

import argparse
from itertools import product

from tqdm import tqdm

from vreid_common.errors import InputError
from vreid_common.evaluation.commands.evaluate import check_labelled, evaluate
from vreid_common.evaluation.commands.inputs import Inputs
from vreid_common.evaluation.commands.outputs import Result, print_table, result_record, write_json
from vreid_common.evaluation.commands.pipelines import PLAIN
from vreid_common.evaluation.commands.settings import Key, by_step, read_settings
from vreid_common.evaluation.protocols import Protocol
from vreid_common.processes import Processes
from vreid_common.reranking.pipeline import Pipeline, build_pipeline

__all__ = ["run_validation"]

_DEFAULT_GRID: dict[Key, list[float]] = {
    ("k_reciprocal", "k1"): [5, 10, 20, 40, 60],
    ("k_reciprocal", "k2"): [1, 3, 6, 15],
    ("k_reciprocal", "lambda_value"): [0.1, 0.3, 0.5, 0.7],
}
_PURPOSE = (
    "These numbers are for choosing parameters, not for reporting: the images have to be those of a validation split, and a "
    "result is what the chosen parameters give, once, on the test split."
)


def run_validation(args: argparse.Namespace, steps: list[str], inputs: Inputs, protocol: Protocol) -> int:
    """Evaluates the steps with every combination of the grid and prints them, the best first; returns 0.

    Raises:
        InputError: the grid or the steps are not as they must be, or the images have no labels.
    """
    pipelines = _grid(args, steps)
    check_labelled(inputs)  # before there is a bar
    results: dict[str, Result] = {}
    for name, pipeline in tqdm(pipelines.items(), desc="validation", unit="setting", leave=False):
        results[name] = pipeline, evaluate(inputs, pipeline, protocol)
    if Processes(protocol.group).rank:
        return 0
    mean = next(iter(results[PLAIN][1].metrics))
    ordered = dict(sorted(results.items(), key=lambda item: -item[1][1].metrics[mean]))
    best = next(iter(ordered))
    print_table(ordered, protocol)
    print(_PURPOSE)
    if best == PLAIN:
        print(f"No setting has a higher {mean} than no re-ranking on these images: leave re-ranking out.")
    else:
        print(f"Highest {mean}: --steps {args.steps} --set {' '.join([*args.set, best])}")
    if args.json:
        records = [result_record(name, *result) for name, result in ordered.items()]
        write_json(args.json, args, inputs, protocol, records, purpose=_PURPOSE, best=best)
    return 0


def _grid(args: argparse.Namespace, steps: list[str]) -> dict[str, Pipeline]:
    """``--set`` form of the grid's parameters → pipeline; no re-ranking at all comes first, so that it wins a tie."""
    fixed = {key: value for key, (value,) in read_settings("--set", args.set).items()}
    grid = read_settings("--grid", args.grid, several=True)
    if not grid:
        if "k_reciprocal" not in steps:
            raise InputError(f"--validate has no grid of its own for {args.steps}: give --grid STEP.NAME=VALUE,VALUE.")
        grid = {key: values for key, values in _DEFAULT_GRID.items() if key not in fixed}
    twice = [".".join(key) for key in grid if key in fixed]
    if twice:
        raise InputError(f"{twice[0]} stands in both --set and --grid: leave it out of one.")
    pipelines = {PLAIN: Pipeline(metric=args.metric)}
    for values in product(*grid.values()):
        point = dict(zip(grid, values, strict=True))
        name = " ".join(f"{step}.{parameter}={value}" for (step, parameter), value in point.items())
        pipelines[name] = build_pipeline(steps, args.metric, by_step(fixed | point))
    return pipelines
