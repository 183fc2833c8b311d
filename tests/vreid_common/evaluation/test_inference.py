"""inference_on_dataset: what the model and the evaluator see, and what is left behind."""

import logging

import pytest
import torch
from fastreid.evaluation import DatasetEvaluator
from torch import nn

from vreid_common.data.prefetch import DevicePrefetcher
from vreid_common.errors import InputError
from vreid_common.evaluation import inference_on_dataset
from vreid_common.features import inference


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
