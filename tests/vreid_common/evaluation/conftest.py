"""A plain evaluation written from the definitions, and small labelled test sets."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.evaluation import RankingMetrics, VehicleEvaluator, evaluate_ranking, inference_on_dataset
from vreid_common.structures import FeatureRows, FeatureSet


def plain_query_metrics(distance, query_pids, gallery_pids, query_camids, gallery_camids, same_camera, top_k, normalizer):
    """(ap, inp, first hit, number of matches) of each query: sort the gallery, walk down the list."""
    rows = []
    for i, row in enumerate(np.asarray(distance).tolist()):
        matches = []
        rank = 0
        for _, j in sorted((value, j) for j, value in enumerate(row)):
            is_match = query_pids[i] == gallery_pids[j]
            if is_match and same_camera == "exclude" and query_camids[i] == gallery_camids[j] != -1:
                continue
            rank += 1
            if is_match:
                matches.append(rank)
        if not matches:
            rows.append((np.nan, np.nan, -1, 0))
            continue
        cut = len(gallery_pids) if top_k is None else top_k
        precisions = [n / rank for n, rank in enumerate(matches, start=1) if rank <= cut]
        divisor = {"all": len(matches), "min": min(len(matches), cut), "hits": max(1, len(precisions))}[normalizer]
        rows.append((sum(precisions) / divisor, len(matches) / matches[-1], matches[0] - 1, len(matches)))
    return tuple(np.array(column) for column in zip(*rows, strict=True))


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    """torch.set_num_threads, undone after the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def plain() -> Callable:
    return plain_query_metrics


@pytest.fixture
def sets() -> tuple[FeatureSet, FeatureSet]:
    """12 query and 60 gallery images of 6 vehicles, 4 cameras, 3 views (some unknown), tracks of one camera; noisy features."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((6, 8))

    def build(pids: np.ndarray, prefix: str) -> FeatureSet:
        camids = rng.integers(0, 4, len(pids))
        return FeatureSet.create(
            centres[pids] + rng.standard_normal((len(pids), 8)),
            pids,
            camids,
            track_ids=pids * 10 + camids,
            view_ids=rng.integers(-1, 3, len(pids)),
            paths=[f"{prefix}{i}.jpg" for i in range(len(pids))],
        )

    return build(np.arange(12) % 6, "q"), build(np.arange(60) % 6, "g")


@pytest.fixture
def make_batches(sets) -> Callable:
    """Batches as our test loader gives them, whose images are the features of ``sets``; only ``keys`` of the labels."""
    query, gallery = sets
    images = FeatureSet.create(
        torch.cat([query.features, gallery.features]),
        *(torch.cat([getattr(query, n), getattr(gallery, n)]) for n in ("pids", "camids", "track_ids", "view_ids")),
        paths=query.paths + gallery.paths,
    )

    def make(order=range(72), size=10, keys=("track_ids", "view_ids", "indices")):
        order = list(order)
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            part = images.select(chosen)
            batch = {
                "images": part.features.reshape(-1, 1, 2, 4),
                "targets": part.pids,
                "camids": part.camids,
                "img_paths": list(part.paths),
            }
            extra = {"track_ids": part.track_ids, "view_ids": part.view_ids, "indices": torch.tensor(chosen)}
            yield batch | {key: extra[key] for key in keys}

    return make


class PassThrough(nn.Module):
    """A model whose feature is the image; ``features`` maps names to functions of it."""

    def __init__(self, **features):
        super().__init__()
        self.features = features

    def forward(self, batch):
        feature = batch["images"].flatten(1)
        return {name: function(feature) for name, function in self.features.items()} if self.features else feature


@pytest.fixture
def pass_through() -> type[PassThrough]:
    return PassThrough


@pytest.fixture
def evaluate(sets) -> Callable:
    """A function: (batches, model, config, the evaluator's further arguments) to the evaluator's results, and itself."""

    def run(batches, model=None, cfg=None, **arguments):
        evaluator = VehicleEvaluator(get_vreid_cfg() if cfg is None else cfg, len(sets[0]), **arguments)
        return inference_on_dataset(model or PassThrough(), batches, evaluator), evaluator

    return run


@pytest.fixture
def expected(sets) -> RankingMetrics:
    """The metrics of ``sets``, whose features are the images themselves."""
    query, gallery = sets
    rows = FeatureRows(query.features, gallery.features)
    return evaluate_ranking(rows, query.pids, gallery.pids, query.camids, gallery.camids)
