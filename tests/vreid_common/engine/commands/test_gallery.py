"""``vreid gallery``: built from images and from features, added to, removed from, described."""

import json

import numpy as np
import pytest
import torch

from vreid_common.gallery import load_gallery
from vreid_common.structures import FeatureSet


@pytest.fixture
def gallery(vreid, model, vehicles, tmp_path):
    """A gallery of the 8 gallery images."""
    vreid("gallery", "build", tmp_path / "g", "--csv", vehicles, *model, "--combine", "mean")
    return tmp_path / "g"


def test_built_of_a_csv_file_s_gallery_images(gallery, vreid, model, vehicles, tmp_path):
    vreid("extract", "--csv", vehicles, *model, "--combine", "mean", "--output", tmp_path / "f")
    expected, found = FeatureSet.load(tmp_path / "f_gallery"), load_gallery(gallery).images
    torch.testing.assert_close(found.features, expected.features, atol=1e-5, rtol=1e-5)
    assert found.paths == expected.paths
    assert found.pids.tolist() == expected.pids.tolist()


def test_built_of_features_with_an_index(vreid, tmp_path):
    features = torch.randn(300, 8, generator=torch.Generator().manual_seed(0))
    FeatureSet.create(features, torch.arange(300) % 7, torch.arange(300) % 3).save(tmp_path / "f")
    said = vreid("gallery", "build", tmp_path / "g", "--features", tmp_path / "f", "--index", "hnsw", "--recall", 0.9)
    found = load_gallery(tmp_path / "g")
    assert f"300 images, 8 dimensions, cosine, hnsw looking at {found.index.effort} images in view, recall " in said
    assert f"recall {found.index.recall.value:.4f} of the 100 nearest, measured with 256 of the images" in said
    vreid("gallery", "info", tmp_path / "g", "--json", tmp_path / "about.json")
    about = json.loads((tmp_path / "about.json").read_text())
    assert (about["vehicles"], about["cameras"], about["tracks"], about["images"]) == (7, 3, 0, 300)
    assert about["recall"] == {"value": found.index.recall.value, "ranks": 100, "queries": 256}


def test_images_added_by_the_gallery_s_own_model_and_removed(gallery, vreid, vehicles, tmp_path):
    (tmp_path / "new").mkdir()
    for name in ("0_0_0.png", "1_1_1.png"):
        (tmp_path / "new" / name).write_bytes((vehicles.parent / name).read_bytes())
    assert "10 images" in vreid("gallery", "add", gallery, "--images", tmp_path / "new")
    assert load_gallery(gallery).images.paths[8:] == (f"{tmp_path}/new/0_0_0.png", f"{tmp_path}/new/1_1_1.png")
    assert "9 images" in vreid("gallery", "remove", gallery, tmp_path / "new" / "0_0_0.png")
    (tmp_path / "list.txt").write_text("\n".join(load_gallery(gallery).images.paths[:3]) + "\n\n")
    assert "6 images" in vreid("gallery", "remove", gallery, "--list", tmp_path / "list.txt")
    said = vreid("gallery", "info", gallery)
    assert "vehicles" in said
    assert "features by" in said
    assert "model.pth" in said


def test_a_gallery_is_replaced_by_building_it_again(gallery, vreid, model, vehicles):
    vreid("gallery", "build", gallery, "--images", vehicles.parent, *model)
    assert len(load_gallery(gallery).images) == 42


def _list(path, folder, rows):
    path.write_text("path,vehicle_id,camera_id,split\n" + "".join(f"{folder}/{row}\n" for row in rows))
    return path


