"""A folder of images without a data set class."""

import re

import pytest

from vreid_common.data import DatasetError, read_folder
from vreid_common.data.datasets.veri776 import VeRi776


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_images_below_the_folder_sorted_by_path(tmp_path):
    touch(tmp_path, "b.JPG", "a/2.png", "a/10.png", "a/deep/er/1.webp", "notes.txt", "a/labels.csv", "noext", ".hidden.jpg")
    touch(tmp_path, ".thumbnails/b.jpg", "._b.jpg")
    items = read_folder(tmp_path)
    names = ["a/10.png", "a/2.png", "a/deep/er/1.webp", "b.JPG"]
    assert [item.path for item in items] == [str(tmp_path / name) for name in names]
    assert {item[1:6] for item in items} == {(-1, -1, -1, -1, -1)}


def test_names_of_veri_give_vehicle_and_camera(tmp_path):
    touch(tmp_path, "image_test/0002_c002_00030600_0.jpg", "image_query/0776_c020_00030600_1.jpg")
    assert [item[1:3] for item in read_folder(tmp_path)] == [(776, 19), (2, 1)]


def test_the_labels_are_those_of_the_data_set(veri):
    by_path = {item.path: item for item in [*VeRi776(str(veri.parent)).query, *VeRi776(str(veri.parent)).gallery]}
    found = read_folder(veri / "image_query") + read_folder(veri / "image_test")
    assert len(found) == len(by_path)
    assert all(item[1:3] == by_path[item.path][1:3] for item in found)


def test_one_other_name_and_no_name_is_trusted(tmp_path):
    touch(tmp_path, "0002_c002_00030600_0.jpg", "0003_c002_00030600_0.jpg", "van.jpg")
    assert {item[1:3] for item in read_folder(tmp_path)} == {(-1, -1)}


def test_links_to_folders_are_followed(tmp_path):
    touch(tmp_path / "disk", "1.jpg")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "images").symlink_to(tmp_path / "disk")
    assert [item.path for item in read_folder(tmp_path / "set")] == [str(tmp_path / "set" / "images" / "1.jpg")]


def test_no_folder(tmp_path):
    touch(tmp_path, "a.jpg")
    for path in (tmp_path / "none", tmp_path / "a.jpg"):
        with pytest.raises(DatasetError, match=f"^There is no folder {re.escape(str(path))}\\.$"):
            read_folder(path)


def test_no_images(tmp_path):
    touch(tmp_path, "a.txt")
    with pytest.raises(DatasetError, match="There are no images in .*; their names end in .jpg, .jpeg, .png"):
        read_folder(tmp_path)
