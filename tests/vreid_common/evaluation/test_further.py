"""RERANK.COMPARE and RERANK.FURTHER: several re-rankings of one extraction, with features that other models' runs saved."""

from pathlib import Path

import pytest

from vreid_common.config import get_vreid_cfg
from vreid_common.errors import InputError
from vreid_common.evaluation import SameCameraExcluded, VehicleEvaluator, apply_protocol
from vreid_common.evaluation.further import read_further
from vreid_common.reranking import build_pipeline, compared_pipelines


@pytest.fixture
def camera(sets, tmp_path) -> str:
    """Where features of the test images' cameras are saved."""
    for name, images in zip(("query", "gallery"), sets, strict=True):
        images.save(tmp_path / f"camera_{name}")
    return str(tmp_path / "camera")


def evaluate(make_batches, *options):
    cfg = get_vreid_cfg()
    cfg.merge_from_list(list(options))
    evaluator = VehicleEvaluator(cfg, 12)
    for batch in make_batches():
        evaluator.process(batch, batch["images"].flatten(1))
    return evaluator.evaluate(), evaluator


def test_each_re_ranking_stands_beside_the_main_one(make_batches, sets, camera):
    compare = [["plain"], ["fused", "fuse_distances", "k_reciprocal"], ["tracks", "tracklet_distance"]]
    options = ("RERANK.COMPARE", compare, "RERANK.FURTHER", [["camera", camera]], "RERANK.K_RECIPROCAL.K1", 7)
    results, evaluator = evaluate(make_batches, *options)
    query, gallery = sets
    steps = {"plain": [], "fused": ["fuse_distances", {"k_reciprocal": {"k1": 7}}], "tracks": ["tracklet_distance"]}
    for name, names in steps.items():
        expected = apply_protocol(SameCameraExcluded(), build_pipeline(names), query, gallery, {"camera": sets})
        assert results[f"{name}/mAP"] == pytest.approx(100 * expected.metrics["mAP"], abs=1e-3)
    assert results["mAP"] == results["plain/mAP"] != results["fused/mAP"]
    assert set(evaluator.rankings) == {"main", "main/plain", "main/fused", "main/tracks"}


def test_features_of_other_images_are_refused(sets, camera):
    query, gallery = sets
    assert set(read_further([["camera", camera]], query, gallery)) == {"camera"}
    with pytest.raises(InputError, match="camera_gallery has the features of other images"):
        read_further([["camera", camera]], query, gallery.select(list(range(59, -1, -1))))
    with pytest.raises(InputError, match="RERANK.FURTHER has 'camera': write a name and a path"):
        read_further(["camera"], query, gallery)
    with pytest.raises(InputError, match="is missing"):
        read_further([["camera", str(Path(camera).with_name("none"))]], query, gallery)


@pytest.mark.parametrize(
    ("compare", "message"),
    [
        (["k_reciprocal"], "RERANK.COMPARE has 'k_reciprocal': write lists of a name and steps"),
        ([[]], r"RERANK.COMPARE has \[\]"),
        ([["a"], ["a", "k_reciprocal"]], "RERANK.COMPARE has 'a' twice"),
        ([["a", "none"]], "RERANK.COMPARE, a: There is no re-ranking step 'none'"),
    ],
)
def test_refused(compare, message):
    cfg = get_vreid_cfg()
    cfg.RERANK.COMPARE = compare
    with pytest.raises(InputError, match=message):
        compared_pipelines(cfg)
