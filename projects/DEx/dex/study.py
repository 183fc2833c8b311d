"""The study of re-ranking (Tables 2 to 6), from features that are extracted once.

Shape shorthand: Q queries, G gallery images.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import product

from fastreid.config import CfgNode

from dex.expansion import Expansion
from vreid_common.errors import InputError
from vreid_common.evaluation.protocols import apply_protocol, protocol_from_config
from vreid_common.reranking.pipeline import Pipeline, pipeline_from_config
from vreid_common.structures import FeatureSet

__all__ = ["SINGLE", "Study", "Table", "check_study", "schemes"]

SINGLE = (1.0,)
"""The scale of "single-scale" features: the one that was trained."""

Row = dict[str, float]
Table = dict[str, Row]
"""Row's name → column → percent (seconds in the column of that name)."""

Scheme = tuple[tuple[float, ...], list[str]]
_Overrides = Mapping[tuple[str, str], int]


def schemes(cfg: CfgNode) -> dict[str, Scheme]:
    """Name → scales and steps of Table 6's rows.

    Raises:
        InputError: DEX.STUDY.SCHEMES is not as it must be.
    """
    found: dict[str, Scheme] = {}
    for entry in cfg.DEX.STUDY.SCHEMES:
        if not (isinstance(entry, list | tuple) and len(entry) == 3 and entry[1] in ("single", "multi")):
            raise InputError(f'DEX.STUDY.SCHEMES has {entry!r}: write [name, "single" or "multi", [steps]].')
        name, features, steps = entry
        if name in found:
            raise InputError(f"DEX.STUDY.SCHEMES has two schemes named {name!r}.")
        found[str(name)] = (SINGLE if features == "single" else tuple(cfg.DEX.SCALES), list(steps))
    return found


def check_study(cfg: CfgNode) -> None:
    """Builds every pipeline of the study, so that what cannot work is refused before anything is extracted.

    Raises:
        InputError: naming the key.
    """
    if 1.0 not in cfg.DEX.SCALES:
        raise InputError(f"DEX.SCALES is {list(cfg.DEX.SCALES)}: DEX.STUDY needs scale 1 for its single-scale rows.")
    known = schemes(cfg)
    if cfg.DEX.STUDY.RANK_LISTS and cfg.DEX.STUDY.RANK_LISTS not in known:
        raise InputError(f"DEX.STUDY.RANK_LISTS is {cfg.DEX.STUDY.RANK_LISTS!r}, which is no scheme: {', '.join(known)}.")
    for _, steps in known.values():
        pipeline_of(cfg, steps)
    for steps, overrides in _swept(cfg):
        pipeline_of(cfg, steps, overrides)
    if not protocol_from_config(cfg).needs_labels:
        raise InputError(f"TEST.PROTOCOL {cfg.TEST.PROTOCOL} measures nothing, so that DEX.STUDY has no tables to print.")


