"""The projects' test-time models as ONNX files that compute the same."""

import json
from pathlib import Path

import pytest
import torch

from vreid_common import cli
from vreid_common.engine.config_file import load_config
from vreid_common.engine.project import find_project
from vreid_common.export import OnnxNetwork, model_features

pytest.importorskip("onnxscript", reason="vreid[export] is not installed")
pytest.importorskip("onnxruntime", reason="vreid[export] is not installed")

PROJECTS = Path(__file__).parents[2] / "projects"
# A configuration of each project, how it is made small, and the names and sizes of its features.
MODELS = {
    "WCVL": ("WCVL/configs/Demo/wcvl_r18.yml", [], None),
    "DEx": ("DEx/configs/Demo/r18-ibn.yml", ["MODEL.HEADS.EMBEDDING_DIM", "8", "DEX.PARTS.WIDTH", "[]"], {"features": 88}),
    "Cybercore": (
        "CybercoreBaseline/configs/Demo/r18.yml",
        ["CYBERCORE.HEADS.DIM", "64", "TEST.FLIP.ENABLED", "False"],
        {"features": 64},
    ),
    "DSAM": ("DSAM/configs/Demo/S-D.yml", [], {"features": 512}),
    "EALN": ("EALN/configs/Demo/View-EALN.yml", [], {"fused": 1024, "embedding": 512, "by_view": 1024}),
}


def test_every_project_is_here():
    projects = {path.parent.name for path in PROJECTS.glob("*/train_net.py")}
    assert {file.split("/")[0] for file, *_ in MODELS.values()} == projects


@pytest.mark.parametrize("name", MODELS)
def test_onnx_of(name, vehicles, tmp_path):
    file, small, features = MODELS[name]
    config = str(PROJECTS / file)
    project = find_project(config)
    opts = [*small, "INPUT.SIZE_TEST", "[64, 64]", "MODEL.HEADS.NUM_CLASSES", "5", "MODEL.BACKBONE.PRETRAIN", "False"]
    torch.manual_seed(0)
    here = ["MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", str(tmp_path / "model.pth")]
    stage = project.trainer.stages(load_config(project.add_config, config, [*opts, *here]))[-1]
    network = project.trainer.build_model(stage).eval()
    torch.save({"model": network.state_dict()}, tmp_path / "model.pth")

    command = ["export", "--config-file", config, "--weights", tmp_path / "model.pth", "--output", tmp_path / "m.onnx"]
    command += ["--csv", vehicles, "--json", tmp_path / "m.json", "--opts", *opts]
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in command])
    assert ended.value.code == 0
    record = json.loads((tmp_path / "m.json").read_text())
    (parity,) = (found["parity"] for found in record["files"].values())
    assert parity["images"] == 12
    assert parity["difference"] < 1e-4
    if features:
        assert record["features"] == features
    assert record["project"] == (
        "" if project.trainer.__module__.startswith("vreid_common") else project.trainer.__module__.split(".")[0]
    )

    images = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    expected = model_features(network, [images], stage.TEST.FLIP.ENABLED)
    found = OnnxNetwork(tmp_path / "m.onnx")({"images": images})
    found = found if isinstance(found, dict) else {"features": found}
    assert list(record["features"]) == list(found) == list(expected)
    for feature, value in expected.items():
        torch.testing.assert_close(found[feature], value, atol=2e-4, rtol=1e-3)
