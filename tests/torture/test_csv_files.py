"""CSV files: the sentence names the file and the row."""

from pathlib import Path

import pytest

HEADER = "path,vehicle_id,camera_id,split"

CASES = {
    "empty": ("", ["cars.csv"]),
    "a header alone": (HEADER, ["cars.csv"]),
    "no header": ("a.png,1,1,train", ["cars.csv", "path"]),
    "semicolons": (HEADER.replace(",", ";"), ["cars.csv", "comma"]),
    "tabs": (HEADER.replace(",", "\t"), ["cars.csv", "comma"]),
    "no column of vehicles": ("path,camera_id,split\na.png,1,train", ["cars.csv", "vehicle_id"]),
    "no column of splits": ("path,vehicle_id\na.png,1", ["cars.csv", "split"]),
    "a column twice": ("path,vehicle_id,vehicle_id,split\na.png,1,1,train", ["cars.csv", "vehicle_id", "twice"]),
    "too few fields": (f"{HEADER}\na.png,1,train", ["cars.csv", "row 2", "fields"]),
    "too many fields": (f"{HEADER}\na,b.png,1,1,train", ["cars.csv", "row 2", "fields"]),
    "no path": (f"{HEADER}\n,1,1,train", ["cars.csv", "row 2", "path"]),
    "a training image of nobody": (f"{HEADER}\na.png,,1,train", ["cars.csv", "row 2", "vehicle_id"]),
    "a training image of -1": (f"{HEADER}\na.png,-1,1,train", ["cars.csv", "row 2", "vehicle_id"]),
    "a split called test": (f"{HEADER}\na.png,1,1,test", ["cars.csv", "row 2", "query", "gallery"]),
    "an unknown split": (f"{HEADER}\na.png,1,1,trian", ["cars.csv", "row 2", "trian"]),
    "an unknown view": (f"{HEADER},view\na.png,1,1,train,left", ["cars.csv", "row 2", "left", "front"]),
    "a time that is none": (f"{HEADER},timestamp\na.png,1,1,train,noon", ["cars.csv", "row 2", "timestamp", "noon"]),
    "an image that is not there": (f"{HEADER}\ngone.png,1,1,train", ["cars.csv", "row 2", "gone.png"]),
    "a folder as an image": (f"{HEADER}\n.,1,1,train\nb.png,2,1,train\na.png,3,1,query\nb.png,3,2,gallery", ["not a file"]),
    "a NUL byte in a path": (f"{HEADER}\na\0.png,1,1,train", ["cars.csv"]),
    "a quote that does not end": (f'{HEADER}\n"a.png,1,1,train', ["cars.csv"]),
    "an address": (f"{HEADER}\nhttps://cars.example/a.png,1,1,train", ["cars.csv", "row 2"]),
    "a backslash": (f"{HEADER}\nimages\\a.png,1,1,train", ["cars.csv", "row 2", "\\"]),
    "one training vehicle": (f"{HEADER}\na.png,1,1,train\nb.png,1,1,train\na.png,2,1,query\nb.png,2,2,gallery", ["vehicle"]),
    "no training images": (f"{HEADER}\na.png,2,1,query\nb.png,2,2,gallery", ["train"]),
    "no queries": (f"{HEADER}\na.png,1,1,train\nb.png,2,1,train\na.png,3,1,gallery", ["query"]),
    "no gallery": (f"{HEADER}\na.png,1,1,train\nb.png,2,1,train\na.png,3,1,query", ["gallery"]),
}


@pytest.fixture
def list_of(tmp_path: Path, vehicles: Path) -> Path:
    """cars.csv, not there yet, beside two images."""
    images = sorted(vehicles.parent.glob("*.png"))
    for name, image in zip(("a.png", "b.png"), images, strict=False):
        (tmp_path / name).write_bytes(image.read_bytes())
    return tmp_path / "cars.csv"


@pytest.mark.parametrize(("text", "holds"), CASES.values(), ids=CASES.keys())
def test_refused(text: str, holds: list[str], list_of: Path, config_file: Path, refused):
    list_of.write_text(text)
    refused("train", "--config-file", config_file, "DATASETS.CSV.FILE", list_of, "SOLVER.IMS_PER_BATCH", 2, holds=holds)
    assert not (config_file.parent / "out" / "model_final.pth").exists()


@pytest.mark.parametrize(
    ("content", "holds"),
    [
        ("path,vehicle_id,split\nä.png,1,train".encode("latin-1"), ["cars.csv", "UTF-8"]),
        (b"PK\x03\x04\x14\x00\x06\x00", ["cars.csv"]),
        (b"\xff\xd8\xff\xe0", ["cars.csv"]),
    ],
    ids=["Latin-1", "a spreadsheet", "a picture"],
)
def test_bytes_that_are_no_csv(content: bytes, holds: list[str], list_of: Path, config_file: Path, refused):
    list_of.write_bytes(content)
    refused("train", "--config-file", config_file, "DATASETS.CSV.FILE", list_of, holds=holds)
