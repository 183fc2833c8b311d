import argparse
import json
from pathlib import Path

import pytest

from vreid_common.data import DatasetError, build_train_dataset
from vreid_common.data.check import add_check_arguments, run_check
from vreid_common.errors import InputError


def check(capsys, *arguments: str | Path) -> tuple[int, str]:
    parser = argparse.ArgumentParser()
    add_check_arguments(parser)
    status = run_check(parser.parse_args([str(argument) for argument in arguments]))
    return status, capsys.readouterr().out


class TestVeRi776:
    @pytest.fixture
    def faults(self, veri, capsys):
        def run(*arguments: str) -> str:
            status, output = check(capsys, "VeRi776", "--root", veri.parent, *arguments)
            assert status == 1
            return output

        return run

    def test_good_folder(self, veri, capsys):
        status, output = check(capsys, "VeRi776", "--root", veri.parent, "--read-images", "--workers", "1")
        assert status == 0, output
        assert "no faults found" in output
        assert output.splitlines()[3].split() == ["query", "1", "1", "1", "1", "0"]

    def test_missing_folder_and_image(self, veri, faults):
        (veri / "image_train" / "0001_c001_00016450_0.jpg").unlink()
        (veri / "image_train" / "0001_c002_00016490_0.jpg").write_bytes(b"")
        output = faults()
        assert "train: there is no file" in output
        assert "is empty" in output
        assert "2 faults found" in output
        (veri / "image_query").rename(veri / "queries")
        assert "needs the folder" in faults()

    def test_json_has_every_fault_and_the_table(self, veri, faults, tmp_path):
        for name in ("0001_c001_00016450_0.jpg", "0001_c002_00016490_0.jpg"):
            (veri / "image_train" / name).unlink()
        faults("--json", tmp_path / "faults.json", "--limit", "1")
        found = json.loads((tmp_path / "faults.json").read_text())
        assert [name for name, lines in found["faults"].items() if lines] == ["Missing images"]
        assert len(found["faults"]["Missing images"]) == 2
        assert [split["split"] for split in found["splits"]] == ["train", "query", "gallery"]
        assert found["splits"][1] == {
            "split": "query", "vehicles": 1, "images": 1, "cameras": 1, "tracks": 1, "images with a view": 0,
        }  # fmt: skip

    def test_image_that_no_list_names(self, veri, faults, draw):
        draw(veri / "image_train" / "0009_c001_00000000_0.jpg")
        assert "0009_c001_00000000_0.jpg is not listed in" in faults()

    def test_name_listed_twice(self, veri, faults):
        names = veri / "name_train.txt"
        names.write_text(names.read_text() + names.read_text().split()[0])
        assert "0001_c001_00016450_0.jpg is listed more than once" in faults()

    def test_id_in_train_and_test(self, veri, faults, draw):
        draw(veri / "image_train" / "0002_c009_00000000_0.jpg")
        with (veri / "name_train.txt").open("a") as file:
            file.write("0002_c009_00000000_0.jpg\n")
        assert "Vehicle 2 is in the training images" in faults()

    def test_label_that_contradicts_the_name(self, veri, faults):
        labels = veri / "test_label.xml"
        text = labels.read_bytes()
        labels.write_bytes(text.replace(b'vehicleID="0002"', b'vehicleID="0004"', 1).replace(b'typeID="4"', b'typeID="40"', 1))
        output = faults()
        assert "has vehicleID '0004', and its name says 0002" in output
        assert "has typeID '40', which is not a number from 1 to 9" in output

    def test_label_and_track_of_no_image(self, veri, faults):
        with (veri / "test_track.txt").open("a") as file:
            file.write("0007_c001_t1 0007_c001_00000000_0.jpg\n")
        labels = veri / "train_label.xml"
        labels.write_bytes(labels.read_bytes().replace(b"0003_c001_00016500_0", b"0003_c001_00016501_0"))
        output = faults()
        assert "track 3: 0007_c001_00000000_0.jpg is in no split" in output
        assert "0003_c001_00016500_0.jpg has no label" in output
        assert "0003_c001_00016501_0.jpg is in no split" in output

    def test_track_of_two_vehicles(self, veri, faults, draw):
        draw(veri / "image_test" / "0005_c002_00000000_0.jpg")
        with (veri / "name_test.txt").open("a") as file:
            file.write("0005_c002_00000000_0.jpg\n")
        tracks = veri / "test_track.txt"
        tracks.write_text(tracks.read_text().replace(" \n", " 0005_c002_00000000_0.jpg\n", 1))
        assert "of vehicle 2 and" in faults()

    def test_query_without_a_match(self, veri, faults):
        (veri / "name_test.txt").write_text("0002_c002_00030600_0.jpg\n0002_c002_00030605_0.jpg\n")
        assert "the gallery has vehicle 2 only from the query's own camera c002" in faults()
        (veri / "name_test.txt").write_text("0008_c002_00030600_0.jpg\n")
        assert "the gallery has no image of vehicle 2" in faults()

    def test_unreadable_image(self, veri, faults):
        damaged = veri / "image_test" / "0002_c003_00030700_0.jpg"
        damaged.write_bytes(damaged.read_bytes()[:200])
        assert f"Cannot read the image {damaged}" in faults("--read-images", "--workers", "2")

    def test_limit(self, veri, faults):
        for path in (veri / "image_train").iterdir():
            path.unlink()
        output = faults("--limit", "1")
        assert output.count("there is no file") == 1
        assert "  ... and 2 more; --limit 0 shows all." in output
        assert faults("--limit", "0").count("there is no file") == 3


