"""``vreid gallery``: built from images and from features, added to, removed from, described."""

import json

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
