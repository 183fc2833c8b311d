from collections import Counter, defaultdict

import pytest

import vreid_common.synthetic  # noqa: F401 - registers
from vreid_common.config import get_vreid_cfg
from vreid_common.data import DatasetError, build_dataset, build_test_loader
from vreid_common.structures import DOMAINS, UNKNOWN, VIEWS
from vreid_common.synthetic import datasets


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("datasets")


@pytest.fixture
def cfg():
    cfg = get_vreid_cfg()
    cfg.DATASETS.RENDER.SIZE = "tiny"
    return cfg


def test_street_is_rendered_on_first_use_where_fastreid_datasets_says(cfg, root, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    dataset = build_dataset(cfg, "StreetVehicles")
    assert [path.name for path in root.iterdir()] == [f"street-tiny-0-v{datasets.RENDERER_VERSION}"]
    assert len({item.pid for item in dataset.train}) == 8
    assert all(str(item.pid).startswith("StreetVehicles_") for item in dataset.train)
    assert all(str(item.camid).startswith("StreetVehicles_") for item in dataset.train)
    assert len({item.pid for item in dataset.query}) == len({item.pid for item in dataset.gallery}) == 6
    assert Counter((i.pid, i.camid) for i in dataset.query).most_common(1)[0][1] == 1
    everything = dataset.train + dataset.query + dataset.gallery
    assert len({item.path for item in everything}) == len(everything) == 211
    assert {item.view_id for item in everything} == set(range(len(VIEWS)))
    assert {DOMAINS[item.domain] for item in everything} == {"real"}
    assert min(item.track_id for item in everything) > UNKNOWN
    of_track = defaultdict(set)
    for item in everything:
        of_track[item.track_id].add((str(item.pid), str(item.camid)))
    assert all(len(owners) == 1 for owners in of_track.values())


def test_studio_is_for_training_and_synthetic(cfg, root, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    dataset = build_dataset(cfg, "StudioVehicles")
    assert {DOMAINS[item.domain] for item in dataset.train} == {"synthetic"}
    assert all(str(item.pid).startswith("StudioVehicles_") for item in dataset.train)
    assert dataset.query == dataset.gallery == []
    with pytest.raises(DatasetError, match="no query images"):
        build_test_loader(cfg, "StudioVehicles")


def test_second_use_renders_nothing(cfg, root, monkeypatch):
    first = build_dataset(cfg, "StreetVehicles", str(root))

    def refuse(*args, **kwargs):
        raise AssertionError("rendered again")

    monkeypatch.setattr(datasets, "write_scene", refuse)
    assert build_dataset(cfg, "StreetVehicles", str(root)).train == first.train


def test_loaders_take_it(cfg, root, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(root))
    cfg.TEST.NUM_WORKERS = 0
    loader, num_query = build_test_loader(cfg, "StreetVehicles")
    assert num_query == 18
    batch = next(iter(loader))
    assert (batch["view_ids"] >= 0).all()
    assert (batch["track_ids"] > 0).all()
    assert (batch["timestamps"] > 0).all()
    assert (batch["domains"] == 0).all()


@pytest.mark.parametrize(("key", "value", "words"), [("SIZE", "huge", "one of tiny, demo"), ("SEED", -1, "0 or more")])
def test_wrong_keys_are_named(cfg, tmp_path, key, value, words):
    cfg.DATASETS.RENDER[key] = value
    with pytest.raises(DatasetError, match=f"DATASETS.RENDER.{key}.*{words}"):
        build_dataset(cfg, "StreetVehicles", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
