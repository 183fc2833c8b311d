from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vreid_common.config import CfgNode, get_vreid_cfg

_TRAIN = ["0001_c001_00016450_0.jpg", "0001_c002_00016490_0.jpg", "0003_c001_00016500_0.jpg"]
_TEST = ["0002_c002_00030600_0.jpg", "0002_c002_00030605_0.jpg", "0002_c003_00030700_0.jpg"]
_QUERY = ["0002_c002_00030600_0.jpg"]


@pytest.fixture
def cfg() -> CfgNode:
    """Small images, no worker processes, CPU."""
    cfg = get_vreid_cfg()
    cfg.MODEL.DEVICE = "cpu"
    cfg.DATASETS.NAMES = cfg.DATASETS.TESTS = ("CSVVehicles",)
    cfg.INPUT.SIZE_TRAIN = cfg.INPUT.SIZE_TEST = [16, 16]
    cfg.DATALOADER.NUM_WORKERS = cfg.TEST.NUM_WORKERS = 0
    cfg.DATALOADER.NUM_INSTANCE = 2
    cfg.SOLVER.IMS_PER_BATCH = 8
    cfg.TEST.IMS_PER_BATCH = 4
    return cfg


@pytest.fixture
def draw() -> Callable[[Path], Path]:
    """Writes an image of noise, its own for each name."""

    def write(path: Path, size: tuple[int, int] = (24, 20)) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(list(path.name.encode()))
        Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def csv_file(tmp_path: Path, cfg: CfgNode, draw: Callable) -> Path:
    """A CSV data set: 6 training vehicles with 3 images and 2 test vehicles, each seen by two cameras; set in ``cfg``."""
    lines = ["path,vehicle_id,camera_id,split"]
    for vehicle in range(8):
        splits = ("train",) * 3 if vehicle < 6 else ("query", "gallery", "gallery")
        for place, split in enumerate(splits):
            name = f"v{vehicle}_{place}.png"
            draw(tmp_path / name)
            lines.append(f"{name},{vehicle},{place % 2},{split}")
    file = tmp_path / "vehicles.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    cfg.DATASETS.CSV.FILE = str(file)
    return file


def _label_xml(names: list[str], **changes: str) -> bytes:
    items = ""
    for name in names:
        label = {"imageName": name, "vehicleID": name[:4], "cameraID": name[5:9], "colorID": "1", "typeID": "4"} | changes
        items += "<Item " + " ".join(f'{key}="{value}"' for key, value in label.items()) + " />\r\n"
    head = '<?xml version="1.0" encoding="gb2312"?>\r\n<!-- 车辆 -->\r\n<TrainingImages Version="1.0"><Items number="3">\r\n'
    return (head + items + "</Items></TrainingImages>\r\n").encode("gb2312")


@pytest.fixture
def veri(tmp_path: Path, draw: Callable) -> Path:
    """A small folder in the layout of VeRi-776, with all optional files but the views."""
    folder = tmp_path / "VeRi"
    for split, names in (("train", _TRAIN), ("query", _QUERY), ("test", _TEST)):
        for name in names:
            draw(folder / f"image_{split}" / name)
        (folder / f"name_{split}.txt").write_bytes("".join(f"{name}\r\n" for name in names).encode())
    (folder / "train_label.xml").write_bytes(_label_xml(_TRAIN))
    (folder / "test_label.xml").write_bytes(_label_xml(_TEST))
    tracks = f"0002_c002_t0175 {_TEST[0]} {_TEST[1]} \r\n0002_c003_t0176 {_TEST[2]} \r\n"
    (folder / "test_track.txt").write_bytes(tracks.encode())
    return folder
