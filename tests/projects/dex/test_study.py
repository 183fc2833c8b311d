"""The study's tables against the public functions called one after another."""

import pytest
import torch
from dex.study import Study, check_study, pipeline_of, schemes
from torch.nn.functional import normalize

from vreid_common import reranking
from vreid_common.errors import InputError
from vreid_common.evaluation import evaluate_ranking
from vreid_common.structures import FeatureRows, FeatureSet

SCALES = (0.9, 1.0, 1.2)


def images(identities, seed, noise, scale, count):
    """``count`` images an identity in four cameras; a scale has a noise of its own."""
    centres = torch.randn(identities, 12, generator=torch.Generator().manual_seed(5))
    pids = torch.arange(identities).repeat_interleave(count)
    own = torch.randn(len(pids), 12, generator=torch.Generator().manual_seed(seed))
    other = torch.randn(len(pids), 12, generator=torch.Generator().manual_seed(seed + int(100 * scale)))
    features = normalize(centres[pids] + noise * own + 0.3 * other, dim=1)
    camids = torch.arange(len(pids)) % 4
    return FeatureSet.create(features, pids, camids, track_ids=pids * 4 + camids)


class FakeExpansion:
    """Known features in place of extracted ones; ``asked`` lists the scales in the order in which they were combined."""

    device = torch.device("cpu")

    def __init__(self):
        self.asked = []

    def pair(self, scales=None):
        self.asked.append(tuple(scales))
        sets = []
        for seed, count in ((1, 2), (2, 8)):
            single = [images(9, seed, 1.0, scale, count) for scale in scales]
            total = normalize(sum(one.features for one in single), dim=1)
            sets.append(FeatureSet.create(total, *(getattr(single[0], name) for name in ("pids", "camids", "track_ids"))))
        return tuple(sets)


@pytest.fixture
def cfg(make_cfg):
    return make_cfg(
        *("DEX.SCALES", list(SCALES), "DEX.STUDY.EXPANSION_K", [2, 5], "DEX.STUDY.DBA_K", [2, 4]),
        *("DEX.STUDY.DIFFUSION_K", [4, 9], "DEX.STUDY.DIFFUSION_KQ", [3], "RERANK.DIFFUSION.K", 9, "RERANK.DIFFUSION.KQ", 3),
        *("RERANK.DUAL_EMBEDDING_EXPANSION.K", 5, "RERANK.DATABASE_AUGMENTATION.K", 4),
        *("RERANK.K_RECIPROCAL.K1", 8, "RERANK.K_RECIPROCAL.K2", 3, "RERANK.K_RECIPROCAL.LAMBDA_VALUE", 0.5),
    )


def measured(query, gallery, distance):
    found = evaluate_ranking(distance, query.pids, gallery.pids, query.camids, gallery.camids)
    return [100 * found.mAP, 100 * float(found.cmc[0]), 100 * float(found.cmc[4])]


def diffused(q, g, k, kq):
    """Nearest by diffusion first, then what its graph does not reach, by the cosine."""
    similarity = reranking.diffusion(q, g, k, kq)
    return torch.where(similarity > 0, -similarity, 2 - normalize(q, dim=1) @ normalize(g, dim=1).T)


def by_hand(name, steps, pair):
    """Re-ranking by the public functions, told apart by the scheme's name."""
    query, gallery = pair
    q, g, tracks = query.features, gallery.features, gallery.track_ids
    if "DEx" in name:
        q = reranking.dual_embedding_expansion(q, g, tracks, 5, 2.0)
    if "DBA" in name:
        g = reranking.database_augmentation(g, 4)
    if "k-reciprocal" in name:
        return measured(query, gallery, reranking.k_reciprocal(normalize(q, dim=1), normalize(g, dim=1), 8, 3, 0.5))
    if "Diffusion" in name:
        return measured(query, gallery, diffused(q, g, 9, 3))
    distance = FeatureRows(q, g, "cosine").rows(0, len(q))  # augmented images tie, which another product would break
    if "Tracklet" in name:
        pulled = reranking.pull_tracklets(distance.argsort(dim=1, stable=True), tracks, len(g))
        distance = torch.empty_like(distance).scatter_(1, pulled, torch.arange(len(g)).float().expand_as(distance))
    return measured(query, gallery, distance)


def test_table_6_has_the_papers_eleven_rows_each_by_hand(cfg):
    expansion = FakeExpansion()
    table = Study(cfg, expansion).tables()["Table 6"]
    assert list(table) == [
        *("Baseline", "DEx", "DBA", "k-reciprocal", "Diffusion", "Tracklet", "DEx+DBA", "DEx+k-reciprocal"),
        *("DEx+Diffusion", "DEx+DBA+k-reciprocal", "DEx+DBA+Diffusion"),
    ]
    for name, (scales, steps) in schemes(cfg).items():
        assert scales == (SCALES if "DEx" in name else (1.0,))
        expected = by_hand(name, steps, FakeExpansion().pair(scales))
        found = [table[name][key] for key in ("mAP", "Rank-1", "Rank-5")]
        assert found == pytest.approx(expected, abs=1e-3), name
        assert table[name]["seconds"] > 0
    assert len({tuple(row.values())[:3] for row in table.values()}) > 8  # the schemes do differ


