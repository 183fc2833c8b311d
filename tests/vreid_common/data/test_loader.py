import gc
import itertools
import multiprocessing
import os
import random
import re
import signal
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from fastreid.data.common import CommDataset
from PIL import Image

from vreid_common.data import (
    ImageReadError,
    ItemDataset,
    TestLoader,
    TrainLoader,
    build_dataset,
    build_sampler,
    build_test_loader,
    build_train_dataset,
    build_train_loader,
    collate,
)
from vreid_common.errors import InputError, RunError
from vreid_common.structures import VehicleImage

# A loader that hangs (B14) would run into this.
pytestmark = pytest.mark.timeout(120)


def augmented(cfg):
    cfg.INPUT.FLIP.ENABLED = cfg.INPUT.PADDING.ENABLED = cfg.INPUT.CJ.ENABLED = cfg.INPUT.REA.ENABLED = True
    cfg.INPUT.PADDING.SIZE = 4
    return cfg


def assert_same(first: list[dict], second: list[dict]) -> None:
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert torch.equal(value, b[key]) if isinstance(value, torch.Tensor) else value == b[key], key


class TestTrainLoader:
    def test_batch(self, cfg, csv_file):
        loader = build_train_loader(cfg)
        assert len(loader) == 3
        assert loader.num_classes == 6
        assert loader.num_cameras == 2
        batches = list(loader.epoch(0))
        assert len(batches) == 3
        batch = batches[0]
        assert batch["images"].shape == (8, 3, 16, 16)
        assert batch["images"].dtype == torch.uint8
        for key in ("targets", "camids", "track_ids", "view_ids", "timestamps", "domains", "indices"):
            assert batch[key].shape == (8,), key
            assert batch[key].dtype == torch.int64, key
        assert batch["img_paths"] == [loader.dataset.img_items[index].path for index in batch["indices"]]
        assert {index for batch in batches for index in batch["indices"].tolist()} == set(range(18))

    def test_labels_are_fastreids(self, cfg, csv_file):
        items = build_dataset(cfg, "CSVVehicles").train
        theirs = CommDataset([item[:3] for item in items])
        ours = ItemDataset(items, lambda image: torch.zeros(3, 1, 1), relabel=True)
        for index in range(len(items)):
            assert all(ours[index][key] == theirs[index][key] for key in ("targets", "camids", "img_paths"))
        assert (ours.num_classes, ours.num_cameras) == (theirs.num_classes, theirs.num_cameras)

    def test_the_same_for_any_number_of_workers(self, cfg, csv_file):
        epochs = []
        for workers in (0, 1, 2):
            augmented(cfg).DATALOADER.NUM_WORKERS = workers
            loader = build_train_loader(cfg)
            epochs.append([batch for epoch in (0, 1) for batch in loader.epoch(epoch)])
        assert_same(epochs[0], epochs[1])
        assert_same(epochs[0], epochs[2])

    def test_augmentation_differs_from_epoch_to_epoch_and_image_to_image(self, cfg, csv_file):
        loader = build_train_loader(augmented(cfg))
        images = [torch.empty(18, 3, 16, 16, dtype=torch.uint8) for _ in range(2)]
        for epoch in (0, 1):
            for batch in loader.epoch(epoch):
                images[epoch][batch["indices"]] = batch["images"]
        assert sum(not torch.equal(*pair) for pair in zip(*images, strict=True)) >= 15

    def test_resumed_epoch_is_the_tail_of_the_unbroken_one(self, cfg, csv_file):
        for workers in (0, 2):
            augmented(cfg).DATALOADER.NUM_WORKERS = workers
            whole = list(build_train_loader(cfg).epoch(2))
            for start in range(4):
                assert_same(whole[start:], list(build_train_loader(cfg).epoch(2, start_batch=start)))

    def test_start_beyond_the_epoch(self, cfg, csv_file):
        with pytest.raises(ValueError, match="start_batch is 4; an epoch has 3 batches"):
            build_train_loader(cfg).epoch(0, start_batch=4)

    @pytest.mark.parametrize("workers", [0, 2])
    def test_abandoned_epoch_does_not_disturb_the_next(self, cfg, csv_file, workers):
        augmented(cfg).DATALOADER.NUM_WORKERS = workers
        loader = build_train_loader(cfg)
        expected = list(loader.epoch(1))
        next(loader.epoch(0))
        assert_same(expected, list(loader.epoch(1)))

    def test_a_worker_that_is_stopped_does_not_stop_the_training_for_ever(self, cfg, csv_file):
        cfg.DATALOADER.NUM_WORKERS, cfg.DATALOADER.TIMEOUT = 1, 2
        batches = build_train_loader(cfg).epoch(0)
        next(batches)
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(RunError, match=r"have given none for 2 seconds \(.*DATALOADER.TIMEOUT\): one was stopped"):
            list(batches)
        worker.join(10)
        assert not worker.is_alive()

    @pytest.mark.parametrize("world_size", [2, 4])
    def test_the_shares_of_the_processes_make_the_global_batch(self, cfg, csv_file, world_size):
        dataset = build_train_dataset(augmented(cfg))
        sampler = build_sampler(cfg, dataset.img_items)
        whole = list(TrainLoader(dataset, sampler).epoch(0))
        shares = [list(TrainLoader(dataset, sampler, rank=rank, world_size=world_size).epoch(0)) for rank in range(world_size)]
        for batch, *parts in zip(whole, *shares, strict=True):
            for key in ("images", "targets", "indices"):
                assert torch.equal(batch[key], torch.cat([part[key] for part in parts]))

    def test_processes_that_cannot_share_a_batch(self, cfg, csv_file):
        dataset = build_train_dataset(cfg)
        with pytest.raises(InputError, match=r"IMS_PER_BATCH \(8\) must be a multiple of 3: 3 processes share a batch\."):
            TrainLoader(dataset, build_sampler(cfg, dataset.img_items), world_size=3)
        cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
        with pytest.raises(
            InputError, match=r"multiple of 16: 8 processes share a batch in whole groups of DATALOADER.NUM_INST"
        ):
            TrainLoader(dataset, build_sampler(cfg, dataset.img_items), world_size=8)

    def test_worker_processes_stay(self, cfg, csv_file):
        dataset = build_train_dataset(cfg)
        dataset.transform = lambda image: torch.tensor([os.getpid()])
        loader = TrainLoader(dataset, build_sampler(cfg, dataset.img_items), num_workers=2)
        first, second = ({int(pid) for batch in loader.epoch(epoch) for pid in batch["images"]} for epoch in (0, 1))
        assert first == second
        assert len(first) == 2
        assert os.getpid() not in first

    def test_this_process_s_generators_are_left_alone(self, cfg, csv_file):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.manual_seed(0)
        before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
        for workers in (0, 1):
            augmented(cfg).DATALOADER.NUM_WORKERS = workers
            list(build_train_loader(cfg).epoch(0))
        assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # noqa: NPY002

    def test_real_photographs(self, cfg, photos):
        cfg.DATASETS.CSV.FILE = str(photos / "vehicles.csv")
        cfg.SOLVER.IMS_PER_BATCH, cfg.DATALOADER.SAMPLER_TRAIN = 64, "NaiveIdentitySampler"
        cfg.DATALOADER.NUM_WORKERS = 2
        batches = list(build_train_loader(cfg).epoch(0))
        assert {index for batch in batches for index in batch["indices"].tolist()} == set(range(810))
        assert all(len(batch["targets"].unique()) == 32 for batch in batches)


