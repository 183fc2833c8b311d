import pytest

from vreid_common.data import DatasetError, build_dataset
from vreid_common.data.datasets import VehicleID800, VehicleID1600, VehicleID3200, VehicleID13164
from vreid_common.structures import UNKNOWN, VIEWS


def test_items(vehicleid, tmp_path):
    data = VehicleID800(str(tmp_path))
    assert [item.path.rpartition("/")[2] for item in data.train][:3] == ["0000010.jpg", "0000011.jpg", "0000020.jpg"]
    assert [item.pid for item in data.train] == [f"VehicleID_{vehicle}" for vehicle in (1, 1, 2, 3, 3)]
    assert {item.camid for item in data.train + data.query + data.gallery} == {UNKNOWN}
    assert [item.model_id for item in data.train] == [249, 249, UNKNOWN, UNKNOWN, UNKNOWN]
    assert {item.pid: (item.model_id, item.color_id) for item in data.query} == {4: (17, 6), 5: (UNKNOWN, UNKNOWN)}
    assert {item.domain for item in data.train + data.query} == {0}


@pytest.mark.parametrize(("cls", "images"), [(VehicleID800, 5), (VehicleID1600, 8)])
def test_gallery_of_one_image_a_vehicle(vehicleid, tmp_path, cls, images):
    data = cls(str(tmp_path))
    assert len({item.pid for item in data.gallery}) == len(data.gallery) == {5: 2, 8: 3}[images]
    assert len({item.path for item in data.query + data.gallery}) == images
    assert {item.pid for item in data.query} == {item.pid for item in data.gallery}
    again = cls(str(tmp_path))
    assert (data.query, data.gallery) == (again.query, again.gallery)


def test_the_draw_is_random(vehicleid, tmp_path):
    lists = vehicleid / "train_test_split"
    (lists / "test_list_800.txt").write_text("".join(f"{number:07d} {1 + number // 10}\n" for number in range(10_000)))
    places = [int(item.path[-11:-4]) % 10 for item in VehicleID800(str(tmp_path)).gallery]
    assert len(places) == 1000
    assert all(60 < places.count(place) < 140 for place in range(10))


def test_views(vehicleid, tmp_path):
    (vehicleid / "attribute" / "img2view.txt").write_bytes(b"0000010 1 0\r\n0000011 1 1 \r\n0000020 2 0")
    assert [item.view_id for item in VehicleID800(str(tmp_path)).train] == [
        VIEWS.index("front"), VIEWS.index("rear"), VIEWS.index("front"), UNKNOWN, UNKNOWN
    ]  # fmt: skip
    (vehicleid / "attribute" / "img2view.txt").write_text("0000010 1 2\n")
    with pytest.raises(DatasetError, match=r"img2view\.txt, row 1: expected 'image vehicle view', got '0000010 1 2'"):
        VehicleID800(str(tmp_path))


def test_same_training_ids_as_fastreids_reader(vehicleid, tmp_path, cfg, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    vehicleid.rename(tmp_path / "vehicleid")
    lists = tmp_path / "vehicleid" / "train_test_split"
    for name in ("train_list.txt", "test_list_800.txt"):  # FastReID's reader fails at empty lines
        (lists / name).write_text("\n".join(line for line in (lists / name).read_text().split("\n") if line.strip()))
    ours, theirs = build_dataset(cfg, "VehicleID800"), build_dataset(cfg, "SmallVehicleID")
    assert [(item.path, item.pid.split("_")[1]) for item in ours.train] == [
        (item.path, item.pid.split("_")[1]) for item in theirs.train
    ]
    assert sorted(item.path for item in ours.query + ours.gallery) == sorted(
        item.path for item in theirs.query + theirs.gallery
    )


def test_check_data(vehicleid, tmp_path, check, draw):
    assert check("VehicleID1600", tmp_path)[0] == 0
    assert check("VehicleID800", tmp_path)[0] == 0  # images of other test lists are no fault
    draw(vehicleid / "image" / "0000099.jpg")
    labels = vehicleid / "attribute" / "img2vid.txt"
    labels.write_bytes(labels.read_bytes().replace(b"0000010 1 ", b"0000010 2 ").replace(b"0000020 2 ", b"0000020 x "))
    with (vehicleid / "train_test_split" / "train_list.txt").open("ab") as file:
        file.write(b"\r\n0000040 4")
    status, faults = check("VehicleID800", tmp_path)
    image = vehicleid / "image"
    assert status == 1
    assert faults == [
        f"{image}/0000040.jpg is listed both for training and for testing.",
        f"Vehicle 4 is in the training images ({image}/0000040.jpg) and in the test images ({image}/0000041.jpg).",
        f"{labels}, row 3: expected 'image vehicle', got '0000020 x'.",
        f"{image}/0000020.jpg is not listed in {labels}.",
        f"{image}/0000099.jpg is not listed in {labels}.",
        f"{image}/0000010.jpg shows vehicle 1 in its list and 2 in {labels}.",
    ]


def test_wrong_folder(vehicleid, tmp_path):
    with pytest.raises(DatasetError, match=r"VehicleID needs the file .*test_list_3200\.txt, which is not there"):
        VehicleID3200(str(tmp_path))


@pytest.fixture
def all_sizes(vehicleid):
    """Six test lists: vehicles 4 to 6 in the largest, 4 alone in the smallest."""
    lists = vehicleid / "train_test_split"
    rows = (lists / "test_list_1600.txt").read_text().split("\n")
    for size in (800, 1600, 2400, 3200, 6000, 13164):
        last = {800: "4", 13164: "6"}.get(size, "5")
        (lists / f"test_list_{size}.txt").write_text("\n".join(row.strip() for row in rows if row.strip()[-1:] <= last))
    return vehicleid


def test_smaller_test_lists_are_subsets_of_one_extraction(all_sizes, tmp_path):
    data = VehicleID13164(str(tmp_path))
    images = [*data.query, *data.gallery]
    assert list(data.subsets()) == ["6000", "3200", "2400", "1600", "800"]
    for name, cls in (("800", VehicleID800), ("1600", VehicleID1600)):
        alone = cls(str(tmp_path))
        places = data.subsets()[name]
        assert places == sorted(set(places))
        assert {images[place].path for place in places} == {item.path for item in alone.query + alone.gallery}
        assert alone.subsets() == {}


def test_an_image_of_a_smaller_list_alone(all_sizes, tmp_path):
    with (all_sizes / "train_test_split" / "test_list_2400.txt").open("a") as file:
        file.write("\n0000077 7")
    with pytest.raises(DatasetError, match=r"test_list_2400\.txt lists .*0000077\.jpg, which test_list_13164\.txt does not"):
        VehicleID13164(str(tmp_path))
