"""FeatureSet: what it takes, what it refuses, and that what is saved is what is loaded."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, FeatureSet, LabelNames, VehicleImage


@pytest.fixture
def images() -> FeatureSet:
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    labels = [3, 1, 2, 1, 3], [0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [0, 1, 2, -1, 0]
    return FeatureSet.create(features, *labels, paths=list("abcde"), timestamps=[90, 20, -1, 40, 20])


def same(a: FeatureSet, b: FeatureSet) -> bool:
    return a.paths == b.paths and all(
        torch.equal(getattr(a, name), getattr(b, name))
        for name in ("features", "pids", "camids", "track_ids", "view_ids", "timestamps")
    )


class TestCreate:
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_other_float_types_become_float32(self, dtype):
        features = torch.tensor([[0.5, 1.0], [2.0, -4.0]], dtype=dtype)
        assert torch.equal(FeatureSet.create(features, [0, 1]).features, features.float())

    def test_numpy_in(self):
        images = FeatureSet.create(np.ones((2, 4)), np.array([7, 8], np.int32))
        assert images.features.dtype == torch.float32
        assert images.pids.tolist() == [7, 8]

    def test_what_is_not_given_is_unknown(self):
        images = FeatureSet.create(torch.zeros(2, 1), [0, 0])
        for label in (images.camids, images.track_ids, images.view_ids, images.timestamps):
            assert label.tolist() == [UNKNOWN, UNKNOWN]
        assert images.paths == ("", "")

    def test_of_items(self):
        items = [VehicleImage("a", 3, 1, 2, 0, timestamp=70), VehicleImage("b", 4, 5)]
        found = FeatureSet.from_items(torch.eye(2), items)
        assert same(found, FeatureSet.create(torch.eye(2), [3, 4], [1, 5], [2, -1], [0, -1], ["a", "b"], [70, -1]))


class TestRefusals:
    def test_wrong_number_of_labels(self):
        with pytest.raises(ValueError, match=r"camids are \(2,\) int64 .* 2 features"):
            FeatureSet.create(torch.zeros(2, 1), [0, 0], [1])

    def test_wrong_number_of_paths(self):
        with pytest.raises(ValueError, match="2 features but 1 paths"):
            FeatureSet.create(torch.zeros(2, 1), [0, 0], paths=["a"])

    def test_features_of_one_dimension(self):
        with pytest.raises(ValueError, match=r"\(N, D\) float32"):
            FeatureSet.create(torch.zeros(2), [0, 0])

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_not_finite_names_the_row_and_the_image(self, value):
        features = torch.zeros(4, 2)
        features[2, 1] = value
        with pytest.raises(InputError, match=r"row 2 \(c\.jpg\) is not finite, one of 1 of 4"):
            FeatureSet.create(features, [0] * 4, paths=["a.jpg", "b.jpg", "c.jpg", "d.jpg"])

    def test_large_finite_features_whose_sum_overflows_are_accepted(self):
        assert len(FeatureSet.create(torch.full((4, 2), 3e38), [0] * 4)) == 4


class TestSelect:
    def test_indices_keep_their_order(self, images):
        chosen = images.select([4, 0])
        assert chosen.paths == ("e", "a")
        assert chosen.track_ids.tolist() == [9, 5]
        assert torch.equal(chosen.features, images.features[[4, 0]])

    def test_mask_slice_and_indices_agree(self, images):
        mask = np.array([False, True, True, False, False])
        assert same(images.select(mask), images.select([1, 2]))
        assert same(images.select(slice(1, 3)), images.select([1, 2]))

    @pytest.mark.parametrize("index", [-1, 5])
    def test_out_of_range(self, images, index):
        with pytest.raises(IndexError, match="5 images"):
            images.select([0, index])


class TestFiles:
    @pytest.mark.parametrize("name", ["set", "set.v2", "sub/set.safetensors"])
    def test_round_trip(self, images, tmp_path, name):
        images.save(tmp_path / name)
        assert same(FeatureSet.load(tmp_path / name), images)
        assert not list(tmp_path.rglob("*.tmp"))

    def test_a_set_of_before_there_were_timestamps(self, images, tmp_path):
        images.save(tmp_path / "set")
        with safe_open(tmp_path / "set.safetensors", framework="pt") as file:
            content, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
        del content["timestamps"], content["image_digests"]
        save_file(content, tmp_path / "set.safetensors", metadata)
        record = {"format": "vreid-features-1", "mark": metadata["mark"], "shape": [5, 3], "paths": list(images.paths)}
        (tmp_path / "set.json").write_text(json.dumps(record))
        old = FeatureSet.load(tmp_path / "set")
        assert old.timestamps.tolist() == old.image_digests.tolist() == [UNKNOWN] * 5
        assert old.names == LabelNames()
        assert old.model is None
        assert torch.equal(old.view_ids, images.view_ids)

    @pytest.mark.parametrize("suffix", ["safetensors", "json"])
    def test_a_flipped_bit_is_found(self, images, tmp_path, suffix):
        images.save(tmp_path / "set")
        file = tmp_path / f"set.{suffix}"
        content = bytearray(file.read_bytes())
        place = content.index(b'"a"') + 1 if suffix == "json" else len(content) - 5
        content[place] ^= 2
        file.write_bytes(content)
        with pytest.raises(InputError, match=r"set\.safetensors or set\.json is damaged \(its digest is another\)"):
            FeatureSet.load(tmp_path / "set")

    def test_names_model_and_digests_are_kept(self, tmp_path):
        items = [VehicleImage("a", 0, 1, 2, vehicle="van-12", camera="gate"), VehicleImage("b", 7, UNKNOWN, track="t")]
        model = {"origins": [{"checkpoint": "c"}], "flip": True}
        saved = replace(FeatureSet.from_items(torch.eye(2), items), model=model, image_digests=torch.tensor([5, UNKNOWN]))
        saved.save(tmp_path / "set")
        found = FeatureSet.load(tmp_path / "set")
        assert (found.names, found.model, found.image_digests.tolist()) == (saved.names, model, [5, UNKNOWN])
        assert [found.names.of("pids", pid) for pid in found.pids.tolist()] == ["van-12", "7"]
        assert [found.names.of("camids", camid) for camid in found.camids.tolist()] == ["gate", None]

    def test_empty_set(self, tmp_path):
        FeatureSet.create(torch.empty(0, 7), []).save(tmp_path / "none")
        assert FeatureSet.load(tmp_path / "none").features.shape == (0, 7)

    def test_missing_half(self, images, tmp_path):
        images.save(tmp_path / "set")
        (tmp_path / "set.json").unlink()
        with pytest.raises(InputError, match=r"set\.json is missing"):
            FeatureSet.load(tmp_path / "set")

    def test_halves_of_two_saves(self, images, tmp_path):
        images.save(tmp_path / "a")
        images.save(tmp_path / "b")
        (tmp_path / "b.json").replace(tmp_path / "a.json")
        with pytest.raises(InputError, match="not written together"):
            FeatureSet.load(tmp_path / "a")

    @pytest.mark.parametrize("suffix", ["safetensors", "json"])
    def test_damaged(self, images, tmp_path, suffix):
        images.save(tmp_path / "set")
        file = tmp_path / f"set.{suffix}"
        file.write_bytes(file.read_bytes()[:20])
        with pytest.raises(InputError, match=r"set\.safetensors"):
            FeatureSet.load(tmp_path / "set")

    def test_foreign_json(self, images, tmp_path):
        images.save(tmp_path / "set")
        (tmp_path / "set.json").write_text(json.dumps(["a.jpg"]))
        with pytest.raises(InputError, match="not the list of a feature set"):
            FeatureSet.load(tmp_path / "set")
