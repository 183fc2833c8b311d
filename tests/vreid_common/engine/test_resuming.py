"""What --resume takes over, says and refuses, on runs that a user has trained."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fastreid.config import CfgNode

from vreid_common.engine import Trainer, main
from vreid_common.engine.manifest import flat_config
from vreid_common.engine.resume_rules import RESUME_RULES
from vreid_common.engine.resuming import is_finished
from vreid_common.errors import InputError


@pytest.fixture
def out(finished_run: Path, config_file: Path) -> Path:
    """A copy of a finished run, in the folder that ``config_file`` names."""
    return Path(shutil.copytree(finished_run, config_file.parent / "out"))


def resume(config_file: Path, *options: object) -> None:
    main(argv=["--config-file", str(config_file), "--resume", *map(str, options)])


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path, weights_only=True)["model"]


def assert_equal_weights(one: Path, other: Path) -> None:
    ours, theirs = weights(one), weights(other)
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def without_manifest(out: Path) -> None:
    """Turns the last checkpoint into one of an older version."""
    state = torch.load(out / "model_final.pth", weights_only=True)
    del state["manifest"], state["optimizers"]
    torch.save(state, out / "model_final.pth")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("SOLVER.BASE_LR", 0.01), "SOLVER.BASE_LR 0.0003 (now 0.01)"),
        (("SOLVER.WEIGHT_DECAY", 0.1), "SOLVER.WEIGHT_DECAY 0.0005 (now 0.1)"),
        (("SOLVER.OPT", "SGD"), "SOLVER.OPT Adam (now SGD)"),
        (("SOLVER.IMS_PER_BATCH", 4), "SOLVER.IMS_PER_BATCH 8 (now 4)"),
        (("SOLVER.AMP.ENABLED", True), "SOLVER.AMP.ENABLED False (now True)"),
        (("SEED", 9), "SEED 0 (now 9)"),
        (("MODEL.LOSSES.NAME", "('CrossEntropyLoss',)"), "(now ['CrossEntropyLoss'])"),
        (("INPUT.SIZE_TRAIN", "[48, 48]"), "INPUT.SIZE_TRAIN [32, 32] (now [48, 48])"),
        (
            ("DATALOADER.SAMPLER_TRAIN", "TrainingSampler"),
            "NaiveIdentitySampler (now TrainingSampler)",
        ),
        (("TEST.PRECISE_BN.ENABLED", True), "TEST.PRECISE_BN.ENABLED False (now True)"),
        (("SOLVER.MAX_EPOCH", 1), "SOLVER.MAX_EPOCH is 1, but "),
        (("SEED", 9, "SOLVER.BASE_LR", 0.01, "SOLVER.GAMMA", 0.5, "SOLVER.STEPS", "[]"), "(and 1 more keys)"),
    ],
)
def test_what_a_resumed_run_cannot_change(
    options: tuple, said: str, out: Path, config_file: Path, capsys: pytest.CaptureFixture
):
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(SystemExit) as stopped:
        resume(config_file, *options)
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert said in error
    assert str(out / "model_final.pth") in error
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_extended_run_is_what_a_longer_one_had_been_and_says_what_changed(
    out: Path, config_file: Path, vehicles: Path, tmp_path: Path
):
    moved = Path(shutil.copytree(vehicles.parent, tmp_path / "moved")) / vehicles.name
    longer = ("SOLVER.MAX_EPOCH", 3, "DATALOADER.NUM_WORKERS", 1)
    assert not is_finished(trained(out, 3))
    resume(config_file, *longer, "DATASETS.CSV.FILE", moved)
    log = (out / "log.txt").read_text()
    assert "Resuming with a change: SOLVER.MAX_EPOCH 3, 2 until now." in log
    assert "Resuming with a change: DATALOADER.NUM_WORKERS 1, 0 until now." in log
    assert is_finished(trained(out, 3))
    main(argv=["--config-file", str(config_file), *map(str, longer), "OUTPUT_DIR", str(tmp_path / "whole")])
    assert_equal_weights(out / "model_final.pth", tmp_path / "whole" / "model_final.pth")
    config = CfgNode.load_cfg((out / "config.yaml").read_text())
    assert (config.SOLVER.MAX_EPOCH, config.MODEL.HEADS.NUM_CLASSES) == (3, 0)
    record = json.loads((out / "results.json").read_text())
    manifest = json.loads((out / record["manifest"]).read_text())
    assert manifest == torch.load(out / "model_final.pth", weights_only=True)["manifest"]
    assert (manifest["images"]["number"], len(manifest["classes"])) == (30, 6)
    assert "MODEL.HEADS.NUM_CLASSES" not in manifest["config"]


def trained(out: Path, epochs: int) -> CfgNode:
    return CfgNode({"OUTPUT_DIR": str(out), "SOLVER": {"MAX_EPOCH": epochs}})


def test_a_run_that_is_shortened_to_what_it_has_done_has_a_final_model(out: Path, config_file: Path):
    (out / "model_final.pth").unlink()
    (out / "last_checkpoint").write_text("model_0000.pth")
    resume(config_file, "SOLVER.MAX_EPOCH", 1, "SOLVER.WARMUP_ITERS", 2)
    assert_equal_weights(out / "model_final.pth", out / "model_0000.pth")
    assert json.loads((out / "results.json").read_text())["checkpoint"] == str(out / "model_final.pth")


def test_other_vehicles_are_refused_by_name(out: Path, vehicles: Path, tiny: Callable[..., CfgNode], tmp_path: Path):
    header, *rows = vehicles.read_text().splitlines()
    kept = [f"{vehicles.parent}/{row}" for row in rows if row.split(",")[1] != "5" or ",train" not in row]
    (tmp_path / "fewer.csv").write_text("\n".join([header, *kept]) + "\n")
    trainer = Trainer(tiny("DATASETS.CSV.FILE", str(tmp_path / "fewer.csv")))
    with pytest.raises(
        InputError, match=r"trained on 30 images of 6 vehicles of CSVVehicles, and this run has 25 images of 5 "
    ):
        trainer.resume_or_load()


def test_a_drawn_seed_is_taken_from_the_checkpoint(config_file: Path, tmp_path: Path):
    out = tmp_path / "out"
    main(argv=["--config-file", str(config_file), "SEED", "-1", "SOLVER.MAX_EPOCH", "1"])
    seed = torch.load(out / "model_final.pth", weights_only=True)["seed"]
    resume(config_file, "SEED", -1)
    assert f"SEED -1: the run goes on with the seed {seed}" in (out / "log.txt").read_text()
    assert json.loads((out / "results.json").read_text())["seed"] == seed
    assert seed == CfgNode.load_cfg((out / "config.yaml").read_text()).SEED
    main(argv=["--config-file", str(config_file), "SEED", str(seed), "OUTPUT_DIR", str(tmp_path / "whole")])
    assert_equal_weights(out / "model_final.pth", tmp_path / "whole" / "model_final.pth")


def test_a_checkpoint_of_an_older_version_goes_on_and_says_what_is_not_known(out: Path, config_file: Path, tmp_path: Path):
    without_manifest(out)
    resume(config_file, "SOLVER.MAX_EPOCH", 3)
    assert "does not say what it was trained with" in (out / "log.txt").read_text()
    main(argv=["--config-file", str(config_file), "SOLVER.MAX_EPOCH", "3", "OUTPUT_DIR", str(tmp_path / "whole")])
    assert_equal_weights(out / "model_final.pth", tmp_path / "whole" / "model_final.pth")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("SOLVER.BASE_LR", 0.01), "the optimizer optimizer was with initial_lr 0.0003 and is with 0.01 now"),
        (("SOLVER.WEIGHT_DECAY", 0.1), "was of 62 parameters in 1 groups and is of 62 in 2 now"),
        (("SOLVER.OPT", "SGD"), "was another kind "),
        (("SEED", 9), r"SEED 0 \(now 9\)"),
        (("SOLVER.MAX_EPOCH", 1), "SOLVER.MAX_EPOCH is 1, but "),
        (("SOLVER.IMS_PER_BATCH", 4), "resume with the same data and SOLVER.IMS_PER_BATCH"),
    ],
)
def test_what_an_older_checkpoint_still_tells(options: tuple, said: str, out: Path, tiny: Callable[..., CfgNode]):
    without_manifest(out)
    trainer = Trainer(tiny("SOLVER.MAX_EPOCH", 3, *options))
    with pytest.raises(InputError, match=said):
        trainer.resume_or_load()


def test_the_best_so_far_is_forgotten_where_another_number_decides(out: Path, tiny: Callable[..., CfgNode]):
    best = torch.load(out / "model_final.pth", weights_only=True)["best_metric"]
    for options, expected in ((), best), (("TEST.BEST.METRIC", "mAP"), -1.0), (("TEST.METRIC", "euclidean"), -1.0):
        trainer = Trainer(tiny("SOLVER.MAX_EPOCH", 3, *options))
        trainer.resume_or_load()
        assert trainer.best_metric == expected


def test_the_best_so_far_is_forgotten_where_the_test_images_are_others(
    out: Path, vehicles: Path, tiny: Callable[..., CfgNode], tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    header, *rows = vehicles.read_text().splitlines()
    fewer = tmp_path / "fewer.csv"
    fewer.write_text("\n".join([header, *(f"{vehicles.parent}/{row}" for row in rows[:-1])]))
    trainer = Trainer(tiny("SOLVER.MAX_EPOCH", 3, "DATASETS.CSV.FILE", str(fewer)))
    with caplog.at_level("INFO"):
        trainer.resume_or_load()
    assert trainer.best_metric == -1.0
    assert "CSVVehicles has other test images or labels than until now." in caplog.text


def test_a_schedule_that_depends_on_the_length_is_followed_from_where_the_run_stands(tiny: Callable[..., CfgNode]):
    cosine = ("SOLVER.SCHED", "CosineAnnealingLR", "SOLVER.DELAY_EPOCHS", 0, "SOLVER.WARMUP_ITERS", 0)
    first = Trainer(tiny(*cosine, "SOLVER.MAX_EPOCH", 2))
    first.scheduler.last_epoch = first.iters_per_epoch
    first.save_checkpoint("model_0000", first.iters_per_epoch)
    longer = Trainer(tiny(*cosine, "SOLVER.MAX_EPOCH", 4))
    longer.resume_or_load()
    expected = longer.scheduler.base_lrs[0] * longer.scheduler.lr_lambdas[0](longer.iters_per_epoch)
    assert longer.optimizer.param_groups[0]["lr"] == pytest.approx(expected)
    assert expected > 0.8 * longer.scheduler.base_lrs[0]  # of 2 epochs it would be half


def test_every_rule_is_about_a_key_that_there_is(tiny: Callable[..., CfgNode]):
    keys = dict(flat_config(tiny()))
    assert [rule for rule in RESUME_RULES if not any(key == rule or key.startswith(rule) for key in keys)] == []


def test_a_run_that_starts_where_another_was_sets_it_aside(out: Path, config_file: Path):
    before = {name: (out / name).read_bytes() for name in ("model_final.pth", "metrics.json", "results.json", "config.yaml")}
    main(argv=["--config-file", str(config_file), "SEED", "5", "SOLVER.MAX_EPOCH", "1", "SOLVER.STEPS", "[]"])
    assert {name: (out / "earlier-1" / name).read_bytes() for name in before} == before
    assert json.loads((out / "results.json").read_text())["seed"] == 5
    assert f"{out} held a run, whose files are in {out / 'earlier-1'} now" in (out / "log.txt").read_text()
    resume(config_file, "SEED", 5, "SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", "[]")
    assert not (out / "earlier-2").exists()