def test_ten_faults_in_one_folder_are_ten_lines(veri, draw, capsys):
    def append(name: str, text: str) -> None:
        with (veri / name).open("a") as file:
            file.write(text)

    train, query, test = (veri / f"image_{split}" for split in ("train", "query", "test"))
    (train / "0001_c001_00016450_0.jpg").unlink()
    (train / "0001_c002_00016490_0.jpg").write_bytes(b"")
    draw(train / "0009_c001_00000000_0.jpg")
    append("name_train.txt", "0003_c001_00016500_0.jpg\n")
    draw(test / "0003_c009_00000001_0.jpg")
    append("name_test.txt", "0003_c009_00000001_0.jpg\ncar.jpg\n")
    append("test_track.txt", "0003_c009_t3 0003_c009_00000001_0.jpg\n0007_c001_t1 0007_c001_00000000_0.jpg\n")
    labels = (veri / "test_label.xml").read_bytes().replace(b'vehicleID="0002"', b'vehicleID="0004"', 1)
    item = b'<Item imageName="0003_c009_00000001_0.jpg" vehicleID="0003" cameraID="c009" colorID="1" typeID="1"/>'
    (veri / "test_label.xml").write_bytes(labels.replace(b"</Items>", item + b"</Items>"))
    draw(query / "0008_c001_00000000_0.jpg")
    append("name_query.txt", "0008_c001_00000000_0.jpg\n")
    damaged = test / "0002_c003_00030700_0.jpg"
    damaged.write_bytes(damaged.read_bytes()[:200])

    output = check(capsys, "VeRi776", "--root", veri.parent, "--read-images", "--workers", "1")[1]
    faults = [line.strip() for line in output.splitlines() if line.startswith("  ")]
    assert faults[:-1] == [
        f"{veri}: the image name 'car.jpg' is not of the form 0002_c002_00030600_0.jpg.",
        f"train: there is no file {train}/0001_c001_00016450_0.jpg.",
        f"train: the file {train}/0001_c002_00016490_0.jpg is empty.",
        f"train: {train}/0003_c001_00016500_0.jpg is listed more than once.",
        f"Vehicle 3 is in the training images ({train}/0003_c001_00016500_0.jpg) and in the test images "
        f"({test}/0003_c009_00000001_0.jpg).",
        f"{query}/0008_c001_00000000_0.jpg: the gallery has no image of vehicle 8.",
        f"{train}/0009_c001_00000000_0.jpg is not listed in {veri}/name_train.txt.",
        f"{veri}/test_track.txt, track 4: 0007_c001_00000000_0.jpg is in no split.",
        f"{veri}/test_label.xml: 0002_c002_00030600_0.jpg has vehicleID '0004', and its name says 0002.",
    ]
    assert faults[-1].startswith(f"Cannot read the image {damaged}")
    assert "10 faults found" in output


