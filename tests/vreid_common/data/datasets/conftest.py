"""Miniatures of data sets in their owners' formats, with the warts that copies of them have."""

import argparse
import pickle
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from vreid_common.data.check import add_check_arguments, run_check

Draw = Callable[[Path], Path]


@pytest.fixture
def check(capsys) -> Callable[..., tuple[int, list[str]]]:
    """``vreid check-data``: its exit status and the lines of its faults, or all lines where there are none."""

    def run(name: str, root: Path, *arguments: str) -> tuple[int, list[str]]:
        parser = argparse.ArgumentParser()
        add_check_arguments(parser)
        status = run_check(parser.parse_args([name, "--root", str(root), "--limit", "0", *arguments]))
        lines = capsys.readouterr().out.splitlines()
        return status, [line.strip() for line in lines if not status or line.startswith("  ")]

    return run


def write_crlf(path: Path, lines: Iterable[str], *, last_newline: bool = True) -> None:
    """Lines with CRLF and a trailing blank, as some copies have them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = " \r\n".join(lines)
    path.write_bytes((text + (" \r\n" if last_newline else "")).encode())


def xml(items: Iterable[dict[str, str]], encoding: str = "gb2312") -> bytes:
    rows = "".join("<Item " + " ".join(f'{key}="{value}"' for key, value in item.items()) + " />\r\n" for item in items)
    head = (
        f'<?xml version="1.0" encoding="{encoding}"?>\r\n<TrainingImages Version="1.0">\r\n<Items number="-"><!-- 车辆 -->\r\n'
    )
    return (head + rows + "</Items>\r\n</TrainingImages>").encode(encoding)


@pytest.fixture
def vehicleid(tmp_path: Path, draw: Draw) -> Path:
    """3 training vehicles, 2 or 3 test vehicles; images without an extension in the lists, and 7 digits."""
    folder = tmp_path / "VehicleID_V1.0"
    vehicles = {1: (10, 11), 2: (10,), 3: (12, 12), 4: (13, 13, 13), 5: (14, 14), 6: (15, 15, 15)}
    images = [
        (f"{number:07d}", vehicle)
        for vehicle in vehicles
        for number in range(vehicle * 10, vehicle * 10 + len(vehicles[vehicle]))
    ]
    for name, _ in images:
        draw(folder / "image" / f"{name}.jpg")
    lists = folder / "train_test_split"
    write_crlf(lists / "train_list.txt", [f"{name} {vehicle}" for name, vehicle in images if vehicle <= 3], last_newline=False)
    write_crlf(lists / "test_list_800.txt", [f"{name} {vehicle}" for name, vehicle in images if vehicle in (4, 5)])
    write_crlf(lists / "test_list_1600.txt", [f"{name} {vehicle}" for name, vehicle in images if vehicle > 3] + [""])
    attribute = folder / "attribute"
    write_crlf(attribute / "img2vid.txt", [f"{name} {vehicle}" for name, vehicle in images])
    write_crlf(attribute / "model_attr.txt", ["1 249", "4 17"])
    write_crlf(attribute / "color_attr.txt", ["4 6"], last_newline=False)
    return folder


@pytest.fixture
def vric(tmp_path: Path, draw: Draw) -> Path:
    folder = tmp_path / "VRIC"
    lists = {
        "train": ["MVI_20011_001_img00105.jpg 1 1", "MVI_20011_001_img00106.jpg 1 1", "MVI_20012_002_img00001.jpg 2 7"],
        "probe": ["MVI_39031_010_img01250.jpg 15 1"],
        "gallery": ["MVI_39051_004_img00020.jpg 15 2"],
    }
    for split, rows in lists.items():
        write_crlf(folder / f"vric_{split}.txt", rows, last_newline=split == "train")
        for row in rows:
            draw(folder / f"{split}_images" / row.split()[0])
    return folder


@pytest.fixture
def vrai(tmp_path: Path, draw: Draw) -> Path:
    """Labels by vehicle in training and by name in test; boxes in arrays; the protocol of Python 2."""
    folder = tmp_path / "VRAI"
    train = [
        "00000007_0001_00000000.jpg",
        "00000007_0001_00000003.jpg",
        "00000007_0002_00000000.jpg",
        "00000009_0002_00000001.jpg",
    ]
    query, gallery = ["0009DI42_C1.jpg"], ["00199XUJ_C2.jpg", "0A199XUJ_C1.jpg"]
    for name in train:
        draw(folder / "images_train" / name)
    for images in ("images_dev", "images_test"):
        for name in query + gallery:
            draw(folder / images / name)
    boxes = {name: np.array([[1, 2, 3, 4]], dtype=np.float32) for name in train}
    by_vehicle = {"00000007": 2, "00000009": 9}
    annotation = {"train_im_names": train, "color_label": by_vehicle, "type_label": {7: np.int64(3)}, "d_part_label": boxes}
    (folder / "train_annotation.pkl").write_bytes(pickle.dumps(annotation | {"sky_label": {"00000007": 1}}, protocol=2))
    annotation = {
        "query_order": query,
        "gallery_order": gallery,
        "color_label": {query[0]: 4},
        "luggage_label": {gallery[0]: 0},
    }
    for split, names in (("test_dev", "dev_im_names"), ("test", "test_im_names")):
        (folder / f"{split}_annotation.pkl").write_bytes(pickle.dumps(annotation | {names: query + gallery}, protocol=2))
    return folder


@pytest.fixture
def pku_vd(tmp_path: Path, draw: Draw) -> Path:
    """VD1: 2 queries, which the galleries list too; a small gallery in another order than the large one."""
    folder = tmp_path / "PKU-VD" / "VD1"
    train, test = (
        ["1 100 7 2", "2 100 7 2", "3 101 9 0"],
        [f"{number} {200 + number // 2} 5 {number}" for number in range(10, 20)],
    )
    for row in train + test:
        draw(folder / "image" / f"{row.split()[0]}.jpg")
    write_crlf(folder / "train_test" / "trainlist.txt", train)
    write_crlf(folder / "train_test" / "testlist.txt", test, last_newline=False)
    write_crlf(folder / "query_ref" / "querylist.txt", [test[0], test[2]])
    write_crlf(folder / "query_ref" / "small_set.txt", [test[3], test[2], test[1], test[0]])
    write_crlf(folder / "query_ref" / "medium_set.txt", test[:6], last_newline=False)
    return folder


@pytest.fixture
def cityflow(tmp_path: Path, draw: Draw) -> Path:
    """AIC20: labels in gb2312, one twice; camID for cameraID; trailing blanks, no last newline; no test labels."""
    folder = tmp_path / "AIC20_ReID"
    for split, count in (("train", 4), ("query", 2), ("test", 3)):
        names = [f"{number:06d}.jpg" for number in range(1, count + 1)]
        for name in names:
            draw(folder / f"image_{split}" / name)
        write_crlf(folder / f"name_{split}.txt", names, last_newline=False)
    ids = ((1, "0002", "c006"), (2, "0002", "c006"), (3, "0002", "c007"), (4, "0005", "c007"))
    labels = [{"imageName": f"{number:06d}.jpg", "vehicleID": vehicle, "camID": camera} for number, vehicle, camera in ids]
    (folder / "train_label.xml").write_bytes(xml([*labels, labels[0]]))
    (folder / "train_track.txt").write_bytes(b"000001.jpg 000002.jpg \n000003.jpg \n000004.jpg")
    (folder / "test_track_id.txt").write_bytes(b"1 3 \r\n2 ")
    return folder


@pytest.fixture
def cityflow_v2(cityflow: Path) -> Path:
    """AIC21: the same, with cameras of query and test images."""
    folder = cityflow.rename(cityflow.with_name("AIC21_Track2_ReID"))
    for split, cameras in (("query", ("c041", "c042")), ("test", ("c041", "c042", "c046"))):
        items = [{"imageName": f"{number:06d}.jpg", "cameraID": camera} for number, camera in enumerate(cameras, start=1)]
        (folder / f"{split}_label.xml").write_bytes(xml(items))
    return folder


@pytest.fixture
def vehiclex(tmp_path: Path, draw: Draw) -> Path:
    folder = tmp_path / "AIC21_Track2_ReID_Simulation"
    items = []
    for name, orientation in (("0001_c001_33.jpg", "181.5"), ("0001_c002_1.jpg", "0.25"), ("1362_c019_9.jpg", "359")):
        draw(folder / "sys_image_train" / name)
        items.append(
            {
                "typeID": "4", "imageName": name, "cameraID": name[5:9], "vehicleID": name[:4], "colorID": "11",
                "orientation": orientation, "lightInt": "1.2", "lightDir": "-1", "camHei": "4.5", "camDis": "-7e0",
            }
        )  # fmt: skip
    (folder / "train_label.xml").write_bytes(xml(items, "utf-8"))
    return folder


@pytest.fixture
def veri_wild(tmp_path: Path, draw: Draw) -> Path:
    folder = tmp_path / "VERI-Wild"
    rows = {
        "00001/000001": "12;2018-03-12 06:34:41;大众朗逸;轿车;黑",
        "00001/000002": "30;2018/3/12 6:35;大众朗逸;轿车;黑",
        "00002/000003": "12;;五菱;面包车;",
        "00003/000004": "7;2018-03-13 23:00:00;大众朗逸;轿车;白",
        "00003/000005": "8;2018-03-14 00:00:00;大众朗逸;轿车;白",
    }
    for name in rows:
        draw(folder / "images" / f"{name}.jpg")
    lists = folder / "train_test_split"
    lists.mkdir()
    info = ["id/image;Camera ID;Time;Model;Type;Color", *(f"{name};{row}" for name, row in rows.items())]
    (lists / "vehicle_info.txt").write_bytes("\r\n".join(info).encode("gb2312"))
    write_crlf(lists / "train_list.txt", ["00001/000001.jpg", "00001/000002.jpg", "00002/000003.jpg"])
    write_crlf(lists / "test_3000_query.txt", ["00003/000004"])
    write_crlf(lists / "test_3000.txt", ["00003/000005.jpg"], last_newline=False)
    return folder
