import logging
from pathlib import Path

import pytest
from PIL import Image

from vreid_common.data import DatasetError, ImageReadError, ItemDataset, build_dataset, build_transforms, read_image
from vreid_common.data.datasets import CSVVehicles
from vreid_common.data.datasets.csv_vehicles import read_csv_items
from vreid_common.structures import UNKNOWN, VehicleImage

HEADER = "path,vehicle_id,camera_id,split,track_id,view"


@pytest.fixture
def write(tmp_path):
    for name in ("a.png", "b.png", "c, d.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name)

    def write(text: str, encoding: str = "utf-8", newline: str = "\n") -> Path:
        file = tmp_path / "cars.csv"
        file.write_bytes(text.replace("\n", newline).encode(encoding))
        return file

    return write


def read(file: Path, **kwargs) -> CSVVehicles:
    return CSVVehicles(root="", file=str(file), **kwargs)


def refused(file: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        read(file)
    message = str(caught.value)
    assert str(file) in message
    assert "\n" not in message
    return message


class TestReading:
    def test_fields(self, write, tmp_path):
        data = read(write(f"{HEADER}\na.png,7,3,train,12,front\nb.png,9,4,query,,\nb.png,9,5,gallery,0,side\n"))
        assert data.train == [VehicleImage(str(tmp_path / "a.png"), "CSVVehicles_7", "CSVVehicles_3", 12, 0)]
        assert data.query == [VehicleImage(str(tmp_path / "b.png"), 9, 4)]
        assert data.gallery == [VehicleImage(str(tmp_path / "b.png"), 9, 5, 0, 2)]

    def test_timestamps(self, write):
        data = read(write("path,vehicle_id,split,timestamp\na.png,7,query,1200\nb.png,7,gallery,\n"))
        assert [item.timestamp for item in (*data.query, *data.gallery)] == [1200, -1]

    def test_byte_order_mark_crlf_quotes_blank_lines_and_further_columns(self, write, tmp_path):
        text = 'note,path,vehicle_id,camera_id,split\n\nx,"c, d.png",1,1,train\n,,,,\n\n"two\nlines",a.png, 2 ,1,train\n'
        data = read(write(text, encoding="utf-8-sig", newline="\r\n"))
        assert [item.path for item in data.train] == [str(tmp_path / "c, d.png"), str(tmp_path / "a.png")]
        assert [item.pid for item in data.train] == ["CSVVehicles_1", "CSVVehicles_2"]

    def test_names_are_numbered_in_sorted_order_whatever_the_order_of_the_rows(self, write):
        rows = ["a.png,truck,east,query", "b.png,bus,west,query", "a.png,car,east,gallery"]
        first = read(write("path,vehicle_id,camera_id,split\n" + "\n".join(rows)))
        second = read(write("path,vehicle_id,camera_id,split\n" + "\n".join(reversed(rows))))
        assert [(item.pid, item.camid) for item in first.query] == [(2, 0), (0, 1)]
        assert [(item.pid, item.camid) for item in second.query] == [(0, 1), (2, 0)]

    def test_numbers_that_would_coincide_are_told_apart(self, write):
        data = read(write("path,vehicle_id,camera_id,split\na.png,1,1,query\nb.png,01,1,query\n"))
        assert {item.pid for item in data.query} == {0, 1}

    def test_ids_beyond_64_bits_are_numbered(self, write):
        data = read(write(f"path,vehicle_id,split\na.png,{10**30},query\n"))
        assert data.query[0].pid == 0

    def test_absolute_path(self, write, tmp_path):
        data = read(write(f"path,vehicle_id,split\n{tmp_path / 'a.png'},1,train\n"))
        assert data.train[0].path == str(tmp_path / "a.png")

    def test_without_camera_ids_cameras_are_unknown_and_the_log_says_the_policy(self, write, cfg, caplog):
        file = write("path,vehicle_id,split\na.png,1,train\nb.png,2,query\na.png,2,gallery\n")
        with caplog.at_level(logging.WARNING):
            data = read(file)
        assert [item.camid for item in data.train + data.query + data.gallery] == [UNKNOWN] * 3
        assert "3 of 3 images have no camera_id; no gallery image is excluded" in caplog.text
        dataset = ItemDataset(data.train, build_transforms(cfg, True), relabel=True)
        assert dataset[0]["camids"] == UNKNOWN
        assert dataset.num_cameras == 0

    def test_single_split(self, write):
        assert len(read(write("path,vehicle_id,split\na.png,1,train\n")).train) == 1
        data = read(write("path,vehicle_id,split\na.png,1,query\nb.png,1,gallery\n"))
        assert (len(data.train), len(data.query), len(data.gallery)) == (0, 1, 1)

    def test_combineall(self, write):
        data = read(write(f"{HEADER}\na.png,1,1,train,,\na.png,2,1,query,5,front\nb.png,2,,gallery,6,\n"), combineall=True)
        assert [(item.pid, item.camid, item.track_id) for item in data.train] == [
            ("CSVVehicles_1", "CSVVehicles_1", UNKNOWN),
            ("CSVVehicles_test_2", "CSVVehicles_1", 5),
            ("CSVVehicles_test_2", UNKNOWN, 6),
        ]

    def test_real_photographs(self, photos, cfg):
        cfg.DATASETS.CSV.FILE = str(photos / "vehicles.csv")
        data = build_dataset(cfg, "CSVVehicles")
        assert (len(data.train), len(data.query), len(data.gallery)) == (810, 102, 102)
        assert {item.pid for item in data.query} == {item.pid for item in data.gallery}
        assert not {item.camid for item in data.query} & {item.camid for item in data.gallery}


class TestPlaces:
    def test_relative_to_the_working_directory_then_to_the_data_root(self, write, tmp_path, monkeypatch, cfg):
        write("path,vehicle_id,split\na.png,1,train\n")
        cfg.DATASETS.CSV.FILE = "cars.csv"
        monkeypatch.chdir(tmp_path)
        assert len(build_dataset(cfg, "CSVVehicles").train) == 1
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        with pytest.raises(DatasetError, match=r"'cars\.csv', and there is no such file in the working directory .*elsewhere"):
            build_dataset(cfg, "CSVVehicles")
        # Read when used, not when FastReID is imported.
        monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
        assert len(build_dataset(cfg, "CSVVehicles").train) == 1

    def test_key_not_set(self, cfg):
        with pytest.raises(DatasetError, match=r"DATASETS\.CSV\.FILE is empty"):
            build_dataset(cfg, "CSVVehicles")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,vehicle_id\na.png,1\n", "row 1: there is no column split"),
        ("", "row 1: there is no column path or vehicle_id or split"),
        ("path;vehicle_id;split\na.png;1;train\n", "row 1: the columns are not separated by commas"),
        ("path,vehicle_id,split,path\na.png,1,train,b.png\n", "row 1: the column path is there twice"),
        ("path,vehicle_id,split\na.png,1,test\n", "row 2: split is 'test': write 'query'"),
        ("path,vehicle_id,split\n\na.png,1,Train\n", "row 3: split is 'Train': write train, query or gallery"),
        ("path,vehicle_id,split\na.png,,train\n", "row 2: vehicle_id is empty"),
        ("path,vehicle_id,split\na.png,1,train\nc, d.png,1,train\n", "row 3: 4 fields for 3 columns"),
        ("path,vehicle_id,split,view\na.png,1,train,left\n", "row 2: view is 'left': write front, rear, side"),
        ("path,vehicle_id,split,timestamp\na.png,1,train,8:15\n", "row 2: timestamp is '8:15': write a whole number"),
        ('path,vehicle_id,split\na.png,1,train\n"a.png,1,train\n', "after row 2: "),
        ("path,vehicle_id,split\n", "lists no images"),
        ("path,vehicle_id,split\na.png,1,train\nz.png,1,query\n", "row 3: there is no image"),
    ],
)
def test_faults_name_the_file_and_the_row(write, text, said):
    assert said in refused(write(text))


