"""inference_on_dataset: what the model and the evaluator see, and what is left behind."""

import logging

import pytest
import torch
from fastreid.evaluation import DatasetEvaluator
from PIL import Image
from torch import nn

from vreid_common.config import get_vreid_cfg
from vreid_common.data import build_test_loader
from vreid_common.data.prefetch import DevicePrefetcher
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator, inference_on_dataset
from vreid_common.features import inference
from vreid_common.structures import FeatureSet


class Recorder(DatasetEvaluator):
    def reset(self):
        self.outputs = []

    def process(self, inputs, outputs):
        self.outputs.append(outputs)

    def evaluate(self):
        return None


class Model(nn.Module):
    """Changes what it is given in place, as FastReID's Baseline does; batch statistics in one frozen and one live layer."""

    def __init__(self, named=False):
        super().__init__()
        self.named = named
        self.live, self.frozen = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.frozen.eval()
        self.linear = nn.Linear(3 * 4 * 4, 5)

    def forward(self, batch):
        images = batch["images"].float() / 255
        features = self.linear(self.frozen(self.live(images)).flatten(1))
        return {"main": features, "twice": 2 * features} if self.named else features


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    return [{"images": torch.randint(0, 256, (4, 3, 4, 4), dtype=torch.uint8, generator=generator)} for _ in range(3)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Model()


def test_eval_mode_is_undone_module_by_module(model, batches):
    """Fault B6: FastReID's model.train() would wake the frozen layer."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inference_on_dataset(model, batches, Recorder())
    assert model.training
    assert model.live.training
    assert not model.frozen.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_modes_are_restored_after_an_error(model):
    batch_without_images = {}
    with pytest.raises(KeyError):
        inference_on_dataset(model, [batch_without_images], Recorder())
    assert model.live.training
    assert not model.frozen.training


def test_flip_is_the_mean_with_the_mirror_image_and_leaves_the_batch_alone(model, batches):
    """Fault B2: FastReID's flipped pass changes the batch, and normalises it twice."""
    before = [batch["images"].clone() for batch in batches]
    recorder = Recorder()
    assert inference_on_dataset(model, batches, recorder, flip=True) == {}
    assert all(torch.equal(batch["images"], images) for batch, images in zip(batches, before, strict=True))
    model.eval()
    with torch.no_grad():
        for images, output in zip(before, recorder.outputs, strict=True):
            expected = (model({"images": images}) + model({"images": torch.flip(images, [3])})) / 2
            torch.testing.assert_close(output, expected)


def test_named_features_are_flipped_each(batches):
    torch.manual_seed(0)
    recorder = Recorder()
    inference_on_dataset(Model(named=True), batches, recorder, flip=True)
    torch.testing.assert_close(recorder.outputs[0]["twice"], 2 * recorder.outputs[0]["main"])


def test_mixed_precision(model, batches):
    recorder = Recorder()
    inference_on_dataset(model, batches, recorder, amp_dtype=torch.bfloat16)
    assert recorder.outputs[0].dtype == torch.bfloat16
    assert not recorder.outputs[0].requires_grad


def test_any_iterable_of_batches(model, batches):
    recorder = Recorder()
    inference_on_dataset(model, iter(batches), recorder)
    assert len(recorder.outputs) == 3


@pytest.mark.parametrize("wrap", [lambda loader: loader, lambda loader: DevicePrefetcher(loader, "cpu")])
def test_a_loader_that_drops_images_is_found_out(model, batches, wrap):
    class Loader(list):
        dataset = range(13)

    with pytest.raises(InputError, match="12 of the 13 images"):
        inference_on_dataset(model, wrap(Loader(batches)), Recorder())


def test_lines_instead_of_a_bar_when_not_a_terminal(model, batches, caplog, monkeypatch):
    monkeypatch.setattr(inference, "_LOG_SECONDS", 0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    with caplog.at_level(logging.INFO):
        inference_on_dataset(model, batches, Recorder())
        assert "batch 3 of 3" in caplog.text
        assert "Extracted 12 features" in caplog.text
        caplog.clear()
        inference_on_dataset(model, batches, Recorder(), progress=False)
        assert "batch 3" not in caplog.text


def test_an_evaluation_knows_owners_names_and_copies(tmp_path, caplog):
    """From a CSV file of texts to the saved features, as in training; the query's copy in the gallery is no match."""
    rows = []
    for name, shade, row in (
        ("q", 10, "van-12,gate,query"), ("copy", 10, "van-12,,gallery"), ("far", 250, "van-12,yard,gallery"),
        ("near", 60, "bus-3,yard,gallery"), ("none", 90, "-1,,gallery"), ("lost", 70, ",,query"),
    ):  # fmt: skip
        Image.new("RGB", (8, 8), (shade, shade // 2, 255 - shade)).save(tmp_path / f"{name}.png")
        rows.append(f"{name}.png,{row}")
    (tmp_path / "cars.csv").write_text("\n".join(["path,vehicle_id,camera_id,split", *rows]))
    cfg = get_vreid_cfg()
    cfg.DATASETS.CSV.FILE, cfg.INPUT.SIZE_TEST, cfg.OUTPUT_DIR = str(tmp_path / "cars.csv"), [4, 4], str(tmp_path)
    cfg.TEST.NUM_WORKERS = 0
    loader, num_query = build_test_loader(cfg, "CSVVehicles")
    evaluator = VehicleEvaluator(cfg, num_query, tmp_path / "features")

    def mean_colour(batch):
        return batch["images"].float().mean(dim=(2, 3))

    with caplog.at_level(logging.INFO):
        found = inference_on_dataset(_Features(mean_colour), loader, evaluator)
    assert found["mAP"] == pytest.approx(100 / 3)  # behind bus-3 and the distractor
    assert "Left out of the rankings: 1 gallery images that are the query's own picture" in caplog.text
    assert "1 of them left out for want of a match (1 are of unknown vehicle)" in caplog.text
    query, gallery = (FeatureSet.load(tmp_path / "features" / f"main_{side}") for side in ("query", "gallery"))
    assert [images.name_of("pids", row) for images in (query, gallery) for row in range(len(images))] == [
        "van-12", None, "van-12", "van-12", "bus-3", None,
    ]  # fmt: skip
    assert query.image_digests[0] == gallery.image_digests[0] != gallery.image_digests[1]


class _Features(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, batch):
        return self.function(batch)
