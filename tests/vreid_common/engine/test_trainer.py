"""The loop as a user meets it: what is learned, saved, resumed and reported."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from fastreid.config import CfgNode

from vreid_common.engine import Trainer, main
from vreid_common.errors import InputError
from vreid_common.evaluation import VehicleEvaluator

TRAIN = "from vreid_common.engine import main; main()"


def command(config_file: Path, *arguments: object) -> list[str]:
    return [sys.executable, "-c", TRAIN, "--config-file", str(config_file), *map(str, arguments)]


def train(config_file: Path, *arguments: object) -> None:
    main(argv=["--config-file", str(config_file), *map(str, arguments)])


def results(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())["dataset"]


def weights(folder: Path) -> dict:
    return torch.load(folder / "model_final.pth", weights_only=True)["model"]


def assert_same_run(one: Path, other: Path) -> None:
    assert results(one) == results(other)
    for key, value in weights(one).items():
        assert torch.equal(value, weights(other)[key]), key


def test_b1_one_step_moves_every_trainable_parameter(tiny: Callable[..., CfgNode]):
    trainer = Trainer(tiny("SOLVER.WARMUP_ITERS", 0))
    before = {name: value.detach().clone() for name, value in trainer.model.named_parameters() if value.requires_grad}
    run = trainer._trainer.run

    def run_once(*args) -> None:
        run(*args)
        raise StopIteration("one step is enough")

    trainer._trainer.run = run_once
    with pytest.raises(StopIteration):
        trainer.train()
    still = [name for name, value in trainer.model.named_parameters() if name in before and torch.equal(value, before[name])]
    assert not still


def test_it_learns_and_writes_what_it_says(config_file: Path, capsys: pytest.CaptureFixture):
    train(config_file, "SOLVER.MAX_EPOCH", 8, "SOLVER.STEPS", "[6]", "SOLVER.BASE_LR", 0.001)
    out = config_file.parent / "out"
    assert results(out)["CSVVehicles"]["mAP"] > 90  # chance is about 30
    for name in ("config.yaml", "log.txt", "metrics.json", "model_final.pth", "model_best.pth", "last_checkpoint"):
        assert (out / name).is_file(), name
    assert list(out.glob("events.out.tfevents*"))
    lines = [json.loads(line) for line in (out / "metrics.json").read_text().splitlines()]
    losses = [line["total_loss"] for line in lines if "total_loss" in line]
    assert len(losses) == 8  # of every epoch, also of the fourth and eighth, which end where a period of the writers does
    assert losses[-1] < losses[0]
    said = capsys.readouterr().out
    assert re.search(r"iteration \d+/\d+: loss", said)
    assert str(out) in said


def test_one_seed_gives_one_result_and_another_seed_another(config_file: Path, tmp_path: Path):
    for name, seed, workers in (("a", 3, 0), ("b", 3, 2), ("c", 4, 0)):
        train(config_file, "SEED", seed, "DATALOADER.NUM_WORKERS", workers, "OUTPUT_DIR", tmp_path / name)
    assert_same_run(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(weights(tmp_path / "a")["backbone.conv1.weight"], weights(tmp_path / "c")["backbone.conv1.weight"])


def start_and_wait_for(config_file: Path, out: Path, ready: Callable[[], bool], *arguments: object) -> subprocess.Popen:
    """Starts a run in a process group of its own, as a terminal does."""
    process = subprocess.Popen(
        command(config_file, "OUTPUT_DIR", out, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not ready():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_sigkill_in_the_middle_of_an_epoch_then_resume_ends_like_the_unbroken_run(config_file: Path, tmp_path: Path):
    epochs = ("SOLVER.MAX_EPOCH", 5, "SOLVER.STEPS", "[3]")
    train(config_file, *epochs, "OUTPUT_DIR", tmp_path / "whole")
    out = tmp_path / "killed"
    process = start_and_wait_for(config_file, out, (out / "model_0001.pth").exists, *epochs)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "model_final.pth").exists()
    train(config_file, "--resume", *epochs, "OUTPUT_DIR", out)
    assert_same_run(tmp_path / "whole", out)
    iterations = [json.loads(line)["iteration"] for line in (out / "metrics.json").read_text().splitlines()]
    assert iterations == sorted(set(iterations))


@pytest.mark.parametrize(("number", "workers"), [(signal.SIGINT, 2), (signal.SIGTERM, 0)])
def test_a_stopped_run_saves_says_how_to_go_on_and_resumes_exactly(
    number: signal.Signals, workers: int, config_file: Path, tmp_path: Path
):
    epochs = ("SOLVER.MAX_EPOCH", 40, "SOLVER.STEPS", "[3]", "SOLVER.CHECKPOINT_PERIOD", 100)
    out = tmp_path / "stopped"
    log = out / "log.txt"
    process = start_and_wait_for(
        config_file,
        out,
        lambda: log.exists() and "Training Baseline" in log.read_text(),
        *epochs,
        "DATALOADER.NUM_WORKERS",
        workers,
    )
    os.killpg(process.pid, number)  # the workers get it too
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 130, said
    assert "The same command with --resume goes on from here." in said
    assert "Traceback" not in said
    assert (out / "last_checkpoint").read_text() == "model_interrupted.pth"
    done = torch.load(out / "model_interrupted.pth", weights_only=True)["iteration"]
    epochs = ("SOLVER.MAX_EPOCH", done // 4 + 2, *epochs[2:])
    train(config_file, *epochs, "OUTPUT_DIR", tmp_path / "whole")
    train(config_file, "--resume", *epochs, "OUTPUT_DIR", out)
    assert_same_run(tmp_path / "whole", out)


def test_a14_resuming_a_finished_run_says_so(config_file: Path, capsys: pytest.CaptureFixture):
    train(config_file)
    before = results(config_file.parent / "out")
    train(config_file, "--resume")
    assert "is finished: 2 epochs." in capsys.readouterr().out
    assert results(config_file.parent / "out") == before


def test_eval_only_gives_the_numbers_of_the_training_run(config_file: Path, tmp_path: Path):
    train(config_file)
    trained = results(config_file.parent / "out")
    train(config_file, "--eval-only", "OUTPUT_DIR", tmp_path / "e", "MODEL.WEIGHTS", tmp_path / "out" / "model_final.pth")
    assert results(tmp_path / "e") == trained


def test_evaluations_are_in_float32_whatever_the_training_was_in(finished_run: Path, config_file: Path, tmp_path: Path):
    weights_of = ("MODEL.WEIGHTS", finished_run / "model_final.pth", "SOLVER.AMP.ENABLED", True)
    for name, options, precision in (("a", (), "float32"), ("b", ("TEST.AMP", True), "bfloat16")):
        train(config_file, "--eval-only", *weights_of, *options, "OUTPUT_DIR", tmp_path / name)
        assert json.loads((tmp_path / name / "results.json").read_text())["protocol"]["precision"] == precision
        assert f"Features in {precision}." in (tmp_path / name / "log.txt").read_text()
    assert results(tmp_path / "a") == results(finished_run)


def test_b17_the_best_model_of_an_earlier_part_is_kept_on_resume(config_file: Path, tmp_path: Path):
    train(config_file, "TEST.EVAL_PERIOD", 1)
    out = tmp_path / "out"
    state = torch.load(out / "model_final.pth", weights_only=True)
    torch.save({**state, "best_metric": 1000.0}, out / "model_final.pth")
    best = (out / "model_best.pth").read_bytes()
    train(config_file, "--resume", "SOLVER.MAX_EPOCH", 3, "TEST.EVAL_PERIOD", 1)
    assert (out / "model_best.pth").read_bytes() == best


def metrics(folder: Path) -> list[dict]:
    """The lines of metrics.json without what is measured in seconds."""
    lines = [json.loads(line) for line in (folder / "metrics.json").read_text().splitlines()]
    return [
        {key: value for key, value in line.items() if key not in ("time", "data_time", "images_per_second")} for line in lines
    ]


@pytest.mark.parametrize("failing", [2, 3], ids=["in the middle", "at the end"])
def test_an_evaluation_that_fails_costs_nothing_but_itself(
    failing: int, config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    options = ("SOLVER.MAX_EPOCH", 3, "TEST.EVAL_PERIOD", 1, "SOLVER.CHECKPOINT_PERIOD", 3)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(config_file, *options, "OUTPUT_DIR", whole)
    evaluate, calls = VehicleEvaluator.evaluate, []

    def fails(evaluator: VehicleEvaluator) -> dict:
        calls.append(evaluator)
        if len(calls) == failing:
            raise InputError("The camera is broken.")
        return evaluate(evaluator)

    with monkeypatch.context() as patch:
        patch.setattr(VehicleEvaluator, "evaluate", fails)
        with pytest.raises(SystemExit):
            train(config_file, *options, "OUTPUT_DIR", broken)
    saved = {2: "model_evaluated.pth", 3: "model_final.pth"}[failing]
    assert (broken / "last_checkpoint").read_text() == saved
    train(config_file, "--eval-only", "OUTPUT_DIR", broken)
    if failing == 3:
        assert results(broken) == results(whole)
    train(config_file, "--resume", *options, "OUTPUT_DIR", broken)
    assert_same_run(whole, broken)
    assert metrics(broken) == metrics(whole)
    best = [torch.load(folder / "model_best.pth", weights_only=True) for folder in (whole, broken)]
    assert [file["iteration"] for file in best] == [best[0]["iteration"]] * 2
    assert [file["best_metric"] for file in best] == [best[0]["best_metric"]] * 2
    assert "unfinished" not in torch.load(broken / "model_final.pth", weights_only=True)


def test_precise_bn_runs_before_the_evaluation(tiny: Callable[..., CfgNode]):
    plain = Trainer(tiny("SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", []))
    plain.train()
    precise = Trainer(
        tiny("SOLVER.MAX_EPOCH", 1, "SOLVER.STEPS", [], "TEST.PRECISE_BN.ENABLED", True, "TEST.PRECISE_BN.NUM_ITER", 2)
    )
    precise.train()
    name = "backbone.bn1.running_mean"
    assert torch.equal(plain.model.state_dict()["backbone.conv1.weight"], precise.model.state_dict()["backbone.conv1.weight"])
    assert not torch.equal(plain.model.state_dict()[name], precise.model.state_dict()[name])