def test_sweeps_are_by_hand(cfg):
    tables = Study(cfg, FakeExpansion()).tables()
    single, multi = FakeExpansion().pair((1.0,)), FakeExpansion().pair(SCALES)
    query, gallery = single
    q, g, tracks = query.features, gallery.features, gallery.track_ids

    assert list(tables["Table 2"]) == ["0.9", "1", "1.2", "All"]
    for name, scales in (("0.9", (0.9,)), ("1", (1.0,)), ("1.2", (1.2,)), ("All", SCALES)):
        pair = FakeExpansion().pair(scales)
        expected = measured(*pair, FeatureRows(pair[0].features, pair[1].features, "cosine"))
        assert [tables["Table 2"][name][key] for key in ("mAP", "Rank-1", "Rank-5")] == pytest.approx(expected, abs=1e-3)

    assert list(tables["Table 3"]) == ["k=2", "k=5"]
    for k in (2, 5):
        expanded = {
            "AQE": (reranking.average_query_expansion(q, g, k), g),
            "αQE": (reranking.alpha_query_expansion(q, g, k, 2.0), g),
            "DEx-ss": (reranking.dual_embedding_expansion(q, g, tracks, k, 2.0), g),
            "DEx-ms": (
                reranking.dual_embedding_expansion(multi[0].features, multi[1].features, tracks, k, 2.0),
                multi[1].features,
            ),
        }
        expected = {name: measured(query, gallery, FeatureRows(*pair, "cosine"))[0] for name, pair in expanded.items()}
        assert tables["Table 3"][f"k={k}"] == pytest.approx(expected, abs=1e-3)

    for k in (4, 9):
        expected = measured(query, gallery, diffused(q, g, k, 3))
        row = tables["Table 4"][f"k={k}, kq=3"]
        assert [row[key] for key in ("mAP", "Rank-1", "Rank-5")] == pytest.approx(expected, abs=1e-3)
    for k in (2, 4):
        expected = measured(query, gallery, FeatureRows(q, reranking.database_augmentation(g, k), "cosine"))
        row = tables["Table 5"][f"k={k}"]
        assert [row[key] for key in ("mAP", "Rank-1", "Rank-5")] == pytest.approx(expected, abs=1e-3)


def test_features_are_combined_once_and_each_re_ranking_is_done_once(cfg, monkeypatch):
    expansion, done = FakeExpansion(), []
    apply = reranking.pipeline.Pipeline.__call__
    monkeypatch.setattr(
        reranking.pipeline.Pipeline,
        "__call__",
        lambda self, *args: done.append((len(args[0]), str(self))) or apply(self, *args),
    )
    study = Study(cfg, expansion)
    study.tables()
    assert sorted(expansion.asked) == sorted([(0.9,), (1.0,), (1.2,), SCALES])
    # 4 of Table 2, 2·4 of 3, 2 of 4, 2 of 5, and of Table 6 the 8 that no other table has.
    assert len(done) == 4 + 8 + 2 + 2 + 11 - 4
    before = len(done)
    study.tables()
    assert len(done) == before


def test_the_config_is_left_alone(cfg):
    before = cfg.dump()
    assert "k=77" in str(pipeline_of(cfg, ["diffusion"], {("DIFFUSION", "K"): 77}))
    Study(cfg, FakeExpansion()).tables()
    assert cfg.dump() == before


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("DEX.SCALES", [0.9]), "needs scale 1"),
        (("DEX.STUDY.RANK_LISTS", "DEX"), "which is no scheme"),
        (("DEX.STUDY.SCHEMES", [["a", "double", []]]), 'write \\[name, "single" or "multi"'),
        (("DEX.STUDY.SCHEMES", [["a", "single", []], ["a", "multi", []]]), "two schemes named 'a'"),
        (
            ("DEX.STUDY.SCHEMES", [["a", "single", ["diffusion", "k_reciprocal"]]], "DEX.STUDY.RANK_LISTS", ""),
            "leave one of the two",
        ),
        (("DEX.STUDY.DBA_K", [0]), "database_augmentation.k is 0"),
        (("TEST.PROTOCOL", "AICitySubmission"), "no tables to print"),
    ],
)
def test_exception_keys_are_refused_before_anything_is_extracted(cfg, overrides, said):
    cfg.merge_from_list(list(overrides))
    with pytest.raises(InputError, match=said):
        check_study(cfg)


def test_top_k_is_shown_as_the_protocol_names_it(cfg):
    cfg.TEST.TOP_K = 5
    tables = Study(cfg, FakeExpansion()).tables()
    assert next(iter(tables["Table 6"]["Baseline"])) == "mAP@5"
    assert tables["Table 3"]["k=2"]["AQE"] > 0