def pipeline_of(cfg: CfgNode, steps: Sequence[str], overrides: _Overrides | None = None) -> Pipeline:
    """The pipeline of ``steps`` with RERANK's parameters but for ``overrides``: (node, key) → value."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.RERANK.PIPELINE = list(steps)
    cfg.TEST.AQE.ENABLED = cfg.TEST.RERANK.ENABLED = False
    for (node, key), value in (overrides or {}).items():
        cfg.RERANK[node][key] = value
    return pipeline_from_config(cfg)


class Study:
    """Measures re-rankings of one test set, each once, however many tables show it.

    Every parameter is the config's: nothing is chosen by the labels that are reported on.

    Args:
        cfg: DEX, RERANK and TEST are read.
        expansion: the features.
    """

    def __init__(self, cfg: CfgNode, expansion: Expansion) -> None:
        self._cfg = cfg
        self._expansion = expansion
        self._protocol = protocol_from_config(cfg)
        self._features: dict[tuple[float, ...], tuple[FeatureSet, FeatureSet]] = {}
        self._found: dict[tuple[tuple[float, ...], str], Row] = {}

    def pair(self, scales: tuple[float, ...]) -> tuple[FeatureSet, FeatureSet]:
        """Query and gallery with the features of all models at ``scales``."""
        if scales not in self._features:
            self._features[scales] = self._expansion.pair(scales)
        return self._features[scales]

    def measure(self, scales: tuple[float, ...], steps: Sequence[str] = (), overrides: _Overrides | None = None) -> Row:
        """The protocol's metrics in percent, and the seconds that re-ranking and evaluating took."""
        pipeline = pipeline_of(self._cfg, steps, overrides)
        key = (scales, str(pipeline))
        if key not in self._found:
            query, gallery = self.pair(scales)
            started = time.perf_counter()
            found = apply_protocol(self._protocol, pipeline, query, gallery)
            seconds = time.perf_counter() - started
            self._found[key] = {name: 100 * value for name, value in found.metrics.items()} | {"seconds": seconds}
        return self._found[key]

    def tables(self) -> dict[str, Table]:
        """Tables 2 to 6 by name."""
        return {
            "Table 2": self._scales(),
            "Table 3": self._query_expansion(),
            "Table 4": self._diffusion(),
            "Table 5": self._database_augmentation(),
            "Table 6": {name: self.measure(*scheme) for name, scheme in schemes(self._cfg).items()},
        }

    def _scales(self) -> Table:
        scales = tuple(self._cfg.DEX.SCALES)
        return {f"{scale:g}": self.measure((scale,)) for scale in scales} | {"All": self.measure(scales)}

    def _query_expansion(self) -> Table:
        """mAP of the four ways to expand a query; columns are ways here, not metrics."""
        table: Table = {}
        for k in self._cfg.DEX.STUDY.EXPANSION_K:
            row = {}
            for name, scales, step in self._expansions():
                measured = self.measure(scales, [step], {(step.upper(), "K"): k})
                row[name] = next(iter(measured.values()))  # a protocol's first metric is its mean average precision
            table[f"k={k}"] = row
        return table

    def _expansions(self) -> list[tuple[str, tuple[float, ...], str]]:
        return [
            ("AQE", SINGLE, "average_query_expansion"),
            ("αQE", SINGLE, "alpha_query_expansion"),
            ("DEx-ss", SINGLE, "dual_embedding_expansion"),
            ("DEx-ms", tuple(self._cfg.DEX.SCALES), "dual_embedding_expansion"),
        ]

    def _diffusion(self) -> Table:
        study = self._cfg.DEX.STUDY
        return {
            f"k={k}, kq={kq}": self.measure(SINGLE, ["diffusion"], {("DIFFUSION", "K"): k, ("DIFFUSION", "KQ"): kq})
            for kq, k in product(study.DIFFUSION_KQ, study.DIFFUSION_K)
        }

    def _database_augmentation(self) -> Table:
        step = "database_augmentation"
        return {f"k={k}": self.measure(SINGLE, [step], {(step.upper(), "K"): k}) for k in self._cfg.DEX.STUDY.DBA_K}


def _swept(cfg: CfgNode) -> list[tuple[list[str], _Overrides]]:
    study = cfg.DEX.STUDY
    single = [("average_query_expansion", study.EXPANSION_K), ("alpha_query_expansion", study.EXPANSION_K)]
    single += [("dual_embedding_expansion", study.EXPANSION_K), ("database_augmentation", study.DBA_K)]
    swept: list[tuple[list[str], _Overrides]] = [([step], {(step.upper(), "K"): k}) for step, ks in single for k in ks]
    return swept + [
        (["diffusion"], {("DIFFUSION", "K"): k, ("DIFFUSION", "KQ"): kq})
        for k, kq in product(study.DIFFUSION_K, study.DIFFUSION_KQ)
    ]
