"""Extractor: order and labels, in memory and through a store, killed and resumed, on one process and two."""

import re
import signal
import time
from multiprocessing import Process, get_context
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torchvision.transforms import PILToTensor

from vreid_common.data import ImageReadError, ItemDataset, read_folder
from vreid_common.errors import InputError
from vreid_common.features import Ensemble, Extractor, open_store
from vreid_common.structures import FeatureSet


class Mean(nn.Module):
    """The mean colour of each image as its feature, which tells images apart; ``seen`` lists the sizes of its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[int] = []

    def forward(self, batch):
        self.seen.append(len(batch["images"]))
        return batch["images"].float().mean(dim=(2, 3))


def colours(dataset) -> torch.Tensor:
    return torch.stack([dataset[i]["images"].float().mean(dim=(1, 2)) for i in range(len(dataset))])


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("count", "batch_size"), [(1, 4), (7, 1), (7, 3), (8, 4), (5, 100)])
def test_features_labels_and_paths_in_the_data_sets_order(make_dataset, count, batch_size, workers):
    dataset = make_dataset(count)
    found = Extractor(Mean(), batch_size=batch_size, num_workers=workers).extract(dataset)
    torch.testing.assert_close(found.features, colours(dataset))
    assert found.features.dtype == torch.float32
    assert found.paths == tuple(item.path for item in dataset.img_items)
    for name in ("pids", "camids", "track_ids", "view_ids", "timestamps"):
        assert getattr(found, name).tolist() == [getattr(item, name.removesuffix("s")) for item in dataset.img_items]


@pytest.mark.parametrize(("batch_size", "shard_size"), [(2, 4), (3, 3), (4, 2), (1, 5), (50, 50)])
def test_a_store_gets_the_same(make_dataset, tmp_path, batch_size, shard_size):
    dataset, model = make_dataset(11), Mean()
    with open_store(tmp_path / "store", {}, 11, shard_size) as store:
        Extractor(model, batch_size=batch_size).fill(dataset, store)
        assert torch.equal(store.load(), colours(dataset))
    assert sum(model.seen) == 11


def test_only_what_is_missing_is_extracted(make_dataset, tmp_path):
    dataset, model = make_dataset(11), Mean()
    extractor = Extractor(model, batch_size=2)
    with open_store(tmp_path / "store", {}, 11, 4) as store:
        store.write(1, torch.zeros(4, 3))
        extractor.fill(dataset, store)
        assert model.seen == [2, 2, 2, 1]
        assert torch.equal(store.load()[4:8], torch.zeros(4, 3))
        extractor.fill(dataset, store)
        assert model.seen == [2, 2, 2, 1]


def test_fastreid_s_baselines_as_an_ensemble(baselines, make_dataset):
    dataset = make_dataset(5)
    assert baselines[0].training
    found = Extractor(Ensemble(baselines, (1.0, 1.25), flip=True), batch_size=2).extract(dataset)
    assert baselines[0].training  # every module is left in its mode
    images = torch.stack([dataset[i]["images"] for i in range(5)])
    larger = nn.functional.interpolate(images.float(), (40, 40), mode="bicubic", antialias=True).clamp(0, 255)
    expected = torch.zeros(5, 512)
    for model in baselines:
        model.eval()
        with torch.no_grad():
            for view in (images, larger):
                for shown in (view, view.flip(3)):
                    for i in range(5):
                        feature = model({"images": shown[i : i + 1]})[0]
                        expected[i] += feature / feature.norm()
        model.train()
    expected = expected / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found.features, expected, atol=1e-5, rtol=0)


def test_mixed_precision(baselines, make_dataset):
    dataset = make_dataset(3)
    exact, half = (
        Extractor(Ensemble(baselines[:1]), batch_size=3, amp_dtype=amp).extract(dataset).features
        for amp in (None, torch.bfloat16)
    )
    assert half.dtype == torch.float32
    assert not torch.equal(half, exact)
    assert (half * exact).sum(dim=1).min() > 0.99


def test_of_named_features_the_first(make_dataset):
    class Named(Mean):
        def forward(self, batch):
            feature = super().forward(batch)
            return {"main": feature, "other": -feature}

    dataset = make_dataset(3)
    assert torch.equal(Extractor(Named()).extract(dataset).features, colours(dataset))


def test_no_images(make_dataset):
    with pytest.raises(InputError, match="There are no images to extract features from"):
        Extractor(Mean()).extract(make_dataset(0))


def test_a_store_of_other_images(make_dataset, tmp_path):
    with (
        open_store(tmp_path / "store", {}, 4, 4) as store,
        pytest.raises(ValueError, match="of 4 images and the data set of 3"),
    ):
        Extractor(Mean()).fill(make_dataset(3), store)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_batch_size(batch_size):
    with pytest.raises(InputError, match=f"The batch size is {batch_size}: use 1 or more"):
        Extractor(Mean(), batch_size=batch_size)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_named_and_what_came_before_is_kept(make_dataset, tmp_path, workers):
    dataset = make_dataset(9)
    path = Path(dataset.img_items[7].path)
    good = path.read_bytes()
    path.write_bytes(good[:50])
    sentence = rf"^Cannot read the image {re.escape(str(path))}: [^\n]*$"
    extractor = Extractor(Mean(), batch_size=2, num_workers=workers)
    with pytest.raises(ImageReadError, match=sentence):
        extractor.extract(dataset)
    with open_store(tmp_path / "store", {}, 9, 2) as store:
        with pytest.raises(ImageReadError, match=sentence):
            extractor.fill(dataset, store)
        assert store.missing() == [3, 4]
        path.write_bytes(good)
        extractor.fill(dataset, store)
        assert torch.equal(store.load(), colours(dataset))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_feature_that_is_not_finite_is_named_and_not_stored(make_dataset, tmp_path, value):
    class Broken(Mean):
        def forward(self, batch):
            feature = super().forward(batch)
            feature[batch["indices"] == 5, 1] = value
            return feature

    dataset = make_dataset(9)
    with open_store(tmp_path / "store", {}, 9, 4) as store:
        with pytest.raises(InputError, match=r"The feature of .*005\.png is not finite"):
            Extractor(Broken(), batch_size=2).fill(dataset, store)
        assert store.missing() == [1, 2]
    with pytest.raises(InputError, match=r"005\.png"):
        Extractor(Broken(), batch_size=2).extract(dataset)


# -- several processes, and killed ones: forked, as starting Python and importing torch anew takes many times as long -------

BATCH_SIZE, SHARD_SIZE = 2, 4


class Conv(Mean):
    """Convolution and batch normalisation, whose last bits may depend on a batch; ``seconds`` long for each."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.layers = nn.Sequential(nn.Conv2d(3, 8, 5), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.seconds = seconds

    def forward(self, batch):
        time.sleep(self.seconds)
        self.seen.append(len(batch["images"]))
        return self.layers(batch["images"].float())


