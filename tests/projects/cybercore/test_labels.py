import pytest
from cybercore.labels import relabel_items, with_label

from vreid_common.data import ItemDataset
from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage


def items(orientations, cameras=None):
    cameras = cameras or range(len(orientations))
    return [
        VehicleImage(f"{i}.jpg", f"set_{i}", f"set_{camera}" if camera != -1 else -1, orientation=degrees)
        for i, (degrees, camera) in enumerate(zip(orientations, cameras, strict=True))
    ]


def test_feature_36_bins_of_ten_degrees():
    found = relabel_items(items([0.0, 9.99, 10.0, 355.2, 359.999, 360.0, -10.0, 729.0]), "orientation")
    names = [item.pid for item in found]
    assert names == [f"orientation_{number:02d}" for number in (0, 0, 1, 35, 35, 0, 35, 0)]
    assert len({item.pid for item in relabel_items(items([float(degrees) for degrees in range(360)]), "orientation")}) == 36


def test_feature_cameras_and_what_has_no_label():
    found = relabel_items(items([-1, 20.0, -1, 30.0], [3, -1, 3, 4]), "camera")
    assert [item.pid for item in found] == ["camera_set_3", "camera_set_3", "camera_set_4"]
    assert [item.path for item in relabel_items(items([-1, 20.0, -1, 30.0]), "orientation")] == ["1.jpg", "3.jpg"]


def test_feature_vehicles_stay():
    given = items([1.0, 2.0])
    assert relabel_items(given, "vehicle") == given


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("colour", "CYBERCORE.LABEL is 'colour': use one of vehicle, orientation, camera"),
        ("orientation", "fewer than two of it"),
    ],
)
def test_exception(label, message):
    with pytest.raises(InputError, match=message):
        relabel_items(items([-1, 15.0, 16.0]), label)


def test_feature_the_data_set_has_the_classes_of_the_label():
    dataset = ItemDataset(items([5.0, 25.0, 28.0, 90.0]), str, relabel=True)
    found = with_label(dataset, "orientation")
    assert (found.num_classes, found.transform) == (3, str)
    assert dataset.num_classes == 4
