"""Several models by one command: their stages, and a run of all of them on the smallest rendered vehicles."""

import json
from pathlib import Path

import pytest
from cybercore import CybercoreTrainer, add_cybercore_config
from cybercore.members import split_into_stages

from vreid_common.cli import main as vreid
from vreid_common.engine import main
from vreid_common.errors import InputError
from vreid_common.structures import FeatureSet

DEMO = Path(__file__).parents[3] / "projects" / "CybercoreBaseline" / "configs" / "Demo" / "table4_r18.yml"
MEMBERS = [["camera", "CYBERCORE.LABEL", "camera", "SOLVER.MAX_EPOCH", 7], ["model_2", "MODEL.BACKBONE.WITH_IBN", True]]


def test_feature_members_first_and_their_features_serve_the_last(make_cfg):
    further = [["orientation", "elsewhere/main"]]
    cfg = make_cfg(
        "CYBERCORE.MEMBERS", MEMBERS, "OUTPUT_DIR", "out", "RERANK.PIPELINE", ["k_reciprocal"], "RERANK.FURTHER", further
    )
    before = cfg.dump()
    camera, second, vehicle = split_into_stages(cfg)
    assert cfg.dump() == before
    assert [stage.OUTPUT_DIR for stage in (camera, second, vehicle)] == ["out/camera", "out/model_2", "out/vehicle"]
    assert [stage.CYBERCORE.LABEL for stage in (camera, second, vehicle)] == ["camera", "vehicle", "vehicle"]
    assert (camera.SOLVER.MAX_EPOCH, second.MODEL.BACKBONE.WITH_IBN, vehicle.MODEL.BACKBONE.WITH_IBN) == (7, True, False)
    assert camera.CYBERCORE.SAVE_FEATURES
    assert camera.RERANK.PIPELINE == camera.RERANK.FURTHER == []
    assert vehicle.RERANK.PIPELINE == ["k_reciprocal"]
    folders = {name: f"out/{name}/features/CSVVehicles/main" for name in ("camera", "model_2")}
    assert [*further, *map(list, folders.items())] == vehicle.RERANK.FURTHER
    assert not any(stage.CYBERCORE.MEMBERS for stage in (camera, second, vehicle))


def test_feature_without_members_one_run(make_cfg):
    cfg = make_cfg()
    assert split_into_stages(cfg) == [cfg]


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["camera"], "MEMBERS has 'camera': write a name and KEY, VALUE pairs"),
        ([["camera", "CYBERCORE.LABEL"]], "write a name and KEY, VALUE pairs"),
        (
            [["colour", "CYBERCORE.LABEL", "camera"]],
            "names 'colour', which no step of re-ranking takes: use one of camera, model_2",
        ),
        ([["camera", "CYBERCORE.NONE", 1]], "MEMBERS, camera: .*NONE"),
        ([["camera", "SOLVER.MAX_EPOCH", "many"]], "MEMBERS, camera: "),
        ([MEMBERS[0], MEMBERS[0]], "has 'camera' twice"),
    ],
)
def test_exception(make_cfg, members, message):
    with pytest.raises(InputError, match=message):
        split_into_stages(make_cfg("CYBERCORE.MEMBERS", members))


STEPS = ["--steps", "fuse_distances,k_reciprocal"]
SMALL = f"""
_BASE_: {DEMO}
MODEL: {{DEVICE: cpu, BACKBONE: {{NAME: build_osnet_backbone, DEPTH: x0_25, FEAT_DIM: 128}}}}
CYBERCORE:
  HEADS: {{NUM: 3, DIM: 32, GATE_DIM: 8}}
  MIXSTYLE: {{AFTER: [conv2, conv3]}}
  MEMBERS: [[camera, CYBERCORE.LABEL, camera, CYBERCORE.MIXSTYLE.ENABLED, False], [model_2, CYBERCORE.HEADS.NUM, 2]]
INPUT: {{SIZE_TRAIN: [32, 32], SIZE_TEST: [32, 32]}}
DATASETS: {{NAMES: [StreetVehicles], RENDER: {{SIZE: tiny}}}}
DATALOADER: {{SAMPLER_TRAIN: NaiveIdentitySampler, NUM_WORKERS: 0, NUM_INSTANCE: 4}}
SOLVER: {{MAX_EPOCH: 1, IMS_PER_BATCH: 16}}
TEST: {{NUM_WORKERS: 0}}
"""


def test_smoke_table_4_by_one_command(tmp_path, monkeypatch):
    """The Demo's command with three small models on 211 images: every row of the table is there, no two of them alike."""
    monkeypatch.chdir(tmp_path)
    text = SMALL + f"OUTPUT_DIR: {tmp_path / 'out'}\n"
    (tmp_path / "small.yml").write_text(text)
    results = main(add_cybercore_config, CybercoreTrainer, ["--config-file", "small.yml"])["StreetVehicles"]
    names = ["re-rank", "orientation and camera", "track-rank", "ensemble"]
    assert {"mAP", *(f"{name}/mAP" for name in names)} <= set(results)
    assert len({results[f"{name}/mAP"] for name in names}) == 4
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["dataset"]["StreetVehicles"]["ensemble/Rank-1"] == results["ensemble/Rank-1"]
    assert written["checkpoint"].endswith("out/vehicle/model_final.pth")
    camera = FeatureSet.load(tmp_path / "out" / "camera" / "features" / "StreetVehicles" / "main_query")
    assert camera.features.shape == (18, 32)
    # Nothing is trained again, and the ranking is the same.
    again = main(add_cybercore_config, CybercoreTrainer, ["--config-file", "small.yml", "--eval-only"])["StreetVehicles"]
    assert again == pytest.approx(results, abs=1e-3)
    # The README's command: the saved features re-ranked by other steps, without any model.
    sides = {
        name: [f"out/{name}/features/StreetVehicles/main_{side}" for side in ("query", "gallery")]
        for name in ("vehicle", "camera")
    }
    query, gallery = sides["vehicle"]
    with pytest.raises(SystemExit) as ended:
        vreid(
            [
                "rerank",
                "--query",
                query,
                "--gallery",
                gallery,
                "--further",
                "camera",
                *sides["camera"],
                *STEPS,
                "--json",
                "out.json",
            ]
        )
    assert ended.value.code == 0
    plain, fused = json.loads(Path("out.json").read_text())["results"]
    assert 100 * plain["metrics"]["mAP"] == pytest.approx(results["mAP"], abs=1e-3)
    assert 100 * fused["metrics"]["mAP"] == pytest.approx(results["orientation and camera/mAP"], abs=1e-3)
