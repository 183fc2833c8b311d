"""ONNX files and torch.export programs: what they compute, what they say of themselves, and what is refused."""

import io
import sys
import zipfile
from pathlib import Path

import onnx
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.export import (
    DeployedNetwork,
    OnnxNetwork,
    ProgramNetwork,
    measure_parity,
    model_features,
    trace,
    write_onnx,
    write_program,
)
from vreid_common.features import file_digest

KINDS = {
    "onnx": (write_onnx, OnnxNetwork),
    "pt2": (write_program, lambda path: ProgramNetwork(path, file_digest(path))),
}


@pytest.fixture
def export(baseline, make_record, tmp_path):
    """A function: (kind, attributes of the record) to the exported ``baseline`` as a model."""

    def run(kind: str, **changes):
        record = make_record(**changes)
        network = DeployedNetwork(baseline, record.preprocessing, record.size, record.crop, record.flip)
        write, reader = KINDS[kind]
        write(trace(network, record.input_size), tmp_path / f"model.{kind}", record)
        return reader(tmp_path / f"model.{kind}")

    return run


@pytest.mark.parametrize(("kind", "preprocessing"), [("onnx", "none"), ("pt2", "normalize")])
def test_feature_it_computes_what_the_model_computes(kind, preprocessing, baseline, images, export):
    flip = preprocessing == "none"
    exported = export(kind, preprocessing=preprocessing, flip=flip)
    expected = model_features(baseline, [images], flip)
    for batches in ([images], images.split(1), images.split([2, 3])):
        parity = measure_parity(model_features(exported, batches, flip=False), expected)
        assert parity.images == 5
        assert parity.difference < 1e-4
    assert exported.record.preprocessing == preprocessing


@pytest.mark.parametrize("kind", KINDS)
def test_feature_the_graph_resizes_images_of_any_size(kind, baseline, export):
    exported = export(kind, preprocessing="resize", crop=(28, 28))
    for batch, height, width in ((1, 90, 51), (3, 20, 33), (2, 32, 40)):
        generator = torch.Generator().manual_seed(3)
        images = torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8, generator=generator)
        expected = DeployedNetwork(baseline, "resize", (32, 40), (28, 28))(images)[0]
        torch.testing.assert_close(exported({"images": images}), expected, atol=1e-3, rtol=1e-3)


def test_feature_the_onnx_file_says_what_it_is(export, baseline, images, tmp_path):
    exported = export("onnx", features={"main": 8})
    with torch.no_grad():
        torch.testing.assert_close(exported({"images": images}), baseline({"images": images}), atol=1e-4, rtol=1e-4)
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    shapes = {value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in model.graph.input}
    assert shapes == {"images": ["batch", 3, 32, 40]}
    (output,) = model.graph.output
    assert output.name == "main"
    assert [d.dim_param or d.dim_value for d in output.type.tensor_type.shape.dim] == ["batch", 8]
    properties = {entry.key: entry.value for entry in model.metadata_props}
    assert properties["vreid.checkpoint"] == '"c0ffee"'
    assert properties["vreid.size"] == "[32, 40]"
    assert sys.prefix.encode() not in (tmp_path / "model.onnx").read_bytes()  # no paths of this machine
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]  # the weights are inside


class TestBadInput:
    def test_images_of_another_size_or_type(self, export, images):
        exported = export("pt2")
        with pytest.raises(InputError, match="takes uint8 images of 32x40 pixels, got torch.uint8 of 31x40."):
            exported({"images": images[..., :31, :]})
        with pytest.raises(InputError, match="got torch.float32 of 32x40"):
            exported({"images": images.float()})

    def test_files_of_other_kinds(self, tmp_path):
        with pytest.raises(InputError, match="none.onnx does not exist"):
            OnnxNetwork(tmp_path / "none.onnx")
        with pytest.raises(InputError, match="is a folder"):
            OnnxNetwork(tmp_path)
        for content in (b"", b"not a graph"):
            (tmp_path / "x.onnx").write_bytes(content)
            with pytest.raises(InputError, match="x.onnx is not an ONNX file, or it is damaged."):
                OnnxNetwork(tmp_path / "x.onnx")

    def test_a_changed_onnx_file(self, export, tmp_path):
        """One bit of a weight, and metadata that was edited: both are no longer what parity was measured of."""
        exported = export("onnx")
        path, content = tmp_path / "model.onnx", (tmp_path / "model.onnx").read_bytes()
        weights = next(iter(onnx.load(path).graph.initializer)).raw_data[:16]
        place = content.index(weights) + 7
        for changed in (
            content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :],
            content.replace(b'"c0ffee"', b'"c0ffed"'),
            content.replace(b"vreid.sha256", b"vreid.sha255"),
        ):
            path.write_bytes(changed)
            with pytest.raises(
                InputError, match=r"model\.onnx (is damaged, or was changed after|lacks the digest of) `vreid export`"
            ):
                OnnxNetwork(path)
        path.write_bytes(content)
        assert OnnxNetwork(path).record == exported.record

    def test_an_onnx_file_has_no_other_file_read(self, export, tmp_path):
        """Weights that lie outside of the file, as a stranger's graph may name any."""
        export("onnx")
        model = onnx.load(tmp_path / "model.onnx")
        onnx.save(model, tmp_path / "model.onnx", save_as_external_data=True, location="secret.bin", size_threshold=0)
        assert (tmp_path / "secret.bin").stat().st_size > 0
        with pytest.raises(InputError, match="model.onnx is not an ONNX file, or it is damaged"):
            OnnxNetwork(tmp_path / "model.onnx")

    def test_a_program_of_somebody_else(self, export, tmp_path):
        """torch.export.load runs what a .pt2 has pickled in the place of its weights, so it must not get that far."""

        class Trap:
            def __reduce__(self):
                return Path.touch, (tmp_path / "ran",)

        export("pt2")
        path, pickled = tmp_path / "model.pt2", io.BytesIO()
        known = file_digest(path)
        torch.save(Trap(), pickled)
        with zipfile.ZipFile(path) as source:
            members = {name: source.read(name) for name in source.namelist()}
        with zipfile.ZipFile(path, "w") as target:
            for name, content in members.items():
                if name.endswith("weights_config.json"):
                    content = content.replace(b'"use_pickle": false', b'"use_pickle": true')
                target.writestr(name, pickled.getvalue() if "/weights/weight_" in name else content)
        with pytest.raises(
            InputError, match=r"model\.pt2 is not the file with the SHA-256 [0-9a-f]{64}: reading another could run"
        ):
            ProgramNetwork(path, known)
        assert not (tmp_path / "ran").exists()
        with pytest.raises(InputError, match="none.pt2 cannot be read: No such file"):
            ProgramNetwork(tmp_path / "none.pt2", known)

    def test_somebody_else_s_onnx_file(self, tmp_path):
        value = onnx.helper.make_tensor_value_info
        float32 = onnx.TensorProto.FLOAT
        node = onnx.helper.make_node("Identity", ["images"], ["y"])
        graph = onnx.helper.make_graph([node], "g", [value("images", float32, [1])], [value("y", float32, [1])])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10)
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(InputError, match="other.onnx lacks the metadata of `vreid export`"):
            OnnxNetwork(tmp_path / "other.onnx")

    def test_without_the_extra(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(InputError, match=r"ONNX files need the package onnxruntime: run pip install 'vreid\[export\]'."):
            OnnxNetwork(tmp_path / "x.onnx")
