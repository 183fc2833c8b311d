"""Real and synthetic training data from a config, on tiny rendered sets, as one process and as several."""

from collections import Counter
from pathlib import Path

import pytest

import vreid_common.synthetic  # noqa: F401 - registers the rendered sets
from vreid_common.config import CfgNode, get_vreid_cfg
from vreid_common.data import DatasetError, TrainLoader, build_sampler, build_train_dataset, build_train_loader
from vreid_common.errors import InputError

SETS = ("StreetVehicles", "StudioVehicles")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rendered")


@pytest.fixture
def cfg(root: Path, monkeypatch: pytest.MonkeyPatch) -> CfgNode:
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.DATASETS.NAMES, cfg.DATASETS.TESTS, cfg.DATASETS.RENDER.SIZE = SETS, SETS[:1], "tiny"
    cfg.INPUT.SIZE_TRAIN = [16, 16]
    cfg.DATALOADER.NUM_WORKERS, cfg.DATALOADER.NUM_INSTANCE, cfg.SOLVER.IMS_PER_BATCH = 0, 2, 16
    return cfg


def images(cfg: CfgNode) -> Counter:
    return Counter(item.domain for item in build_train_dataset(cfg).img_items)


def test_the_three_mixes(cfg):
    cfg.DATASETS.VALIDATION.NUM_IDS = 4  # half of the real identities, so that there are fewer real images than synthetic ones
    full = images(cfg)
    assert 0 < 2 * full[0] < 3 * full[1]
    cfg.DATASETS.MIX = "real"
    assert images(cfg) == {0: full[0]}
    cfg.DATASETS.MIX = "balanced"
    dataset = build_train_dataset(cfg)
    per_id = Counter(item.pid for item in dataset.img_items if item.domain == 1)
    counts = images(cfg)
    assert counts[0] == full[0]
    assert counts[1] < full[1]
    assert abs(counts[1] - counts[0]) <= max(per_id.values()) / 2


def test_ids_cameras_and_tracks_of_the_two_never_meet(cfg):
    items = build_train_dataset(cfg).img_items
    for label in ("pid", "camid", "track_id"):
        real, synthetic = ({getattr(item, label) for item in items if item.domain == domain} for domain in (0, 1))
        assert not (real & synthetic) - {-1}


def test_a_share_of_each_domain_in_every_batch_of_every_process(cfg):
    cfg.DATALOADER.SAMPLER_TRAIN = "DomainIdentitySampler"
    cfg.DATALOADER.SYNTHETIC_SHARE = 0.25
    whole = [batch["indices"].tolist() for batch in build_train_loader(cfg).epoch(1)]
    dataset = build_train_dataset(cfg)
    shares = []
    for rank in range(2):
        loader = TrainLoader(dataset, build_sampler(cfg, dataset.img_items), rank=rank, world_size=2)
        batches = list(loader.epoch(1))
        for batch in batches:
            assert Counter(batch["domains"].tolist()) == {0: 6, 1: 2}
        shares.append([batch["indices"].tolist() for batch in batches])
    assert [first + second for first, second in zip(*shares, strict=True)] == whole


def test_validation_is_held_out_of_the_real_set_only(cfg):
    before = images(cfg)
    cfg.DATASETS.VALIDATION.NUM_IDS = 2
    after = images(cfg)
    assert after[1] == before[1]
    assert after[0] < before[0]


def test_a_synthetic_set_that_is_not_known_as_one(cfg):
    cfg.DATASETS.SYNTHETIC = ("StreetVehicle",)
    with pytest.raises(DatasetError, match="no data set 'StreetVehicle'; did you mean StreetVehicles"):
        build_train_dataset(cfg)


def test_a_set_named_twice(cfg):
    cfg.DATASETS.NAMES = ("StreetVehicles", "StreetVehicles")
    with pytest.raises(InputError, match="DATASETS.NAMES is .*: name each once"):
        build_train_dataset(cfg)
