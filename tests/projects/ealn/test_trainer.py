"""The whole training in the common loop: schedules, resuming after a kill in any phase, view labels, sheets."""

import json
from pathlib import Path

import pytest
import torch
from ealn import EALNTrainer, add_ealn_config

from vreid_common.engine import main
from vreid_common.errors import InputError


def run_of(cfg):
    Path(cfg.OUTPUT_DIR).mkdir(parents=True, exist_ok=True)
    run = EALNTrainer(cfg)
    run.resume_or_load()
    return run


def logged(folder):
    """iteration → all that was logged of it but times, and FastReID's running median of the accuracy, which begins anew."""
    lines = [json.loads(line) for line in (Path(folder) / "metrics.json").read_text().splitlines()]
    return {
        line["iteration"]: {k: v for k, v in line.items() if not any(word in k for word in ("time", "second", "cls_accuracy"))}
        for line in lines
    }


def same(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture(scope="module")
def unbroken():
    """Filled by the first test that needs it: the final state and the log of a run that was not killed."""
    return {}


@pytest.mark.parametrize("phase", ["generator", "discriminator", ("embedding", "view_classifier")])
def test_a_run_killed_in_any_phase_resumes_to_the_same_losses(make_cfg, tmp_path, monkeypatch, unbroken, phase):
    options = ("EALN.BUFFER_SIZE", 3, "SOLVER.CLIP_GRADIENTS.ENABLED", True, "TEST.EVAL_PERIOD", 3)
    if not unbroken:
        cfg = make_cfg(*options, "OUTPUT_DIR", str(tmp_path / "unbroken"))
        run_of(cfg).train()
        unbroken["state"] = torch.load(tmp_path / "unbroken" / "model_final.pth", weights_only=True)
        unbroken["log"] = logged(cfg.OUTPUT_DIR)
    cfg = make_cfg(*options, "OUTPUT_DIR", str(tmp_path / "killed"))
    run = run_of(cfg)
    at, step = run.iters_per_epoch + 2, run._trainer  # in the middle of the second epoch
    do_phase = step._phase

    def killed(prefixes, compute):
        if run.iter == at and prefixes == phase:
            raise SystemExit("killed")
        return do_phase(prefixes, compute)

    monkeypatch.setattr(step, "_phase", killed)
    with pytest.raises(SystemExit, match="killed"):
        run.train()
    again = run_of(cfg)
    assert again.start_iter == again.iters_per_epoch
    again.train()
    assert logged(cfg.OUTPUT_DIR) == unbroken["log"]
    state = torch.load(tmp_path / "killed" / "model_final.pth", weights_only=True)
    assert set(state) == set(unbroken["state"])
    for key in ("model", "optimizer", "scheduler"):
        assert same(state[key], unbroken["state"][key]), key
    assert set(state["optimizer"]) == set(state["scheduler"]) == set(again.checkpointer.model.parts)
    assert "image_buffers.hard.images" in state["model"]


def test_the_state_of_every_optimizer_is_compared_by_name(make_cfg, tmp_path):
    run = run_of(make_cfg("OUTPUT_DIR", str(tmp_path / "out")))
    run.save_checkpoint("model_0000", 0)
    path = tmp_path / "out" / "model_0000.pth"
    state = torch.load(path, weights_only=True)
    described = state["optimizers"]["optimizer"]
    assert set(described) == set(run.checkpointer.model.parts)
    described["generator_hard"]["parameters"][0][0][0] = "generators.other.weight"
    torch.save(state, path)
    with pytest.raises(InputError, match=r"model_0000.pth: the optimizer generator_hard was of generators.other.weight "):
        run.resume_or_load()


def test_every_schedule_is_constant_and_then_falls_to_nothing(make_cfg):
    run = run_of(make_cfg("SOLVER.MAX_EPOCH", 5, "SOLVER.DELAY_EPOCHS", 2, "EALN.SOLVER.BASE_LR", 0.004))
    rates = {name: [] for name in run.optimizer.by_part}
    for _ in range(5):
        for name, optimizer in run.optimizer.by_part.items():
            rates[name].append(optimizer.param_groups[0]["lr"])
        for _ in range(run.iters_per_epoch):
            run.scheduler.step()
    for name, seen in rates.items():
        base = 0.01 if name == "embedding" else 0.004
        assert seen == pytest.approx([base, base, base, base * 2 / 3, base / 3]), name


def test_eq_14_is_released_in_the_last_epochs(make_cfg):
    cfg = make_cfg("SOLVER.MAX_EPOCH", 4, "EALN.VIEW.RELEASE_EPOCHS", 2)
    run_of(cfg).train()
    lines = logged(cfg.OUTPUT_DIR)
    with_it = ["loss_view" in line for line in lines.values() if "loss_hard" in line]
    assert with_it == [True, True, False, False]


def test_view_learning_needs_view_labels_and_hard_negatives_do_not(make_cfg, vehicles):
    unlabelled = ("DATASETS.CSV.FILE", str(vehicles))
    with pytest.raises(InputError, match="^EALN.VIEW.ENABLED needs training images labelled"):
        run_of(make_cfg(*unlabelled))
    run_of(make_cfg(*unlabelled, "EALN.VIEW.ENABLED", False, "EALN.FEATURES", ["embedding"], "SOLVER.MAX_EPOCH", 2)).train()


def test_the_command_says_so_in_one_sentence(make_cfg, vehicles, tmp_path, capsys):
    config = tmp_path / "c.yml"
    config.write_text(make_cfg("DATASETS.CSV.FILE", str(vehicles)).dump())
    with pytest.raises(SystemExit) as stopped:
        main(add_ealn_config, EALNTrainer, ["--config-file", str(config)])
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert "EALN.VIEW.ENABLED needs" in error


def test_sheets_are_drawn_and_change_nothing(make_cfg, tmp_path):
    states = []
    for name, period in (("without", 0), ("with", 2)):
        cfg = make_cfg("OUTPUT_DIR", str(tmp_path / name), "EALN.SHEET_PERIOD", period)
        run_of(cfg).train()
        states.append(torch.load(tmp_path / name / "model_final.pth", weights_only=True)["model"])
    assert same(*states)
    assert not (tmp_path / "without" / "sheets").exists()
    assert sorted(path.name for path in (tmp_path / "with" / "sheets").iterdir()) == ["epoch_0002.png", "epoch_0003.png"]
    events = b"".join(path.read_bytes() for path in (tmp_path / "with").glob("events.out.tfevents*"))
    assert b"generated" in events
    assert b"PNG" in events


def test_feature_evaluation_reports_views_and_every_feature(make_cfg):
    cfg = make_cfg("SOLVER.MAX_EPOCH", 2)
    results = run_of(cfg).train()["CSVVehicles"]
    assert {"mAP", "mAP (same view)", "mAP (cross view)", "embedding/mAP", "by_view/mAP"} <= set(results)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("EALN.GAN_LOSS", "wgan", "EALN.GAN_LOSS is 'wgan'"),
        ("EALN.ALPHA", -0.1, "EALN.ALPHA is -0.1"),
        ("EALN.HARD.BETA1", float("nan"), "EALN.HARD.BETA1 is nan"),
        ("EALN.BUFFER_SIZE", -1, "EALN.BUFFER_SIZE is -1"),
        ("EALN.SOLVER.BETA1", 1.0, "EALN.SOLVER.BETA1 is 1.0"),
        ("EALN.VIEW.RELEASE_EPOCHS", 3, "EALN.VIEW.RELEASE_EPOCHS is 3: it leaves none of SOLVER.MAX_EPOCH 3"),
        ("EALN.FEATURES", ["views"], r"EALN.FEATURES is \['views'\]"),
        ("MODEL.META_ARCHITECTURE", "VehicleBaseline", "EALN's training needs EALN"),
        ("MODEL.LOSSES.NAME", ("CrossEntropyLoss", "TripletLoss"), "EALN has a triplet loss of its own"),
    ],
)
def test_exception_keys(make_cfg, key, value, said):
    with pytest.raises(InputError, match=said):
        EALNTrainer.check_config(make_cfg(key, value), training=True)


def test_the_keys_of_training_do_not_matter_to_an_evaluation(make_cfg):
    EALNTrainer.check_config(make_cfg("EALN.VIEW.RELEASE_EPOCHS", 3), training=False)
