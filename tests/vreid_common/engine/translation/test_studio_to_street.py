"""A translator trained from rendered studio to rendered street brings the domains closer, as a classifier sees them."""

from pathlib import Path

import pytest
import torch

from vreid_common.config import get_vreid_cfg
from vreid_common.data import build_dataset
from vreid_common.engine.translation.compare import compare

SIZE = "32"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rendered")
    cfg = get_vreid_cfg()
    cfg.DATASETS.RENDER.SIZE = "tiny"
    for name in ("StreetVehicles", "StudioVehicles"):
        build_dataset(cfg, name, root=str(root))
    return root


@pytest.mark.slow
def test_translated_images_are_told_apart_clearly_worse(translate, rendered, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTREID_DATASETS", str(rendered))
    tiny = ["--opts", "DATASETS.RENDER.SIZE", "tiny"]
    command = ["train", "--source", "StudioVehicles", "--target", "StreetVehicles", "--output", tmp_path / "unit", *tiny]
    networks = ["--size", SIZE, "--width", 8, "--blocks", 2, "--discriminator-width", 16, "--discriminator-scales", 2]
    schedule = ["--iterations", 140, "--batch-size", 2, "--learning-rate", "1e-3", "--workers", 0, "--device", "cpu"]
    assert translate(*command, *networks, "--discriminator-layers", 3, *schedule) == 0

    studio = next(rendered.glob("studio-*"))
    copy = tmp_path / "translated" / studio.name
    assert translate("apply", "--weights", tmp_path / "unit/translator.pth", "--input", studio, "--output", copy) == 0
    cfg = get_vreid_cfg()
    cfg.merge_from_list([*tiny[1:], "DATASETS.TRANSLATED.NAMES", ["StudioVehicles"]])
    cfg.DATASETS.TRANSLATED.ROOT = str(copy.parent)
    plain, read = (build_dataset(c, "StudioVehicles").train for c in (_tiny(), cfg))
    assert [item[1:] for item in read] == [item[1:] for item in plain]  # the reader of the set reads the copy

    real = build_dataset(_tiny(), "StreetVehicles").train
    gap = compare(real, studio, copy, (32, 32), images=500, steps=60, seed=0, device=torch.device("cpu"))
    assert gap.auc > 0.95
    assert gap.translated_auc < gap.auc - 0.15


def _tiny():
    cfg = get_vreid_cfg()
    cfg.DATASETS.RENDER.SIZE = "tiny"
    return cfg
