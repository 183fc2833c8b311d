import shutil
from pathlib import Path

import pytest

from vreid_common.data import DatasetError, build_dataset
from vreid_common.data.datasets import VeRi776
from vreid_common.structures import UNKNOWN, VIEWS


def read(veri: Path) -> VeRi776:
    return VeRi776(root=str(veri.parent))


def test_items(veri):
    data = read(veri)
    assert [(item.pid, item.camid, item.track_id, item.view_id, item.domain) for item in data.train] == [
        ("VeRi776_1", "VeRi776_0", UNKNOWN, UNKNOWN, 0),
        ("VeRi776_1", "VeRi776_1", UNKNOWN, UNKNOWN, 0),
        ("VeRi776_3", "VeRi776_0", UNKNOWN, UNKNOWN, 0),
    ]
    assert [(item.pid, item.camid, item.track_id) for item in data.gallery] == [(2, 1, 0), (2, 1, 0), (2, 2, 1)]
    assert [(item.pid, item.camid, item.track_id) for item in data.query] == [(2, 1, 0)]
    assert all(Path(item.path).is_file() for item in data.train + data.query + data.gallery)


def test_colour_type_and_time(veri):
    labels = veri / "train_label.xml"
    labels.write_bytes(labels.read_bytes().replace(b'colorID="1" typeID="4"', b'colorID="10" typeID="x"', 1))
    data = read(veri)
    assert [(item.color_id, item.type_id, item.timestamp) for item in data.train] == [
        (10, UNKNOWN, 16450), (1, 4, 16490), (1, 4, 16500)
    ]  # fmt: skip
    assert [(item.color_id, item.type_id, item.timestamp) for item in data.query] == [(1, 4, 30600)]
    labels.unlink()
    assert {(item.color_id, item.type_id) for item in read(veri).train} == {(UNKNOWN, UNKNOWN)}
    labels.write_bytes(b"<Items>")
    with pytest.raises(DatasetError, match=r"Cannot read the labels .*train_label\.xml"):
        read(veri)


def test_same_ids_as_fastreids_reader(veri, cfg, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(veri.parent))
    veri.rename(veri.parent / "veri")
    ours, theirs = build_dataset(cfg, "VeRi776"), build_dataset(cfg, "VeRi")
    for split in ("query", "gallery"):
        assert sorted(item[:3] for item in getattr(ours, split)) == [item[:3] for item in getattr(theirs, split)]
    assert [item.pid.split("_")[1] for item in theirs.train] == [item.pid.split("_")[1] for item in sorted(ours.train)]


def test_order_is_that_of_the_name_list_and_sorted_without_one(veri):
    names = veri / "name_train.txt"
    names.write_text("\n".join(reversed(names.read_text().split())))
    assert [item.pid for item in read(veri).train] == ["VeRi776_3", "VeRi776_1", "VeRi776_1"]
    names.unlink()
    assert [item.pid for item in read(veri).train] == ["VeRi776_1", "VeRi776_1", "VeRi776_3"]


def test_training_tracks(veri):
    first = (veri / "name_train.txt").read_text().split()[0]
    (veri / "train_track.txt").write_text(f"0001_c001_t0001 {first}\n")
    assert [item.track_id for item in read(veri).train] == [0, UNKNOWN, UNKNOWN]


def test_views_from_keypoints(veri):
    names = (veri / "name_train.txt").read_text().split()
    points = " ".join(["-1 -1"] * 20)
    lines = [f"VeRi/image_train/{name} {points} {orientation}" for name, orientation in zip(names, (3, 7, 5), strict=True)]
    (veri / "keypoint_train.txt").write_text("\n".join(lines))
    assert [VIEWS[item.view_id] for item in read(veri).train] == ["front", "rear", "side"]
    (veri / "keypoint_train.txt").write_text(f"image_train/{names[0]} {points} 8")
    with pytest.raises(DatasetError, match=r"keypoint_train\.txt, line 1: expected a path, 20 pairs"):
        read(veri)


def test_views_from_csv(veri):
    (veri / "views.csv").write_text("image,view\n0002_c003_00030700_0.jpg,side\n")
    assert [item.view_id for item in read(veri).gallery] == [UNKNOWN, UNKNOWN, 2]
    (veri / "views.csv").write_text("image,view\n0002_c003_00030700_0.jpg,top\n")
    with pytest.raises(DatasetError, match=r"views\.csv, row 2: view is 'top'"):
        read(veri)
    (veri / "views.csv").write_text("name,view\n")
    with pytest.raises(DatasetError, match=r"views\.csv, row 1: expected the columns image and view"):
        read(veri)


def test_wrong_root(tmp_path):
    with pytest.raises(DatasetError, match=rf"no folder VeRi, veri, VeRi-776 or VeRi776 under {tmp_path}"):
        VeRi776(root=str(tmp_path))


def test_absent_folder(veri):
    shutil.rmtree(veri / "image_query")
    with pytest.raises(DatasetError, match="needs the folder .*image_query, which is not there"):
        read(veri)


def test_name_of_another_form(veri):
    (veri / "name_test.txt").write_text("car.jpg\n")
    with pytest.raises(DatasetError, match=r"'car\.jpg' is not of the form 0002_c002_00030600_0\.jpg"):
        read(veri)