class TestCSV:
    def test_keys_from_a_file_with_keys_of_a_project(self, csv_file, tmp_path, capsys):
        config = tmp_path / "config.yml"
        config.write_text(f"MODEL:\n  WCVL:\n    BETA: 0.1\nDATASETS:\n  CSV:\n    FILE: {csv_file}\n")
        status, output = check(capsys, "CSVVehicles", "--config-file", config)
        assert status == 0, output

    def test_every_faulty_row(self, csv_file, capsys):
        csv_file.write_text("path,vehicle_id,split\nv0_0.png,,train\nv0_0.png,1,test\n")
        status, output = check(capsys, "CSVVehicles", "--opts", "DATASETS.CSV.FILE", csv_file)
        assert status == 1
        assert "row 2: vehicle_id is empty" in output
        assert "row 3: split is 'test'" in output
        assert "2 faults found" in output

    def test_image_for_training_and_testing(self, csv_file, capsys):
        csv_file.write_text("path,vehicle_id,split\nv0_0.png,1,train\nv0_0.png,2,query\nv0_1.png,2,gallery\n")
        output = check(capsys, "CSVVehicles", "--opts", "DATASETS.CSV.FILE", csv_file)[1]
        assert "v0_0.png is listed both for training and for testing" in output

    def test_every_missing_image_beside_a_faulty_row(self, csv_file, capsys):
        rows = "one.png,1,train\ntwo.png,1,train\nv0_0.png,2,test\nv0_1.png,2,query\nthree.png,2,gallery\n"
        csv_file.write_text(f"path,vehicle_id,split\n{rows}")
        status, output = check(capsys, "CSVVehicles", "--opts", "DATASETS.CSV.FILE", csv_file)
        assert status == 1
        assert [line.strip() for line in output.splitlines() if line.startswith("  ")] == [
            f"{csv_file}, row 4: split is 'test': write 'query' for the images that are searched with and 'gallery' for those "
            "that are searched.",
            *(
                f"{split}: there is no file {csv_file.parent / name}.png."
                for split, name in (("train", "one"), ("train", "two"), ("gallery", "three"))
            ),
        ]
        assert "4 faults found" in output

    def test_faults_name_the_users_own_ids(self, csv_file, capsys):
        rows = [
            "v0_0.png,bus_0001,gate,train,",
            "v0_1.png,bus_0001,gate,query,",
            "v1_0.png,van_7,yard,query,t5",
            "v1_1.png,van_7,yard,gallery,t5",
            "v2_0.png,car_3,yard,gallery,t5",
        ]
        csv_file.write_text("path,vehicle_id,camera_id,split,track_id\n" + "\n".join(rows))
        output = check(capsys, "CSVVehicles", "--opts", "DATASETS.CSV.FILE", csv_file)[1]
        assert "Vehicle bus_0001 is in the training images" in output
        assert "the gallery has no image of vehicle bus_0001" in output
        assert "the gallery has vehicle van_7 only from the query's own camera yard" in output
        assert "Track t5 holds" in output
        assert "of vehicle van_7 and" in output
        assert "of vehicle car_3." in output

    def test_real_photographs(self, photos, capsys):
        arguments = ["--read-images", "--workers", "2", "--opts", "DATASETS.CSV.FILE", photos / "vehicles.csv"]
        assert check(capsys, "CSVVehicles", *arguments)[0] == 0


class TestNothingIsRead:
    """An empty or wrongly suffixed folder is a fault, not a data set without faults."""

    @pytest.mark.parametrize("name", ["VeRi776", "VeRi"])
    def test_veri_of_png_pictures(self, name, tmp_path, draw, capsys):
        for split in ("train", "query", "test"):
            draw(tmp_path / "veri" / f"image_{split}" / "0002_c002_00030600_0.png")
        draw(tmp_path / "veri" / "image_train" / "0002_c003_00030600_0.png")
        status, output = check(capsys, name, "--root", tmp_path)
        assert status == 1
        assert f"{tmp_path}/veri/image_train has no .jpg image; 2 .png passed over." in output
        assert "3 faults found" in output

    def test_market1501_of_png_pictures(self, tmp_path, draw, capsys):
        for folder in ("bounding_box_train", "query", "bounding_box_test"):
            draw(tmp_path / "Market-1501-v15.09.15" / folder / "0002_c1s1_000451_03.png")
        status, output = check(capsys, "Market1501", "--root", tmp_path)
        assert status == 1
        assert "bounding_box_train has no .jpg image; 1 .png passed over." in output

    @pytest.mark.parametrize("name", ["VeRi776", "VeRi"])
    def test_empty_folders(self, name, tmp_path, capsys):
        for split in ("train", "query", "test"):
            (tmp_path / "veri" / f"image_{split}").mkdir(parents=True)
        status, output = check(capsys, name, "--root", tmp_path)
        assert status == 1
        assert output.count("has no images.") == 3

    def test_some_pictures_of_another_kind(self, veri, draw, capsys):
        draw(veri / "image_test" / "0009_c001_00000000_0.png")
        (veri / "image_test" / "Thumbs.db").write_bytes(b"x")
        output = check(capsys, "VeRi776", "--root", veri.parent)[1]
        assert "image_test: 1 .png passed over: the images of this data set end in .jpg." in output
        assert "1 fault found" in output

    def test_list_of_no_names(self, veri, capsys):
        (veri / "name_query.txt").write_text("\n")
        assert f"{veri}/name_query.txt is empty" in check(capsys, "VeRi776", "--root", veri.parent)[1]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("test_label.xml", "<TrainingImages><Items></Items></TrainingImages>", "The labels {} have no <Item>"),
        ("test_track.txt", "\n", "The tracks {} name no image"),
        ("keypoint_test.txt", "", "{} has no image's view"),
        ("views.csv", "image,view\n", "{} has no image's view"),
    ],
)
def test_label_file_of_no_image_is_a_fault_once(veri, capsys, file, content, said):
    (veri / file).write_text(content)
    status, output = check(capsys, "VeRi776", "--root", veri.parent)
    assert status == 1
    assert output.count(said.format(veri / file)) == 1