class TestDamagedImages:
    """B14: FastReID's training hangs for ever when its loader's thread meets a corrupt image."""

    @pytest.mark.parametrize("workers", [0, 2])
    def test_error_reaches_the_training_process_as_its_sentence(self, cfg, csv_file, workers):
        cfg.DATALOADER.NUM_WORKERS = workers
        (csv_file.parent / "v3_1.png").write_bytes(b"damaged")
        sentence = (
            f"Cannot read the image {csv_file.parent / 'v3_1.png'}: it is not an image of a known format; "
            "replace the file or take it off its list."
        )
        with pytest.raises(ImageReadError, match=f"^{re.escape(sentence)}$"):
            list(build_train_loader(cfg).epoch(0))

    def test_workers_end_at_once_after_an_error(self, cfg, csv_file):
        cfg.DATALOADER.NUM_WORKERS = 2
        (csv_file.parent / "v3_1.png").unlink()
        loader = build_train_loader(cfg)
        try:
            list(loader.epoch(0))
        except ImageReadError:
            start = time.perf_counter()
            del loader
        gc.collect()
        assert time.perf_counter() - start < 4  # DataLoader waits 5 seconds for a worker that does not hear it

    def test_workers_go_on_after_an_error(self, cfg, csv_file, draw):
        cfg.DATALOADER.NUM_WORKERS = 2
        (csv_file.parent / "v3_1.png").unlink()
        loader = build_train_loader(cfg)
        with pytest.raises(ImageReadError, match="No such file"):
            list(loader.epoch(0))
        draw(csv_file.parent / "v3_1.png")
        assert len(list(loader.epoch(0))) == 3

    def test_test_loader(self, cfg, csv_file):
        cfg.TEST.NUM_WORKERS = 1
        (csv_file.parent / "v6_0.png").write_bytes(b"")
        with pytest.raises(ImageReadError, match=r"v6_0\.png: the file is empty"):
            list(build_test_loader(cfg, "CSVVehicles")[0])


