"""A small Cybercore: ResNet-18 at 32x32 with four heads, unless a test says otherwise."""

import multiprocessing
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from cybercore import add_cybercore_config

from vreid_common.config import get_vreid_cfg


@pytest.fixture
def make_cfg(vehicles, tmp_path):
    """A function: ``KEY, value, ...`` over a small config that trains on ``vehicles`` within seconds."""

    def make(*overrides):
        cfg = add_cybercore_config(get_vreid_cfg())
        cfg.MODEL.META_ARCHITECTURE = "Cybercore"
        cfg.MODEL.DEVICE = "cpu"
        cfg.MODEL.BACKBONE.DEPTH = "18x"
        cfg.MODEL.BACKBONE.FEAT_DIM = 512
        cfg.MODEL.HEADS.NAME = "MultiHeadAttentionHead"
        cfg.MODEL.HEADS.POOL_LAYER = "GeneralizedMeanPoolingP"
        cfg.MODEL.HEADS.WITH_BNNECK = True
        cfg.MODEL.HEADS.NECK_FEAT = "after"
        cfg.MODEL.HEADS.NUM_CLASSES = 5
        cfg.MODEL.LOSSES.NAME = ("CrossEntropyLoss", "SupConLoss")
        cfg.CYBERCORE.HEADS.NUM = 4
        cfg.CYBERCORE.HEADS.DIM = 16
        cfg.CYBERCORE.HEADS.GATE_DIM = 8
        cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [32, 32]
        cfg.DATASETS.CSV.FILE = str(vehicles)
        cfg.DATASETS.NAMES = cfg.DATASETS.TESTS = ("CSVVehicles",)
        cfg.DATALOADER.SAMPLER_TRAIN = "NaiveIdentitySampler"
        cfg.DATALOADER.NUM_INSTANCE = 2
        cfg.DATALOADER.NUM_WORKERS = cfg.TEST.NUM_WORKERS = 0
        cfg.SOLVER.MAX_EPOCH = 2
        cfg.SOLVER.SCHED = "CosineAnnealingLR"
        cfg.SOLVER.WARMUP_ITERS = 0
        cfg.SOLVER.IMS_PER_BATCH = 8
        cfg.SOLVER.CHECKPOINT_PERIOD = 1
        cfg.TEST.EVAL_PERIOD = 0
        cfg.OUTPUT_DIR = str(tmp_path / "out")
        cfg.merge_from_list(list(overrides))
        return cfg

    return make


@pytest.fixture
def small_network():
    """Overrides for a backbone that trains, and is saved, in no time; its stages are conv2 to conv4."""
    names = ("MODEL.BACKBONE.NAME", "build_osnet_backbone", "MODEL.BACKBONE.DEPTH", "x0_25", "MODEL.BACKBONE.FEAT_DIM", 128)
    return (*names, "MODEL.HEADS.NUM_CLASSES", 0)


@pytest.fixture
def image_size() -> int:
    return 32


@pytest.fixture
def in_two_processes(tmp_path):
    """A function: calls ``work(rank, size, *arguments)`` in two processes that talk through gloo, to what each returned."""

    def target(work, rank, arguments):
        store = dist.FileStore(str(tmp_path / "store"), 2)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=100))
        torch.save(work(rank, 2, *arguments), tmp_path / f"{rank}.pth")
        dist.destroy_process_group()

    def run(work, *arguments):
        # Forked, as a new interpreter would import for ten times as long as it works.
        context = multiprocessing.get_context("fork")
        processes = [context.Process(target=target, args=(work, rank, arguments)) for rank in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=120)
        exit_codes = [process.exitcode for process in processes]
        for process in processes:
            process.kill()
        assert exit_codes == [0, 0]
        return [torch.load(tmp_path / f"{rank}.pth", weights_only=True) for rank in range(2)]

    return run
