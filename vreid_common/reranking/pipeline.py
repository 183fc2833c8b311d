"""Re-ranking as a list of steps: built from a config or from names, its order checked, applied to two sets of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import torch.distributed as dist
from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.registry import RERANK_REGISTRY
from vreid_common.reranking import steps as _steps  # noqa: F401 - registers them
from vreid_common.reranking.step import DistanceStep, FeatureStep, MergingStep, Step
from vreid_common.structures import FeatureSet, Retrieval

__all__ = ["Parameters", "Pipeline", "StepSpec", "build_pipeline", "compared_pipelines", "pipeline_from_config"]

Parameters = Mapping[str, Any]
StepSpec = str | Mapping[str, Parameters]
"""A step's name, or ``{name: parameters}``."""


class Pipeline:
    """Steps in an order that makes sense. Without any, the distance is that of the features.

    Args:
        steps: applied from the first to the last.
        metric: what compares features; one of ``METRICS``.

    Raises:
        InputError: a step would undo one before it, comes twice in vain, or does not go with the metric.
    """

    def __init__(self, steps: Sequence[Step] = (), metric: str = "cosine") -> None:
        self.steps = tuple(steps)
        self.metric = metric
        _check_order(self.steps)
        for step in self.steps:
            if metric not in step.metrics:
                raise InputError(f"{step.name} does not go with the metric {metric!r}: use {' or '.join(step.metrics)}.")

    def __call__(
        self,
        query: FeatureSet,
        gallery: FeatureSet,
        further: Mapping[str, tuple[FeatureSet, FeatureSet]] | None = None,
        group: dist.ProcessGroup | None = None,
    ) -> Retrieval:
        """Applies the steps to the features of a query and a gallery, and to further features of the same images by name.

        Steps before a merging one are applied to each model's features.

        The processes of a ``group`` share the work of k-reciprocal re-ranking; all of them call with the same images.

        Raises:
            InputError: a step needs tracks or further features that are not there, or cannot work on what it gets.
            ValueError: the feature sets do not fit one another.
        """
        retrieval = Retrieval.from_features(query, gallery, self.metric, further, group)
        retrievals = [retrieval, *self._other_models(retrieval)]
        for step in self.steps:
            step.check(gallery, retrieval.further)
            try:
                retrievals = [step.merge(retrievals)] if isinstance(step, MergingStep) else list(map(step, retrievals))
            except InputError:
                raise
            except ValueError as error:
                raise InputError(f"Re-ranking by {step.name}: {error}") from error
        return retrievals[0]

    def _other_models(self, first: Retrieval) -> list[Retrieval]:
        """What the models beside the first one see of the same images, where a step merges them."""
        names = [name for step in self.steps if isinstance(step, MergingStep) for name in step.further]
        found = [first.further[name] for name in names if name in first.further]
        return [first.with_features(query.features, gallery.features) for query, gallery in found]

    def __str__(self) -> str:
        return "re-ranked by " + ", ".join(map(str, self.steps)) if self.steps else "no re-ranking"

    @property
    def further(self) -> frozenset[str]:
        """Names of the further features that the steps take."""
        return frozenset(name for step in self.steps for name in step.further)

    @property
    def record(self) -> list[dict[str, Any]]:
        """The steps with all their parameters, for JSON."""
        return [{"step": step.name, **step.parameters} for step in self.steps]


def build_pipeline(
    specs: Sequence[StepSpec], metric: str = "cosine", parameters: Mapping[str, Parameters] | None = None
) -> Pipeline:
    """The pipeline of steps given by name.

    Args:
        specs: steps in their order.
        metric: what compares features.
        parameters: step's name → parameters that it gets beside those of its spec, which they override.

    Raises:
        InputError: a step or a parameter is not known, a value does not fit, or the order makes no sense.
    """
    steps = [_build_step(spec, parameters or {}) for spec in specs]
    for name in parameters or {}:
        if name not in {step.name for step in steps}:
            raise InputError(f"Parameters of {name} are given, but it is not a step of this re-ranking.")
    return Pipeline(steps, metric)


