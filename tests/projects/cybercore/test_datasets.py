"""The configs of the paper's data sets read folders in their owners' layouts, and give each label's classes."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
from cybercore import CybercoreTrainer, add_cybercore_config
from PIL import Image

from vreid_common.engine import load_config

CONFIGS = Path(__file__).parents[3] / "projects" / "CybercoreBaseline" / "configs"
VEHICLES, IMAGES, CAMERAS = 24, 8, 16


def draw(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.fromarray(np.random.default_rng(list(name.encode())).integers(0, 256, (8, 8, 3), np.uint8)).save(folder / name)


def write_labels(path: Path, labels: Mapping[str, Mapping[str, object]]) -> None:
    rows = (
        f'<Item imageName="{name}" ' + " ".join(f'{key}="{value}"' for key, value in keys.items()) + "/>"
        for name, keys in labels.items()
    )
    path.write_text(f"<TrainingImages><Items>{''.join(rows)}</Items></TrainingImages>")


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CityFlowV2 and VehicleX, 24 vehicles with 8 images each; VehicleX as a translated copy."""
    cityflow = tmp_path / "AIC21_Track2_ReID"
    train = {
        f"{number:06d}.jpg": {"vehicleID": number // IMAGES, "cameraID": f"c{number % CAMERAS:03d}"}
        for number in range(VEHICLES * IMAGES)
    }
    draw(cityflow / "image_train", train)
    write_labels(cityflow / "train_label.xml", train)
    for split, names in (("query", ["000001.jpg", "000002.jpg"]), ("test", ["000001.jpg", "000002.jpg", "000003.jpg"])):
        draw(cityflow / f"image_{split}", names)
        write_labels(cityflow / f"{split}_label.xml", {name: {"cameraID": "c041"} for name in names})
    (cityflow / "test_track.txt").write_text("000001.jpg 000002.jpg \n000003.jpg")
    vehiclex = tmp_path / "translated" / "AIC21_Track2_ReID_Simulation"
    synthetic = {
        f"{vehicle:04d}_c001_{image}.jpg": {"vehicleID": vehicle, "orientation": (37.5 * image + 10 * vehicle) % 360}
        for vehicle in range(VEHICLES)
        for image in range(IMAGES)
    }
    draw(vehiclex / "sys_image_train", synthetic)
    write_labels(vehiclex / "train_label.xml", synthetic)
    (vehiclex / "translation.json").write_text("{}")
    monkeypatch.setenv("FASTREID_DATASETS", str(tmp_path))


@pytest.mark.parametrize(
    ("config", "classes", "domains"),
    [
        ("rx101-ibn", VEHICLES - 4 + VEHICLES, {0, 1}),
        ("baseline_real", VEHICLES - 4, {0}),
        ("orientation", 36, {1}),
        ("camera", CAMERAS, {0}),
        ("challenge", 2 * VEHICLES, {0, 1}),
    ],
)
def test_smoke_trains_and_tests_on_the_owners_layout(roots, config, classes, domains):
    workers = ["DATALOADER.NUM_WORKERS", "0", "TEST.NUM_WORKERS", "0"]
    small = ["MODEL.DEVICE", "cpu", "INPUT.SIZE_TRAIN", "[16, 16]", "INPUT.SIZE_TEST", "[16, 16]", *workers]
    held_out = [] if config == "challenge" else ["DATASETS.VALIDATION.NUM_IDS", "4"]
    cfg = CybercoreTrainer.stages(
        load_config(add_cybercore_config, str(CONFIGS / "CityFlowV2" / f"{config}.yml"), [*small, *held_out])
    )[-1]
    loader = CybercoreTrainer.build_train_loader(cfg)
    assert loader.num_classes == classes
    batch = next(iter(loader.epoch(0)))
    assert len(batch["images"]) == 128
    assert len(set(batch["targets"].tolist())) == 16
    assert set(batch["domains"].tolist()) == domains
    if domains == {0, 1}:
        assert int(batch["domains"].sum()) == 64
    test, num_query = CybercoreTrainer.build_test_loader(cfg, "CityFlowV2")
    images = sum(len(batch["images"]) for batch in test)
    if config == "challenge":
        assert (num_query, images) == (2, 5)
        assert [name for name, _ in cfg.RERANK.FURTHER] == ["orientation", "camera", "model_2", "model_3"]
    else:
        assert images == 4 * IMAGES
