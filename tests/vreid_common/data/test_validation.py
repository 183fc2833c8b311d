"""Identities held out of the training images: which, how they are divided, and that no other path trains them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vreid_common.data import DatasetError, build_dataset, build_test_loader, build_train_dataset
from vreid_common.data.validation import hold_out
from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, VehicleImage


def items_of(cameras: list[list[int]]) -> list[VehicleImage]:
    """One identity for each list of the cameras of its images."""
    return [
        VehicleImage(
            f"{pid}_{place}.jpg", f"set_{pid}", camera if camera == UNKNOWN else f"set_{camera}", track_id=pid, view_id=1
        )
        for pid, cams in enumerate(cameras)
        for place, camera in enumerate(cams)
    ]


class TestHoldOut:
    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(st.lists(st.integers(-1, 3), min_size=1, max_size=6), min_size=2, max_size=9),
        st.integers(0, 99),
        st.data(),
    )
    def test_division(self, cameras, seed, data):
        items = items_of(cameras)
        candidates = [pid for pid, images in enumerate(cameras) if len(images) > 1]
        number = data.draw(st.integers(0, min(len(candidates), len(cameras) - 1)))
        split = hold_out(items, number, seed)
        labels = {item.path: item for item in items}
        held = {labels[item.path].pid for item in split.query + split.gallery}
        assert len(held) == number
        assert split.train == [item for item in items if item.pid not in held]
        # Every image is in one place, and keeps what its ids stand for.
        assert sorted(item.path for part in split for item in part) == sorted(labels)
        for item in split.query + split.gallery:
            assert item.view_id == 1
            assert item.track_id == labels[item.path].track_id
            assert type(item.pid) is type(item.camid) is int
            assert (item.camid == UNKNOWN) == (labels[item.path].camid == UNKNOWN)
        for label in ("pid", "camid"):
            pairs = {(getattr(labels[i.path], label), getattr(i, label)) for i in split.query + split.gallery}
            assert len(pairs) == len(dict(pairs)) == len({new for _, new in pairs}), "one number for each id"
        for pid in held:
            images = Counter(item.camid for item in items if item.pid == pid)
            queries = Counter(labels[item.path].camid for item in split.query if labels[item.path].pid == pid)
            several = {camera for camera, count in images.items() if count > 1}
            if several:
                assert queries == dict.fromkeys(several, 1)
            else:
                assert sum(queries.values()) == 1
            assert sum(queries.values()) < sum(images.values()), "something is left to be found"

    def test_depends_on_the_seed_alone(self):
        items = items_of([[0, 0, 1, 1, 2]] * 30)
        splits = [hold_out(items, 10, seed) for seed in range(5)]
        assert splits == [hold_out(items, 10, seed) for seed in range(5)]
        assert len({frozenset(item.path for item in split.query) for split in splits}) == 5

    @pytest.mark.parametrize(("cameras", "number"), [([[0, 0]] * 3, 3), ([[0, 0], [0], [0]], 2)])
    def test_too_few_identities(self, cameras, number):
        with pytest.raises(DatasetError, match=f"{number} identities are to be held out of 3, "):
            hold_out(items_of(cameras), number, 0)


def test_names_are_kept():
    items = [
        VehicleImage(f"{place}", f"CSV_{place // 2}", "CSV_0", vehicle=f"van-{place // 2}", camera="gate") for place in range(6)
    ]
    split = hold_out([*items, VehicleImage("x", "CSV_9", UNKNOWN), VehicleImage("y", "CSV_9", UNKNOWN)], 3, seed=0)
    held = {item.path: item for item in split.query + split.gallery}
    for item in (*items, VehicleImage("x", "CSV_9", UNKNOWN)):
        if item.path in held:
            assert held[item.path].vehicle_name == item.vehicle_name
            assert item.camid == UNKNOWN or held[item.path].camera_name == "gate"


class TestFromTheConfig:
    @pytest.fixture
    def cfg(self, cfg, csv_file):
        cfg.DATASETS.VALIDATION.NUM_IDS = 2
        return cfg

    def test_held_out_identities_are_evaluated_and_not_trained(self, cfg):
        data = build_dataset(cfg, "CSVVehicles")
        train = build_train_dataset(cfg)
        loader, num_query = build_test_loader(cfg, "CSVVehicles")
        tested = {item.path for item in loader.dataset.img_items}
        trained = {item.path for item in train.img_items}
        assert num_query == len(data.query) == 2
        assert len(tested) == 2 * 3
        assert len(trained) == 4 * 3
        assert train.num_classes == 4
        assert not tested & trained
        assert {item.pid for item in data.query} == {item.pid for item in data.gallery}
        assert not {item.pid for item in data.query} & {6, 7}, "the test vehicles have no part in it"

    def test_the_training_seed_does_not_matter(self, cfg):
        first = build_dataset(cfg, "CSVVehicles").query
        cfg.SEED = 5
        assert build_dataset(cfg, "CSVVehicles").query == first
        cfg.DATASETS.VALIDATION.SEED = 5
        assert build_dataset(cfg, "CSVVehicles").query != first

    def test_sets_that_are_not_evaluated_keep_their_identities(self, cfg):
        cfg.DATASETS.TESTS = ()
        assert build_train_dataset(cfg).num_classes == 6

    def test_a_set_that_is_evaluated_but_not_trained(self, cfg):
        cfg.DATASETS.NAMES = ("VeRi776",)
        with pytest.raises(DatasetError, match="out of the training images of CSVVehicles, so DATASETS.NAMES has to name it"):
            build_dataset(cfg, "CSVVehicles")

    @pytest.mark.parametrize(("key", "value"), [("NUM_IDS", -1), ("SEED", -1)])
    def test_bad_values(self, cfg, key, value):
        cfg.DATASETS.VALIDATION[key] = value
        with pytest.raises(InputError, match="use 0 or more"):
            build_dataset(cfg, "CSVVehicles")