def test_other_encoding(write):
    assert "is not UTF-8" in refused(write("path,vehicle_id,split\nä.png,1,train\n", encoding="utf-16"))


class TestTolerant:
    """What ``vreid check-data`` reads, so that one fault does not hide the others."""

    def test_keeps_good_rows_and_every_fault(self, write):
        file = write("path,vehicle_id,split\na.png,1,test\nnone.png,1,train\na.png,,train\n")
        data = read(file, tolerant=True)
        assert [fault.split(": ")[0] for fault in data.faults] == [f"{file}, row 2", f"{file}, row 4"]
        assert [item.pid for item in data.train] == ["CSVVehicles_1"]
        assert CSVVehicles.missing("", file=str(file)) == []

    def test_a_file_without_a_good_row_is_refused(self, write):
        file = write("path,vehicle_id,split\na.png,1,test\na.png,,train\n")
        assert len(CSVVehicles.missing("", file=str(file))) == 2
        with pytest.raises(DatasetError):
            read(file, tolerant=True)


def test_items_have_the_names_of_the_file(write):
    data = read(write(f"{HEADER}\na.png,bus_0001,gate,train,,\nb.png,0042,yard,query,t7,\n"))
    train, query = data.train[0], data.query[0]
    assert (train.vehicle_name, train.camera_name, train.class_name) == ("bus_0001", "gate", "CSVVehicles_bus_0001")
    assert (query.vehicle_name, query.camera_name, query.track_name) == ("0042", "yard", "t7")


