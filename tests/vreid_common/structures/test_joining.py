"""Sets are joined by what their owners call vehicles, cameras and tracks."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from vreid_common.errors import InputError
from vreid_common.structures import UNKNOWN, FeatureSet, VehicleImage, join_sets, number_names, read_features


def of_names(*names: str, camera: str = "") -> FeatureSet:
    """As a CSV file of these vehicles is read."""
    numbers = number_names(names)
    items = [VehicleImage(name, numbers[name], 0 if camera else UNKNOWN, vehicle=name, camera=camera) for name in names]
    return FeatureSet.from_items(torch.zeros(len(names), 1), items)


def bare(*pids: int) -> FeatureSet:
    return FeatureSet.create(torch.zeros(len(pids), 1), pids)


def vehicles(images: FeatureSet) -> list[str | None]:
    return [images.names.of("pids", pid) for pid in images.pids.tolist()]


def join(*sets: FeatureSet) -> list[FeatureSet]:
    return join_sets(sets, ["first.json", "second.json", "third.json"][: len(sets)])


def test_one_name_has_one_number():
    first, second = join(of_names("bus-3", "van-12"), of_names("car-1", "van-12", "truck"))
    assert first.pids.tolist() == [0, 1]
    assert second.pids[1] == 1
    assert len({*first.pids.tolist(), *second.pids.tolist()}) == 4
    assert vehicles(second) == ["car-1", "van-12", "truck"]
    assert first.names == second.names


def test_three_sets_and_concatenation():
    sets = of_names("b", "a"), of_names("c", "b"), of_names("a", "d")
    assert vehicles(FeatureSet.concatenate(sets)) == ["b", "a", "c", "b", "a", "d"]
    assert len(FeatureSet.concatenate(sets).pids.unique()) == 4
    assert [vehicles(images) for images in join(*sets)] == [["b", "a"], ["c", "b"], ["a", "d"]]


def test_cameras_of_one_number_and_two_names_are_two():
    first, second = join(of_names("van", camera="gate"), of_names("van", camera="yard"))
    assert first.camids[0] != second.camids[0]
    assert first.pids[0] == second.pids[0]


def test_whole_numbers_are_compared_by_value():
    first, second = join(of_names("0007", "0012"), of_names("7", "13"))
    assert second.pids.tolist() == [7, 13]
    assert vehicles(first) + vehicles(second) == ["0007", "0012", "0007", "13"]


def test_two_spellings_of_a_number_in_one_set_are_two_vehicles():
    first, second = join(of_names("7", "07"), of_names("7"))
    assert vehicles(second) == ["7"]
    assert second.pids[0] == first.pids[0] != first.pids[1]


def test_numbers_that_are_names_beside_texts():
    first, second = join(of_names("bus", "van"), of_names("0", "1"))
    assert not set(first.pids.tolist()) & set(second.pids.tolist())
    assert vehicles(second) == ["0", "1"]


def test_numbers_without_names_are_compared_as_they_are():
    first, second = join(bare(3, 1), bare(1, UNKNOWN))
    assert (first.pids.tolist(), second.pids.tolist()) == ([3, 1], [1, UNKNOWN])
    first, second = join(bare(3, 1), of_names("0001"))
    assert second.pids.tolist() == [1]
    assert vehicles(first) == ["3", "0001"]


@pytest.mark.parametrize("order", [1, -1])
def test_names_and_numbers_of_another_origin_are_refused(order):
    names = ["first.json", "second.json"][::order]
    with pytest.raises(
        InputError, match=f"{names[0]} has a vehicle 'bus', but {names[1]} has only numbers .* such as 1, without"
    ):
        join(*(of_names("bus", "van"), bare(3, 1))[::order])


def test_unknown_labels_join_anything():
    first, second = join(of_names("van", camera="gate"), bare(UNKNOWN))
    assert vehicles(second) == [None]
    assert vehicles(first) == ["van"]


def test_features_of_another_model_are_refused():
    ours = replace(bare(1), model={"origins": [{"checkpoint": "a"}], "flip": False})
    with pytest.raises(InputError, match=re.escape("first.json and second.json come from different models")):
        join(ours, replace(ours, model={"origins": [{"checkpoint": "b"}], "flip": False}))
    with pytest.raises(InputError, match=r"were made differently \(flip\)"):
        join(ours, replace(ours, model={"origins": [{"checkpoint": "a"}], "flip": True}))
    assert FeatureSet.concatenate([bare(2), ours]).model == ours.model


def test_npz_with_names(tmp_path):
    pids, camids = np.array(["van-12", "", "-1"]), np.array(["0003", "0004", ""])
    np.savez(tmp_path / "other.npz", features=np.zeros((3, 1)), pids=pids, camids=camids, track_ids=np.array([5, -1, 6]))
    images = read_features(tmp_path / "other.npz")
    assert vehicles(images) == ["van-12", None, None]
    assert images.camids.tolist() == [3, 4, UNKNOWN]
    assert [images.names.of("camids", camid) for camid in (3, 4)] == ["0003", "0004"]
    assert images.names.track_ids is None
    assert vehicles(FeatureSet.concatenate([of_names("van-12"), images])) == ["van-12", "van-12", None, None]


def test_npz_below_minus_one(tmp_path):
    np.savez(tmp_path / "other.npz", features=np.eye(2), pids=np.array([1, -3]))
    with pytest.raises(InputError, match=r"pids are 0 or more, and -1 where unknown; got -3"):
        read_features(tmp_path / "other.npz")
