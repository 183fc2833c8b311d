"""``vreid export``, and ``--onnx`` in the place of a checkpoint."""

import json
import sys

import onnx
import torch

from vreid_common.engine.commands import export as export_module
from vreid_common.export import OnnxNetwork, Parity
from vreid_common.features import file_digest
from vreid_common.structures import FeatureSet


def test_both_kinds_with_their_parity(vreid, model, weights, network, tmp_path):
    said = vreid(
        "export", *model, "--output", tmp_path / "m.onnx", "--output", tmp_path / "m.pt2", "--json", tmp_path / "m.json",
        "--opts", "TEST.FLIP.ENABLED", "True",
    )  # fmt: skip
    record = json.loads((tmp_path / "m.json").read_text())
    assert record["checkpoint"] == file_digest(weights)
    assert (record["size"], record["flip"], record["features"]) == ([32, 32], True, {"features": 512})
    assert (record["architecture"], record["project"], record["preprocessing"]) == ("Baseline", "", "normalize")
    for kind in ("onnx", "pt2"):
        parity = record["files"][str(tmp_path / f"m.{kind}")]["parity"]
        assert parity["images"] == 12  # the test images of the configuration
        assert parity["difference"] < 1e-4
        assert f"m.{kind}: " in said
        assert record["files"][str(tmp_path / f"m.{kind}")]["sha256"] == file_digest(tmp_path / f"m.{kind}")
    assert "images (batch, 3, 32, 32) uint8 RGB -> features (batch, 512)" in said
    assert "parity: 12 images, largest relative difference " in said
    images = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        expected = (network({"images": images}) + network({"images": images.flip(3)})) / 2
    torch.testing.assert_close(OnnxNetwork(tmp_path / "m.onnx")({"images": images}), expected, atol=1e-4, rtol=1e-4)


def test_resizing_in_the_graph_is_compared_with_real_images(vreid, model, photos, tmp_path):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for path in sorted((photos / "images").iterdir())[:5]:
        (chosen / path.name).symlink_to(path)
    output = ("--output", tmp_path / "m.pt2", "--json", tmp_path / "m.json")
    said = vreid("export", *model, *output, "--preprocessing", "resize", "--images", chosen)
    assert "images (batch, 3, height, width) uint8 RGB -> features (batch, 512)" in said
    found = json.loads((tmp_path / "m.json").read_text())["files"][str(tmp_path / "m.pt2")]
    assert found["parity"]["difference"] < 1e-4
    assert found["parity, resized in the graph"]["images"] == 5
    assert found["parity, resized in the graph"]["cosine"] > 0.9999


def test_an_onnx_file_in_the_place_of_its_checkpoint(vreid, model, vehicles, tmp_path):
    file = tmp_path / "m.onnx"
    vreid("export", *model, "--output", file)
    common = ("--csv", vehicles, "--flip", "--combine", "mean")
    vreid("extract", *model, *common, "--output", tmp_path / "theirs")
    vreid("extract", "--onnx", file, *common, "--output", tmp_path / "ours")
    for split in ("query", "gallery"):
        ours, theirs = (FeatureSet.load(tmp_path / f"{side}_{split}") for side in ("ours", "theirs"))
        assert ours.paths == theirs.paths
        assert ours.pids.tolist() == theirs.pids.tolist()
        difference = (ours.features - theirs.features).norm(dim=1) / theirs.features.norm(dim=1)
        assert difference.max() < 1e-4

    vreid("gallery", "build", tmp_path / "g", "--csv", vehicles, *model)
    search = ("search", tmp_path / "g", vehicles.parent / "7_0_0.png")
    assert vreid(*search) == vreid(*search, "--onnx", file)

    extract = ("extract", "--onnx", file, "--csv", vehicles, "--output", tmp_path / "f")
    assert "--onnx takes the place of --config-file" in vreid(*extract, *model, status=2)
    assert "--amp and --scales need the checkpoint" in vreid(*extract, "--scales", "1,1.2", status=2)
    assert "--amp and --scales need the checkpoint" in vreid(*extract, "--amp", "bf16", status=2)
    content = onnx.load(file)
    next(entry for entry in content.metadata_props if entry.key == "vreid.flip").value = "true"
    onnx.save(content, file)
    assert "m.onnx is damaged, or was changed after `vreid export` wrote it" in vreid(*search, "--onnx", file, status=2)
    vreid("export", *model, "--output", file, "--opts", "TEST.FLIP.ENABLED", "True")
    assert "The gallery's features come from another model than" in vreid(*search, "--onnx", file, status=2)
    del content.metadata_props[:]
    onnx.save(content, file)
    assert "lacks the metadata of `vreid export`" in vreid(*extract, status=2)
    file.unlink()
    assert "m.onnx does not exist" in vreid(*extract, status=2)


def test_a_file_without_parity_is_not_there(vreid, model, tmp_path, monkeypatch):
    (tmp_path / "m.pt2").write_text("what was there before")
    monkeypatch.setattr(export_module, "measure_parity", lambda *_: Parity(12, float("nan"), 1.0))
    said = vreid("export", *model, "--output", tmp_path / "m.pt2", status=1)
    assert "m.pt2 is not written, as it computes something else than the model" in said
    assert (tmp_path / "m.pt2").read_text() == "what was there before"
    assert [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


class TestBadInput:
    def test_outputs(self, vreid, model, tmp_path):
        assert "the name has to end in .onnx or .pt2." in vreid("export", *model, "--output", tmp_path / "m.pb", status=2)
        assert "there is no folder" in vreid("export", *model, "--output", tmp_path / "no" / "m.onnx", status=2)

    def test_several_models(self, vreid, model, weights, tmp_path):
        more = ("--weights", weights, "--output", tmp_path / "m.onnx")
        assert "A file holds one model" in vreid("export", *model, *more, status=2)

    def test_without_the_extra(self, vreid, model, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxscript", None)
        said = vreid("export", *model, "--output", tmp_path / "m.onnx", status=2)
        assert said == "error: ONNX files need the package onnxscript: run pip install 'vreid[export]'.\n"
