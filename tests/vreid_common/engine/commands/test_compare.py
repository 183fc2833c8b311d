"""``vreid compare``: two images, two folders, and its sentences."""

import json
import re
import shutil

import numpy as np
import pytest
import torch

from vreid_common.data import build_transforms, read_image


@pytest.fixture
def feature(network, tiny):
    """A function: an image file to its feature (512,) by hand."""

    def compute(path) -> np.ndarray:
        image = build_transforms(tiny(), is_train=False)(read_image(path))[None]
        with torch.no_grad():
            return network({"images": image})[0].double().numpy()

    return compute


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture
def folders(vehicles, tmp_path):
    """Folders of 3 and of 2 images."""
    for name, images in {"one": ["0_0_0", "1_0_0", "2_0_0"], "two": ["0_1_1", "2_1_1"]}.items():
        (tmp_path / name).mkdir()
        for image in images:
            shutil.copy(vehicles.parent / f"{image}.png", tmp_path / name)
    return tmp_path / "one", tmp_path / "two"


@pytest.mark.parametrize("metric", ["cosine", "euclidean", None])
def test_two_images(vreid, model, vehicles, feature, metric):
    images = vehicles.parent / "0_0_0.png", vehicles.parent / "1_0_0.png"
    said = vreid("compare", *images, *model, "--combine", "mean", *(["--metric", metric] if metric else []))
    a, b = (feature(image) for image in images)
    distance = ((a - b) ** 2).sum() if metric == "euclidean" else 1 - cosine(a, b)
    name = "squared Euclidean distance" if metric == "euclidean" else "cosine distance"
    found = re.fullmatch(rf"cosine similarity (\S+), {name} (\S+)\nThese say how alike .*, not whether .*\n", said)
    assert [float(number) for number in found.groups()] == pytest.approx([cosine(a, b), distance], abs=2e-4)


def test_two_folders(vreid, model, folders, feature, tmp_path):
    out = tmp_path / "pairs.json"
    said = vreid("compare", *folders, *model, "--combine", "mean", "--json", out)
    pairs = json.loads(out.read_text())["pairs"]
    assert len(pairs) == 6
    assert len(said.splitlines()) == 2 + 6
    for start in (0, 2, 4):
        of_one = pairs[start : start + 2]
        assert len({pair["first"] for pair in of_one}) == 1
        assert of_one[0]["distance"] <= of_one[1]["distance"]
    for pair in pairs:
        assert pair["cosine"] == pytest.approx(cosine(feature(pair["first"]), feature(pair["second"])), abs=1e-5)
        assert pair["distance"] == pytest.approx(1 - pair["cosine"], abs=1e-6)


def test_the_nearest_only(vreid, model, folders, tmp_path):
    every, nearest = tmp_path / "every.json", tmp_path / "nearest.json"
    vreid("compare", *folders, *model, "--json", every)
    vreid("compare", *folders, *model, "--json", nearest, "--top", 1)
    every, nearest = (json.loads(path.read_text())["pairs"] for path in (every, nearest))
    assert [pair["first"] for pair in nearest] == [pair["first"] for pair in every[::2]]
    assert [pair["second"] for pair in nearest] == [pair["second"] for pair in every[::2]]


def test_an_image_and_itself(vreid, model, vehicles):
    image = vehicles.parent / "0_0_0.png"
    assert "cosine similarity 1.0000" in vreid("compare", image, image, *model)


class TestBadInput:
    def test_paths(self, vreid, model, vehicles, tmp_path):
        image = vehicles.parent / "0_0_0.png"
        assert f"There is no image or folder {tmp_path}/none.jpg." in vreid(
            "compare", image, tmp_path / "none.jpg", *model, status=2
        )
        (tmp_path / "empty").mkdir()
        assert "There are no images in" in vreid("compare", image, tmp_path / "empty", *model, status=2)
        (tmp_path / "torn.png").write_bytes(image.read_bytes()[:90])
        assert "Cannot read the image" in vreid("compare", image, tmp_path / "torn.png", *model, status=2)
        said = vreid("compare", image, image, *model, "--json", tmp_path / "no" / "x.json", status=2)
        assert f"x.json cannot be written: there is no folder {tmp_path}/no." in said

    def test_no_model(self, vreid, vehicles):
        image = vehicles.parent / "0_0_0.png"
        assert vreid("compare", image, image, status=2) == "error: Name a model: --config-file and --weights, or --onnx.\n"