class TestTwoListsOfNames:
    """Their ids are numbered by each file for itself, so that one number is of different vehicles."""

    @pytest.fixture
    def lists(self, vehicles, tmp_path):
        first = [
            "0_0_0.png,van-12,gate,gallery",
            "1_1_1.png,bus-3,yard,gallery",
            "2_0_0.png,-1,,gallery",
            "0_1_1.png,van-12,gate,query",
        ]
        second = ["1_0_0.png,bus-3,yard,gallery", "3_0_0.png,car-1,dock,gallery", "3_1_1.png,car-1,gate,train"]
        return [_list(tmp_path / f"{name}.csv", vehicles.parent, rows) for name, rows in (("a", first), ("b", second))]

    def test_from_build_to_search_and_evaluation(self, lists, vreid, model, vehicles, tmp_path):
        first, second = lists
        vreid("gallery", "build", tmp_path / "g", "--csv", first, *model, "--combine", "mean")
        vreid("gallery", "add", tmp_path / "g", "--csv", second, "--splits", "gallery,train")
        images = load_gallery(tmp_path / "g").images
        names = [[images.name_of(label, row) for row in range(6)] for label in ("pids", "camids")]
        assert names == [["van-12", "bus-3", None, "bus-3", "car-1", "car-1"], ["gate", "yard", None, "yard", "dock", "gate"]]
        assert len(images.pids.unique()) == 4

        vreid("search", tmp_path / "g", vehicles.parent / "0_1_1.png", "--top", 6, "--json", tmp_path / "found.json")
        (query,) = json.loads((tmp_path / "found.json").read_text())["queries"]
        found = {match["image"].rpartition("/")[2]: (match["vehicle"], match["camera"]) for match in query["matches"]}
        assert found["3_1_1.png"] == ("car-1", "gate")
        assert found["2_0_0.png"] == (None, None)

        vreid("extract", "--csv", first, *model, "--combine", "mean", "--output", tmp_path / "f")
        vreid("extract", "--csv", second, *model, "--combine", "mean", "--splits", "gallery,train", "--output", tmp_path / "h")
        query, gallery = FeatureSet.load(tmp_path / "f_query"), FeatureSet.load(tmp_path / "h_train")
        assert (query.pids.tolist(), gallery.pids.tolist()) == ([1], [1])  # of van-12 and car-1
        said = vreid("evaluate", "--query", tmp_path / "f_query", "--gallery", tmp_path / "h_train", status=2)
        assert "None of the 1 queries has a match" in said

    def test_features_of_another_model_are_refused(self, lists, vreid, model, tmp_path):
        vreid("extract", "--csv", lists[0], *model, "--combine", "mean", "--output", tmp_path / "f")
        vreid("extract", "--csv", lists[1], *model, "--output", tmp_path / "h")
        vreid("gallery", "build", tmp_path / "g", "--features", tmp_path / "f_gallery")
        said = vreid("gallery", "add", tmp_path / "g", "--features", tmp_path / "h_gallery", status=2)
        assert "The gallery and the set of new images come from one model, but were made differently (combine)" in said
        said = vreid("search", tmp_path / "g", "--query", tmp_path / "h_gallery", status=2)
        assert "made differently (combine)" in said
        said = vreid("evaluate", "--query", tmp_path / "f_query", "--gallery", tmp_path / "h_gallery", status=2)
        assert f"{tmp_path / 'f_query'} and {tmp_path / 'h_gallery'} come from one model" in said

    def test_numbers_of_unknown_origin_are_refused(self, lists, vreid, model, tmp_path):
        vreid("gallery", "build", tmp_path / "g", "--csv", lists[0], *model)
        width = load_gallery(tmp_path / "g").images.features.shape[1]
        np.savez(tmp_path / "other.npz", features=np.ones((1, width)), pids=np.array([0]))
        said = vreid("gallery", "add", tmp_path / "g", "--features", tmp_path / "other.npz", status=2)
        assert (
            "The gallery has a vehicle 'bus-3', but the set of new images has only numbers for its vehicles, such as 0" in said
        )


class TestBadInput:
    def test_what_goes_in(self, vreid, model, vehicles, tmp_path):
        build = ("gallery", "build", tmp_path / "g")
        assert "Say what goes into the gallery" in vreid(*build, *model, status=2)
        assert "--features takes the place of images" in vreid(*build, "--features", "x", "--images", "y", status=2)
        assert "x.safetensors is missing" in vreid(*build, "--features", tmp_path / "x", status=2)
        assert "Name a model" in vreid(*build, "--images", vehicles.parent, status=2)
        assert not (tmp_path / "g").exists()

    def test_another_model(self, gallery, vreid, config_file, weights, vehicles, tmp_path):
        other = tmp_path / "other.pth"
        state = torch.load(weights, weights_only=True)["model"]
        torch.save({"model": {**state, "heads.bottleneck.0.bias": torch.ones(512)}}, other)
        said = vreid(
            "gallery", "add", gallery, "--images", vehicles.parent, "--config-file", config_file, "--weights", other, status=2
        )
        assert said == f"error: The gallery's features come from another model than {other}: they cannot be compared.\n"

    def test_the_model_is_gone(self, gallery, vreid, weights, vehicles):
        weights.unlink()
        assert "model.pth does not exist" in vreid("gallery", "add", gallery, "--images", vehicles.parent, status=2)

    def test_features_whose_model_is_not_known(self, vreid, vehicles, tmp_path):
        FeatureSet.create(torch.eye(4), [1, 2, 3, 4]).save(tmp_path / "f")
        vreid("gallery", "build", tmp_path / "g", "--features", tmp_path / "f")
        said = vreid("gallery", "add", tmp_path / "g", "--images", vehicles.parent, status=2)
        assert "The gallery was built from features: name their model" in said
        assert "built from features" in vreid("gallery", "info", tmp_path / "g")

    def test_what_to_remove(self, gallery, vreid, tmp_path):
        assert "Name the images to remove" in vreid("gallery", "remove", gallery, status=2)
        assert "x.jpg is not in the gallery" in vreid("gallery", "remove", gallery, "x.jpg", status=2)
        assert "--list" in vreid("gallery", "remove", gallery, "--list", tmp_path / "none.txt", status=2)
        assert "is no gallery" in vreid("gallery", "remove", tmp_path, "x.jpg", status=2)


def test_interrupted(gallery, vreid, vehicles, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vreid_common.engine.extraction.Extraction.extract", interrupt)
    vreid("gallery", "add", gallery, "--images", vehicles.parent, status=130)
    assert len(load_gallery(gallery).images) == 8
