"""A folder of images without a data set class."""

import os
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


def test_what_is_passed_over_is_counted_by_suffix(tmp_path, caplog):
    touch(tmp_path, "a.jpg", "b.GIF", "c.jfif", "d.avif", "notes.txt", "more.txt", "list.csv", "README", ".hidden.txt", "x.mp4")
    assert len(read_folder(tmp_path)) == 4
    assert caplog.messages == [f"{tmp_path}: 4 images; passed over: 2 .txt, 1 .csv, 1 .mp4 and 1 without a suffix."]
    caplog.clear()
    assert len(read_folder(touch_alone(tmp_path / "alone"))) == 1
    assert not caplog.messages


def touch_alone(folder):
    touch(folder, "a.png")
    return folder


def test_kinds_that_pillow_cannot_read_here_are_counted(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("vreid_common.data.folder.image_suffixes", lambda: (".jpg", ".png"))
    touch(tmp_path, "a.jpg", "b.heic", "c.heic", "d.avif")
    assert len(read_folder(tmp_path)) == 1
    assert "1 images; passed over: 2 .heic and 1 .avif." in caplog.text


def test_folders_that_cannot_be_opened_are_counted(tmp_path, caplog, monkeypatch):
    touch(tmp_path, "a.jpg", "closed/b.jpg")
    walk = os.walk

    def walk_with_an_error(top, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "closed")))
        yield from ((place, folders, names) for place, folders, names in walk(top) if not place.endswith("closed"))

    monkeypatch.setattr(os, "walk", walk_with_an_error)  # a test may run as a user whom nothing is closed to
    assert len(read_folder(tmp_path)) == 1
    assert f"passed over: 1 folder that cannot be opened ({tmp_path / 'closed'})." in caplog.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.jpg", "is an image, not a folder of images: name the folder that holds it."),
        (
            "clip.mp4",
            "is a video, not a folder of images: write its frames into a folder first (for example: ffmpeg -i clip.mp4 ",
        ),
        ("crops.zip", "is an archive, not a folder of images: unpack it and name the folder with the images."),
        ("cars.csv", "is a CSV file, not a folder of images: name it with --csv."),
        ("paper.pdf", "is a document, not a folder of images: save its pictures as image files."),
        ("q.npz", "is a feature file, not a folder of images: vreid evaluate, rerank and gallery build --features read it."),
        ("something", "is a file, not a folder of images."),
    ],
)
def test_a_file_is_no_folder(tmp_path, name, said):
    touch(tmp_path, name)
    with pytest.raises(DatasetError) as error:
        read_folder(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name} {said}")


def test_no_folder(tmp_path):
    with pytest.raises(DatasetError, match=f"^There is no folder {re.escape(str(tmp_path / 'none'))}\\.$"):
        read_folder(tmp_path / "none")
    with pytest.raises(DatasetError, match=r"^There is no folder crops\\new: the path has backslashes, write crops/new\.$"):
        read_folder("crops\\new")


def test_no_images(tmp_path):
    with pytest.raises(DatasetError, match=r"There are no images in .* \(it is empty\); their names end in .jpg, .jpeg, "):
        read_folder(tmp_path)
    touch(tmp_path, "a.txt")
    with pytest.raises(DatasetError, match=r"There are no images in .* \(passed over: 1 .txt\); their names end in "):
        read_folder(tmp_path)