def test_whole_numbers_keep_their_spelling(write):
    query = read(write(f"{HEADER}\na.png,0007,3,query,,\n")).query[0]
    assert (query.pid, query.vehicle_name, query.camid, query.camera_name) == (7, "0007", 3, "3")


@pytest.mark.parametrize("unknown", ["", "-1"])
class TestUnknown:
    def test_is_empty_or_minus_one_in_every_column(self, write, unknown):
        path = write(
            f"path,vehicle_id,camera_id,split,track_id,view,timestamp\na.png,{unknown},{unknown},gallery" + f",{unknown}" * 3
        )
        (item,) = read(path).gallery
        assert item == VehicleImage(str(path.parent / "a.png"), UNKNOWN, UNKNOWN)

    def test_does_not_make_texts_of_numbers(self, write, unknown):
        data = read(write(f"{HEADER}\na.png,12,5,query,,\nb.png,{unknown},{unknown},gallery,,\n"))
        assert (data.query[0].pid, data.query[0].camid) == (12, 5)

    def test_a_training_image_needs_its_vehicle(self, write, unknown):
        with pytest.raises(DatasetError, match=r"row 3: vehicle_id is (empty|-1), which is unknown: a training image needs"):
            read(write(f"{HEADER}\na.png,1,,train,,\nb.png,{unknown},,train,,\n"))


def test_combineall_makes_one_class_of_a_vehicle_in_train_and_test(write):
    text = f"{HEADER}\na.png,van,gate,train,,\nb.png,van,gate,query,,\na.png,bus,,gallery,,\nb.png,,yard,gallery,,\n"
    data = read(write(text), combineall=True)
    assert [item.class_name for item in data.train] == ["CSVVehicles_van", "CSVVehicles_van", "CSVVehicles_test_bus"]
    assert len({item.camid for item in data.train} - {UNKNOWN}) == 1


class TestFilesOfAnotherKind:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("cars.xlsx", "is a spreadsheet, not a CSV file: save it as one."),
            (
                "car.jpg",
                "is an image, not a CSV file: write a CSV file with the columns path, vehicle_id, camera_id and split.",
            ),
            ("clip.mp4", "is a video, not a CSV file: write a CSV file"),
            ("q.npz", "is a feature file, not a CSV file: write a CSV file"),
        ],
    )
    def test_file(self, tmp_path, name, said):
        (tmp_path / name).write_bytes(b"PK\xff\x00")
        assert f"{tmp_path / name} {said}" in refused(tmp_path / name)
        with pytest.raises(DatasetError, match="not a CSV file"):
            read_csv_items(tmp_path / name)

    def test_folder(self, tmp_path):
        assert "is a folder, not a CSV file: name its images with --images, or write a CSV file" in refused(tmp_path)

    def test_backslashes(self, write, monkeypatch):
        assert "the path has backslashes: write / instead." in refused(write("path,vehicle_id,split\ncrops\\a.png,1,train\n"))
        assert "the path has backslashes, write lists/cars.csv." in refused(Path("lists\\cars.csv"))


def test_nul_byte_in_a_path(write, check):
    file = write("path,vehicle_id,split\na\0.png,1,train\nb.png,1,train\n")
    assert "row 2: it holds a NUL byte, which no path and no name has" in refused(file)
    status, faults = check("CSVVehicles", file.parent, "--opts", "DATASETS.CSV.FILE", str(file))
    assert (status, len(faults)) == (1, 1)
    with pytest.raises(ImageReadError, match="that is no name of a file"):
        read_image("a\0.png")


def test_the_tables_of_a_training_do_not_count_the_unknown(write):
    file = write(
        "path,vehicle_id,camera_id,split\na.png,1,,train\na.png,2,k,train\na.png,3,k,query\na.png,-1,-1,gallery\na.png,3,l,gallery"
    )
    data = read(file)
    assert [data.parse_data(split) for split in (data.train, data.query, data.gallery)] == [(2, 1), (1, 1), (1, 1)]
