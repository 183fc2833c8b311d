from datetime import UTC, datetime

import pytest

from vreid_common.data import DatasetError, build_dataset
from vreid_common.data.datasets import VeRiWild3000, VeRiWild5000
from vreid_common.structures import UNKNOWN, VehicleImage


def test_items(veri_wild, tmp_path):
    data = VeRiWild3000(str(tmp_path))
    first, second, third = data.train
    time = int(datetime(2018, 3, 12, 6, 34, 41, tzinfo=UTC).timestamp())
    assert first[:6] == (f"{veri_wild}/images/00001/000001.jpg", "VeRiWild_1", "VeRiWild_12", UNKNOWN, UNKNOWN, 0)
    assert (first.timestamp, second.timestamp, third.timestamp) == (time, time + 19, UNKNOWN)
    assert first[6:9] == second[6:9] == (1, 0, 1)  # sorted: 白 before 黑, 轿车 before 面包车, 五菱 before 大众朗逸
    assert third[6:9] == (UNKNOWN, 1, 0)
    assert data.query == [VehicleImage(f"{veri_wild}/images/00003/000004.jpg", 3, 7, *data.query[0][3:])]
    assert [(item.pid, item.camid, item.timestamp - data.query[0].timestamp) for item in data.gallery] == [(3, 8, 3600)]


def test_lists_of_the_later_release_and_info_without_headings_and_times(veri_wild, tmp_path):
    expected = VeRiWild3000(str(tmp_path))
    lists = veri_wild / "train_test_split"
    (lists / "train_list.txt").rename(lists / "train_list_start0.txt")
    (lists / "train_list_start0.txt").write_text("00001/000001.jpg 0 12\n00001/000002.jpg 0 30\n00002/000003.jpg 1 12")
    (lists / "test_3000_query.txt").rename(lists / "test_3000_id_query.txt")
    (lists / "test_3000.txt").rename(lists / "test_3000_id.txt")
    rows = [line.split(";") for line in (lists / "vehicle_info.txt").read_text(encoding="gb2312").splitlines()[1:]]
    (lists / "vehicle_info.txt").write_text("\n".join(";".join([*row[:2], *row[3:]]) for row in rows), encoding="utf-8")
    found = VeRiWild3000(str(tmp_path))
    for split in ("train", "query", "gallery"):
        assert getattr(found, split) == [item._replace(timestamp=UNKNOWN) for item in getattr(expected, split)]


def test_same_items_as_fastreids_reader(veri_wild, tmp_path, cfg, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    lists = veri_wild / "train_test_split"
    for path in lists.iterdir():  # FastReID's reader takes UTF-8 alone
        path.write_text(path.read_bytes().decode("gb2312").replace(" \r\n", "\n").replace("\r\n", "\n"), encoding="utf-8")
    ours, theirs = build_dataset(cfg, "VeRiWild3000"), build_dataset(cfg, "SmallVeRiWild")
    for split in ("query", "gallery"):
        assert [item[:3] for item in getattr(ours, split)] == [item[:3] for item in getattr(theirs, split)]
    assert [(item.path, item.pid.split("_")[1]) for item in ours.train] == [
        (item.path, item.pid.split("_")[1]) for item in theirs.train
    ]


def test_check_data(veri_wild, tmp_path, check, draw):
    assert check("VeRiWild3000", tmp_path)[0] == 0
    draw(veri_wild / "images" / "00002" / "000099.jpg")
    lists = veri_wild / "train_test_split"
    with (lists / "train_list.txt").open("a") as file:
        file.write("00002/000077.jpg\n")
    with (lists / "vehicle_info.txt").open("a") as file:
        file.write("\nno row\n00001/000008;x;;;;\n")
    info = lists / "vehicle_info.txt"
    form = "'vehicle/image;camera;time;model;type;color'"
    assert check("VeRiWild3000", tmp_path) == (
        1,
        [
            f"{info}, row 7: expected {form}, got 'no row'.",
            f"{info}, row 8: expected {form}, got '00001/000008;x;;;;'.",
            f"{lists}/train_list.txt, row 4: vehicle_info.txt does not list '00002/000077'; expected 'vehicle/image'.",
            f"{veri_wild}/images/00002/000099.jpg is not listed in {info}.",
        ],
    )


def test_wrong_folder(veri_wild, tmp_path):
    said = r"VERI-Wild needs the file .*/test_5000_query\.txt \(or .*/test_5000_id_query\.txt, .*\), which is not there"
    with pytest.raises(DatasetError, match=said):
        VeRiWild5000(str(tmp_path))


class TestListsOfEachSplit:
    """Copies with train_list_info.txt, test_3000_info.txt, test_3000_query_info.txt and no vehicle_info.txt."""

    @pytest.fixture
    def lists(self, veri_wild):
        lists = veri_wild / "train_test_split"
        rows = [line.split(";") for line in (lists / "vehicle_info.txt").read_text(encoding="gb2312").splitlines()[1:]]
        rows = [";".join([*row[:2], *row[3:]]) for row in rows]
        for path in lists.iterdir():
            path.unlink()
        (lists / "train_list_info.txt").write_text("\n".join(rows[:3]), encoding="utf-8")
        (lists / "test_3000_query_info.txt").write_text(rows[3] + "\n", encoding="utf-8")
        (lists / "test_3000_info.txt").write_text("id;Camera;Make;Type;Color\n" + rows[4] + "\n", encoding="utf-8")
        return lists

    def test_they_say_the_same(self, veri_wild, tmp_path, check, request):
        expected = VeRiWild3000(str(tmp_path))
        request.getfixturevalue("lists")
        found = VeRiWild3000(str(tmp_path))
        for split in ("train", "query", "gallery"):
            assert getattr(found, split) == [item._replace(timestamp=UNKNOWN) for item in getattr(expected, split)]
        assert check("VeRiWild3000", tmp_path)[0] == 0

    def test_a_faulty_row_is_one_fault(self, lists, tmp_path, check):
        with (lists / "train_list_info.txt").open("a") as file:
            file.write("\n00001/000008;x;;;")
        info = lists / "train_list_info.txt"
        assert check("VeRiWild3000", tmp_path)[1] == [
            f"{info}, row 4: expected 'vehicle/image;camera;time;model;type;color', got '00001/000008;x;;;'."
        ]

    def test_one_is_not_there(self, lists, tmp_path):
        (lists / "test_3000_info.txt").write_text("")
        with pytest.raises(DatasetError, match=r"test_3000_info\.txt is empty: expected 'vehicle/image' on each row"):
            VeRiWild3000(str(tmp_path))
        (lists / "test_3000_info.txt").rename(lists / "test_3000.txt")
        with pytest.raises(DatasetError, match=r"needs the file .*/test_3000_info\.txt, which is not there"):
            VeRiWild3000(str(tmp_path))
