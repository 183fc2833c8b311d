"""The configs of the paper's data sets read folders in their owners' layouts."""

import pickle
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from wcvl import add_wcvl_config

from vreid_common.data import build_test_loader, build_train_loader
from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "WCVL" / "configs"
VEHICLES = range(16)


def draw(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8, 3), np.uint8)).save(folder / name)


def vehicleid(root: Path) -> None:
    rows = [(f"{4 * vehicle + image:07d}", vehicle) for vehicle in range(20) for image in range(4)]
    draw(root / "VehicleID_V1.0" / "image", [f"{name}.jpg" for name, _ in rows])
    lists = root / "VehicleID_V1.0" / "train_test_split"
    lists.mkdir()
    for name, chosen in {
        "train_list": VEHICLES,
        "test_list_800": (16, 17),
        "test_list_1600": (16, 17, 18),
        "test_list_2400": range(16, 20),
    }.items():
        (lists / f"{name}.txt").write_text("\r\n".join(f"{image} {vehicle}" for image, vehicle in rows if vehicle in chosen))


def vric(root: Path) -> None:
    train = [(f"MVI_1_{vehicle}_img{image}.jpg", vehicle, image) for vehicle in VEHICLES for image in range(4)]
    for split, rows in {"train": train, "probe": [("a.jpg", 90, 1)], "gallery": [("b.jpg", 90, 2), ("c.jpg", 91, 1)]}.items():
        draw(root / "VRIC" / f"{split}_images", [row[0] for row in rows])
        (root / "VRIC" / f"vric_{split}.txt").write_text("".join(f"{name} {pid} {camera}\n" for name, pid, camera in rows))


def vrai(root: Path) -> None:
    train = [f"{v:08d}_{camera:04d}_{frame:08d}.jpg" for v in range(18) for camera in (1, 2) for frame in (0, 1)]
    draw(root / "VRAI" / "images_train", train)
    draw(root / "VRAI" / "images_dev", ["0009DI42_C1.jpg", "00199XUJ_C2.jpg"])
    (root / "VRAI" / "train_annotation.pkl").write_bytes(pickle.dumps({"train_im_names": train}))
    test = {"query_order": ["0009DI42_C1.jpg"], "gallery_order": ["00199XUJ_C2.jpg"]}
    (root / "VRAI" / "test_dev_annotation.pkl").write_bytes(pickle.dumps(test))


@pytest.mark.parametrize(
    ("config", "write", "sizes"),
    [
        ("VehicleID/wcvl_r50.yml", vehicleid, [(6, 8), (9, 12), (12, 16)]),
        ("VRIC/wcvl_r50.yml", vric, [(1, 3)]),
        ("VRAI/wcvl_r50.yml", vrai, [(4, 8)]),
    ],
)
def test_smoke_trains_and_tests_on_the_owners_layout(
    config: str, write: Callable[[Path], None], sizes: list[tuple[int, int]], tmp_path, monkeypatch
):
    write(tmp_path)
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))
    small = [
        "INPUT.SIZE_TRAIN",
        "[16, 16]",
        "INPUT.SIZE_TEST",
        "[16, 16]",
        "DATALOADER.NUM_WORKERS",
        "0",
        "TEST.NUM_WORKERS",
        "0",
    ]
    if write is vrai:
        small += ["DATASETS.VALIDATION.NUM_IDS", "2"]
    cfg = load_config(add_wcvl_config, str(CONFIGS / config), ["MODEL.DEVICE", "cpu", *small])
    batch = next(iter(build_train_loader(cfg).epoch(0)))
    assert len(batch["images"]) == cfg.SOLVER.IMS_PER_BATCH
    assert len(set(batch["targets"].tolist())) == cfg.SOLVER.IMS_PER_BATCH // cfg.DATALOADER.NUM_INSTANCE
    for name, (queries, images) in zip(cfg.DATASETS.TESTS, sizes, strict=True):
        loader, num_query = build_test_loader(cfg, name)
        assert (num_query, sum(len(batch["images"]) for batch in loader)) == (queries, images)