def work(folder: Path, output: Path, seconds: float, rank: int, world: int) -> None:
    """Fills a store; extracts again in memory, which has to give the same; says in a file how many images the store took."""
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{output}.meeting", rank=rank, world_size=world)
    dataset = ItemDataset(read_folder(folder), PILToTensor(), relabel=False)
    model = Conv(seconds)
    extractor = Extractor(model, batch_size=BATCH_SIZE)
    with open_store(f"{output}_store", {}, len(dataset), SHARD_SIZE) as store:
        extractor.fill(dataset, store)
        stored = store.load()
    seen, model.seconds = sum(model.seen), 0
    features = extractor.extract(dataset)
    assert (features is None) == (rank > 0)
    if features is not None:
        assert torch.equal(features.features, stored)
        features.save(output)
    said = ""
    try:
        with open_store(f"{output}_store", {}, len(dataset) + 1, SHARD_SIZE):
            said = "opened a store of another number of images"
    except InputError as error:
        said = str(error)
    output.with_suffix(f".{rank}").write_text(f"{seen} seen; {said}")
    if world > 1:
        dist.destroy_process_group()


def start(folder: Path, output: Path, *, seconds: float = 0.0, rank: int = 0, world: int = 1) -> Process:
    process = get_context("fork").Process(target=work, args=(folder, output, seconds, rank, world))
    process.start()
    return process


def finish(process: Process, output: Path, rank: int = 0) -> str:
    process.join(120)
    assert process.exitcode == 0
    return output.with_suffix(f".{rank}").read_text()


def test_two_processes_give_what_one_gives_to_the_bit(make_dataset, tmp_path):
    make_dataset(13)
    one, two = tmp_path / "one", tmp_path / "two"
    processes = [start(tmp_path, one), *(start(tmp_path, two, rank=rank, world=2) for rank in (0, 1))]
    assert finish(processes[0], one).startswith("13 seen;")
    # Two of the four shards each; the last one holds one image.
    said = [finish(process, two, rank) for rank, process in enumerate(processes[1:])]
    assert [text.split(";")[0] for text in said] == ["8 seen", "5 seen"]
    # What only the main process can see ends both.
    assert all("store.json is of 13 images, not 14" in text for text in said)
    alone, together = FeatureSet.load(one), FeatureSet.load(two)
    assert torch.equal(alone.features, together.features)
    assert alone.paths == together.paths
    assert alone.pids.tolist() == together.pids.tolist()


def test_a_killed_extraction_goes_on_and_gives_what_an_unbroken_one_gives(make_dataset, tmp_path):
    make_dataset(24)
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    process = start(tmp_path, killed, seconds=0.2)
    deadline = time.monotonic() + 100
    while len(list(tmp_path.glob("killed_store/*/shard-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    there = {path: path.stat().st_mtime_ns for path in tmp_path.glob("killed_store/*/shard-*.safetensors")}
    assert 2 <= len(there) < 6

    assert finish(start(tmp_path, killed), killed).startswith(f"{24 - SHARD_SIZE * len(there)} seen")
    assert all(path.stat().st_mtime_ns == written for path, written in there.items())
    finish(start(tmp_path, unbroken), unbroken)
    assert torch.equal(FeatureSet.load(killed).features, FeatureSet.load(unbroken).features)
    assert finish(start(tmp_path, killed), killed).startswith("0 seen")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_cuda(baselines, make_dataset, tmp_path, layout):
    dataset = make_dataset(11)
    expected = Extractor(Ensemble(baselines, (1.0, 1.25), flip=True), batch_size=3).extract(dataset)
    models = [model.to("cuda", memory_format=layout) for model in baselines]
    try:
        extractor = Extractor(
            Ensemble(models, (1.0, 1.25), flip=True), device="cuda", batch_size=3, num_workers=2, memory_format=layout
        )
        found = extractor.extract(dataset)
        with open_store(tmp_path / "store", {}, 11, 3) as store:
            extractor.fill(dataset, store)
            assert torch.equal(store.load(), found.features)
    finally:
        for model in models:
            model.to("cpu", memory_format=torch.contiguous_format)
    assert found.features.device.type == "cpu"
    torch.testing.assert_close(found.features, expected.features, atol=5e-3, rtol=0)
    assert found.pids.tolist() == expected.pids.tolist()