def pipeline_from_config(cfg: CfgNode) -> Pipeline:
    """The pipeline that a config asks for: by ``RERANK.PIPELINE``, or by FastReID's ``TEST.AQE`` and ``TEST.RERANK``.

    A config of plain FastReID without vreid_common's keys will do.

    Raises:
        InputError: both are given, or what ``build_pipeline`` refuses.
    """
    names = list(cfg.RERANK.PIPELINE) if "RERANK" in cfg else []
    parameters = _config_parameters(cfg, names)
    test = cfg.TEST
    fastreid = [key for key in ("AQE", "RERANK") if test[key].ENABLED]
    if names and fastreid:
        raise InputError(f"RERANK.PIPELINE is {names} and TEST.{fastreid[0]}.ENABLED is True: use one of the two.")
    if test.AQE.ENABLED:
        names.append("alpha_query_expansion")
        parameters[names[-1]] = {"k": test.AQE.QE_K, "alpha": test.AQE.ALPHA, "rounds": test.AQE.QE_TIME}
    if test.RERANK.ENABLED:
        names.append("k_reciprocal")
        parameters[names[-1]] = {"k1": test.RERANK.K1, "k2": test.RERANK.K2, "lambda_value": test.RERANK.LAMBDA}
    return build_pipeline(names, test.METRIC, parameters)


def compared_pipelines(cfg: CfgNode) -> dict[str, Pipeline]:
    """Name → pipeline of each entry of ``RERANK.COMPARE``, with the config's parameters for its steps.

    Raises:
        InputError: an entry is no list of a name and steps, a name stands twice, or what ``build_pipeline`` refuses.
    """
    pipelines: dict[str, Pipeline] = {}
    for entry in cfg.get("RERANK", {}).get("COMPARE", ()):
        if not (isinstance(entry, list | tuple) and entry and all(isinstance(part, str) for part in entry)):
            raise InputError(f"RERANK.COMPARE has {entry!r}: write lists of a name and steps, e.g. [both, fuse_distances].")
        name, *steps = entry
        if name in pipelines:
            raise InputError(f"RERANK.COMPARE has {name!r} twice: give each pipeline a name of its own.")
        try:
            pipelines[name] = build_pipeline(steps, cfg.TEST.METRIC, _config_parameters(cfg, steps))
        except InputError as error:
            raise InputError(f"RERANK.COMPARE, {name}: {error}") from error
    return pipelines


def _config_parameters(cfg: CfgNode, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Step's name → its parameters in the config's node of that name, or the defaults where it has none."""
    defaults = get_vreid_cfg().RERANK
    given = cfg.get("RERANK", defaults)
    nodes = {name: given.get(name.upper(), defaults.get(name.upper(), {})) for name in names}
    return {name: {key.lower(): value for key, value in node.items()} for name, node in nodes.items()}


def _build_step(spec: StepSpec, overrides: Mapping[str, Parameters]) -> Step:
    name, given = _read_spec(spec)
    if name not in RERANK_REGISTRY.names:
        raise InputError(f"There is no re-ranking step {name!r}: use one of {', '.join(RERANK_REGISTRY.names)}.")
    step = RERANK_REGISTRY.get(name)
    parameters = {**given, **overrides.get(name, {})}
    known = [item.name for item in fields(step)]
    for key in parameters:
        if key not in known:
            raise InputError(f"{name} has no parameter {key!r}: it has {', '.join(known) or 'none'}.")
    return step(**parameters)


def _read_spec(spec: StepSpec) -> tuple[str, Parameters]:
    if isinstance(spec, str):
        return spec, {}
    if isinstance(spec, Mapping) and len(spec) == 1:
        ((name, given),) = spec.items()
        if isinstance(given, Mapping):
            return name, given
    raise InputError(f"A step is a name or {{name: {{parameter: value}}}}, got {spec!r}.")


def _check_order(steps: Sequence[Step]) -> None:
    setters: list[Step] = []
    for place, step in enumerate(steps):
        if isinstance(step, FeatureStep | DistanceStep):
            follows = step.follows if isinstance(step, DistanceStep) else ()
            lost = [setter for setter in setters if setter.name not in follows]
            if lost:
                does = "changes the features" if isinstance(step, FeatureStep) else "compares the features anew"
                rivals = isinstance(step, DistanceStep) and isinstance(lost[-1], DistanceStep)
                cure = "leave one of the two out" if rivals else f"put {step.name} first"
                raise InputError(f"{step.name} {does}, so the distance of {lost[-1].name} before it would be lost: {cure}.")
        if not isinstance(step, FeatureStep):
            if any(type(other) is type(step) for other in steps[:place]):
                raise InputError(f"{step.name} stands twice in the re-ranking: leave one out.")
            setters.append(step)
