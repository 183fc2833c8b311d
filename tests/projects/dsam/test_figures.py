"""The figures of a study whose runs are there: untrained models in the folders that ``vreid study`` would have filled."""

import json

import numpy as np
import pytest
import torch
from dsam import DSAMTrainer
from dsam.figures import main
from dsam.pictures import draw_plane, draw_tsne
from dsam.runs import draw_images, trained_runs, training_features

from vreid_common.data import build_dataset
from vreid_common.errors import InputError
from vreid_common.study.plan import plan_runs
from vreid_common.study.spec import read_study

STUDY = """
title: Two rows
seeds: [0]
dataset: CSVVehicles
columns: {mAP: mAP}
rows:
  - {name: S, config: ../configs/S.yml}
  - {name: S+D, config: ../configs/S.yml, overrides: {MODEL.LOSSES.NAME: [CrossEntropyLoss, DSAMLoss]}}
"""


@pytest.fixture
def study(tmp_path, make_cfg, vehicles):
    """A study file, and its runs in tmp_path/runs."""
    project = tmp_path / "projects" / "DSAM"
    for folder in ("configs", "studies"):
        (project / folder).mkdir(parents=True)
    (project / "train_net.py").touch()
    (project / "configs" / "S.yml").write_text("SOLVER: {MAX_EPOCH: 1}\n")
    path = project / "studies" / "two.yml"
    path.write_text(STUDY)
    for place, run in enumerate(plan_runs(read_study(path)).values()):
        folder = tmp_path / "runs" / run.id
        folder.mkdir(parents=True)
        cfg = make_cfg(
            *("DATASETS.NAMES", ["CSVVehicles"], "DATASETS.TESTS", ["CSVVehicles"], "DATASETS.CSV.FILE", str(vehicles)),
            *("MODEL.HEADS.EMBEDDING_DIM", 2),
        )
        torch.manual_seed(place)
        torch.save({"model": DSAMTrainer.build_model(cfg).state_dict()}, folder / "model_final.pth")
        (folder / "config.yaml").write_text(cfg.dump())
        (folder / "cmc.json").write_text(json.dumps({"CSVVehicles": {"main": [0.25, 0.5]}}))
    return path


def test_runs_of_the_study(study, tmp_path):
    assert [run.name for run in trained_runs(study, tmp_path / "runs", 0)] == ["S", "S+D"]
    (run,) = trained_runs(study, tmp_path / "runs", 0, ["S+D"])
    features, identities = training_features(run)
    assert features.shape == (30, 2)
    assert sorted(np.bincount(identities)) == [5] * 6
    again, _ = training_features(run)
    np.testing.assert_array_equal(features, again)
    features, identities = training_features(run, num_ids=3, num_images=4)
    assert features.shape == (12, 2)
    assert identities.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_drawn_images(make_cfg, vehicles):
    items = build_dataset(make_cfg("DATASETS.CSV.FILE", str(vehicles)), "CSVVehicles").train
    drawn = draw_images(items, 4, 3)
    assert drawn == draw_images(items, 4, 3) != draw_images(items, 4, 3, seed=1)
    assert len({item.path for item in drawn}) == 12
    assert [len({item.pid for item in drawn[i : i + 3]}) for i in (0, 3, 6, 9)] == [1] * 4
    with pytest.raises(InputError, match="6 training identities have 5 images or more; 7 are to be drawn"):
        draw_images(items, 7, 5)


@pytest.mark.parametrize("kind", ["plane", "cmc"])
def test_smoke_command(study, tmp_path, kind):
    picture = tmp_path / "picture.png"
    main([kind, str(study), "--work-dir", str(tmp_path / "runs"), "--output", str(picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_smoke_tsne_command(study, tmp_path, monkeypatch):
    monkeypatch.setattr("dsam.figures._TSNE_IDENTITIES", (3, 4))
    monkeypatch.setattr("dsam.figures._TSNE_IMAGES", 5)
    main(["tsne", str(study), "--work-dir", str(tmp_path / "runs"), "--row", "S", "--output", str(tmp_path / "t.png")])
    assert (tmp_path / "t.png").is_file()


def test_wrong_input(study, tmp_path, capsys):
    for arguments, said in (
        (["--row", "T"], "has no row 'T'; it has S, S+D"),
        (["--seed", "3"], "has no seed 3"),
        (["--work-dir", str(tmp_path)], "has no model_final.pth of the row 'S'"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["cmc", str(study), "--work-dir", str(tmp_path / "runs"), "--output", str(tmp_path / "c.png"), *arguments])
        error = capsys.readouterr().err
        assert (ended.value.code, error.count("\n")) == (2, 1)
        assert said in error


def test_plane_shows_both_spaces():
    identities = np.repeat(np.arange(3), 4)
    features = np.random.default_rng(0).normal(size=(12, 2))
    features[0] = 0
    figure = draw_plane({"S": (features, identities), "S+D": (2 * features, identities)})
    assert len(figure.axes) == 4
    original, angular = (np.asarray(axes.collections[0].get_offsets()) for axes in (figure.axes[1], figure.axes[3]))
    np.testing.assert_allclose(original, 2 * features)
    np.testing.assert_allclose(np.linalg.norm(angular[1:], axis=1), 1)
    with pytest.raises(InputError, match=r"S has features of 3 dimensions"):
        draw_plane({"S": (np.zeros((4, 3)), np.zeros(4))})


def test_tsne_has_a_row_a_choice():
    rng = np.random.default_rng(0)
    choices = {f"{n} ids": (rng.normal(size=(4 * n, 6)), np.repeat(np.arange(n), 4)) for n in (2, 3)}
    figure = draw_tsne({"S": choices, "S+D": choices})
    assert len(figure.axes) == 4
    assert [len(axes.collections[0].get_offsets()) for axes in figure.axes] == [8, 8, 12, 12]