class TestTestLoader:
    @pytest.mark.parametrize("workers", [0, 2])
    def test_queries_first_then_gallery(self, cfg, csv_file, workers):
        cfg.TEST.NUM_WORKERS = workers
        loader, num_query = build_test_loader(cfg, "CSVVehicles")
        batches = list(loader)
        assert num_query == 2
        assert len(loader) == len(batches) == 2
        assert torch.cat([batch["targets"] for batch in batches]).tolist() == [6, 7, 6, 6, 7, 7]
        assert torch.cat([batch["camids"] for batch in batches]).tolist() == [0, 0, 1, 0, 1, 0]
        assert torch.cat([batch["indices"] for batch in batches]).tolist() == list(range(6))
        assert len(loader.dataset) == 6

    @pytest.mark.parametrize("world_size", [1, 2, 4, 5, 9])
    def test_the_shares_of_the_processes_make_the_test_set(self, cfg, csv_file, world_size):
        dataset = build_test_loader(cfg, "CSVVehicles")[0].dataset
        shares = [list(TestLoader(dataset, 2, rank=rank, world_size=world_size)) for rank in range(world_size)]
        assert [index for batch in itertools.chain(*shares) for index in batch["indices"].tolist()] == list(range(6))

    def test_without_gallery(self, cfg, csv_file):
        csv_file.write_text("path,vehicle_id,split\nv0_0.png,1,query\n")
        with pytest.raises(InputError, match="CSVVehicles has no gallery images"):
            build_test_loader(cfg, "CSVVehicles")

    def test_batch_size_zero(self, cfg, csv_file):
        cfg.TEST.IMS_PER_BATCH = 0
        with pytest.raises(InputError, match=r"TEST\.IMS_PER_BATCH is 0"):
            build_test_loader(cfg, "CSVVehicles")


class TestCollate:
    @pytest.mark.parametrize("kind", [int, np.int64, np.int32, np.uint8, bool, np.bool_])
    def test_whole_numbers_become_int64(self, kind):
        """B15: FastReID's collator turns NumPy scalars into None."""
        batch = collate([{"images": torch.zeros(3, 2, 2), "targets": kind(value)} for value in (0, 1)])
        assert batch["targets"].dtype == torch.int64
        assert batch["targets"].tolist() == [0, 1]

    @pytest.mark.parametrize("kind", [float, np.float32, np.float64])
    def test_fractions_stay_fractions(self, kind):
        batch = collate([{"images": torch.zeros(3, 2, 2), "weight": kind(value)} for value in (0.5, 2)])
        assert batch["weight"].tolist() == [0.5, 2]

    def test_strings(self):
        assert collate([{"images": torch.zeros(1), "img_paths": name} for name in "ab"])["img_paths"] == ["a", "b"]

    def test_numpy_labels_of_items(self, csv_file):
        path = str(csv_file.parent / "v0_0.png")
        items = [VehicleImage(path, np.int64(pid), np.int32(2), np.int16(3)) for pid in (5, 9)]
        dataset = ItemDataset(items, lambda image: torch.zeros(3, 1, 1), relabel=False)
        batch = collate([dataset[0], dataset[np.int64(1)]])
        assert batch["targets"].tolist() == [5, 9]
        assert batch["track_ids"].tolist() == [3, 3]

    def test_what_cannot_be_stacked_is_refused(self):
        with pytest.raises(TypeError):
            collate([{"images": torch.zeros(1), "targets": Fraction(1, 2)}])

    def test_images_of_different_sizes(self, cfg, csv_file):
        cfg.INPUT.SIZE_TRAIN = [0, 0]
        cfg.DATALOADER.NUM_WORKERS = 1
        Image.new("RGB", (5, 6)).save(csv_file.parent / "v0_0.png")
        with pytest.raises(InputError, match=r"differ in size, \(3, 6, 5\) and \(3, 20, 24\): give INPUT\.SIZE_TRAIN"):
            list(build_train_loader(cfg).epoch(0))
