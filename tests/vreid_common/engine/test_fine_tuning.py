"""Training on other vehicles from a run's own files."""

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.engine import Trainer
from vreid_common.engine.manifest import class_names


@pytest.fixture(params=["{}", "van-{}"], ids=["numbers", "texts"])
def lists(request: pytest.FixtureRequest, vehicles: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The list, and the same without two training vehicles and with two that are test vehicles there; both with such ids."""
    header, *rows = vehicles.read_text().splitlines()
    both = [header], [header]
    for row in rows:
        name, vehicle, camera, split = row.split(",")
        train = split == "train" or int(vehicle) in (6, 7)
        written = f"{vehicles.parent}/{name},{request.param.format(vehicle)},{camera},"
        both[0].append(written + split)
        if int(vehicle) not in (0, 3):
            both[1].append(written + ("train" if train else split))
    paths = tmp_path / "first.csv", tmp_path / "others.csv"
    for path, lines in zip(paths, both, strict=True):
        path.write_text("\n".join(lines) + "\n")
    return paths


def test_rows_of_known_vehicles_are_kept_by_name_and_others_begin_anew(
    lists: tuple[Path, Path], tiny: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    out = tmp_path / "out"
    Trainer(tiny("DATASETS.CSV.FILE", str(lists[0]), "SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", [])).train()
    cfg = get_vreid_cfg()
    cfg.merge_from_file(str(out / "config.yaml"))
    cfg.merge_from_list(["DATASETS.CSV.FILE", str(lists[1]), "OUTPUT_DIR", str(tmp_path / "fine")])
    cfg.merge_from_list(["MODEL.WEIGHTS", str(out / "model_final.pth")])
    Path(cfg.OUTPUT_DIR).mkdir()
    trainer = Trainer(cfg)
    own = trainer.checkpointer.model.heads.weight.detach().clone()
    with caplog.at_level(logging.INFO):
        trainer.resume_or_load(resume=False)
    assert "classifier (heads.weight): the rows of 4 vehicles are kept, 2 are new and begin untrained, 2 of the" in caplog.text
    checkpoint = torch.load(out / "model_final.pth", weights_only=True)
    rows = dict(zip(checkpoint["manifest"]["classes"], checkpoint["model"]["heads.weight"], strict=True))
    names = class_names(trainer.loader.dataset)
    assert len(names) == 6
    for row, name in enumerate(names):
        assert torch.equal(trainer.checkpointer.model.heads.weight[row], rows.get(name, own[row])), name
    trainer.train()


def test_a_number_of_classes_that_stands_in_the_configuration_is_the_datas(
    tiny: Callable[..., CfgNode], caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        trainer = Trainer(tiny("MODEL.HEADS.NUM_CLASSES", 4))
    assert "MODEL.HEADS.NUM_CLASSES is 4, but the training images have 6 vehicles" in caplog.text
    assert trainer.checkpointer.model.heads.weight.shape[0] == 6