def test_faults_that_repeat_do_not_hide_another(veri, draw, capsys):
    for number in range(10, 60):
        draw(veri / "image_train" / f"00{number}_c001_00000000_0.jpg")
    with (veri / "test_track.txt").open("a") as file:
        file.write("0007_c001_t1 0007_c001_00000000_0.jpg\n")
    output = check(capsys, "VeRi776", "--root", veri.parent)[1]
    assert output.count("is not listed in") == 6
    assert "... and 45 more like" in output
    assert "track 3: 0007_c001_00000000_0.jpg is in no split" in output
    assert "51 faults found" in output


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("0002_c7s1_000451_03.jpg", "it has pid 2, camid 7, and FastReID's reader of Market1501 takes only 1 <= camid <= 6"),
        (
            "1502_c1s1_000451_03.jpg",
            "it has pid 1502, camid 1, and FastReID's reader of Market1501 takes only 0 <= pid <= 1501",
        ),
        ("car.jpg", "FastReID's reader of Market1501 does not understand its name"),
    ],
)
def test_market1501s_layout_with_what_fastreid_does_not_take(tmp_path, draw, capsys, image, said, cfg, monkeypatch):
    folder = tmp_path / "Market-1501-v15.09.15"
    for part in ("query", "bounding_box_test", "bounding_box_train"):
        draw(folder / part / "0002_c1s1_000451_03.jpg")
    draw(folder / "bounding_box_train" / image)
    status, output = check(capsys, "Market1501", "--root", tmp_path)
    assert status == 1
    assert f"Cannot read the data set Market1501 at {folder}/bounding_box_train/{image}: {said}" in output
    assert "name the data set CSVVehicles (docs/custom-data.md)" in output
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    cfg.DATASETS.NAMES = ("Market1501",)
    with pytest.raises(DatasetError, match="Cannot read the data set Market1501 at"):
        build_train_dataset(cfg)


def test_fastreids_own_set(tmp_path, capsys):
    status, output = check(capsys, "VeRi", "--root", tmp_path)
    assert status == 1
    assert "is not found" in output


@pytest.mark.parametrize(
    "arguments", [["Nothing"], ["CSVVehicles", "--opts", "A"], ["CSVVehicles", "--config-file", "none.yml"]]
)
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(InputError):
        check(capsys, *arguments)


def test_pictures_that_are_both_a_query_and_in_the_gallery_are_counted(tmp_path, capsys):
    for name, text in (("a", "one"), ("copy", "one"), ("other", "two")):
        (tmp_path / f"{name}.png").write_text(text)
    rows = ["a.png,van,query", "copy.png,van,gallery", "a.png,van,gallery", "other.png,van,gallery", "copy.png,bus,gallery"]
    (tmp_path / "cars.csv").write_text("\n".join(["path,vehicle_id,split", *rows]))
    arguments = ["--opts", "DATASETS.CSV.FILE", tmp_path / "cars.csv", "--json", tmp_path / "found.json"]
    _, printed = check(capsys, "CSVVehicles", *arguments)
    assert "2 gallery images are a query's own picture, the same file or a copy of it" in printed
    assert json.loads((tmp_path / "found.json").read_text())["own_pictures"] == 2
