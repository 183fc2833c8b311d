"""Two runs of one command are resumed together, or refused together."""

from pathlib import Path

import pytest
import torch
from fastreid.modeling.meta_arch import META_ARCH_REGISTRY
from wcvl import WCVLTrainer, add_wcvl_config

from vreid_common.engine import main
from vreid_common.engine.manifest import flat_config
from vreid_common.engine.resuming import check_stages
from vreid_common.errors import InputError
from vreid_common.weights import training_on


@pytest.fixture
def command(make_cfg, tmp_path):
    """A function: the configuration of the command, with overrides."""

    def build(*overrides):
        epochs = ("SOLVER.MAX_EPOCH", 2, "WCVL.SOLVER.MAX_EPOCH", 2, "OUTPUT_DIR", str(tmp_path / "out"))
        return make_cfg(*epochs, *overrides)

    return build


def pretend(stage, epochs):
    """Checkpoints and results as a run of so many epochs leaves them."""
    out = Path(stage.OUTPUT_DIR)
    out.mkdir(parents=True, exist_ok=True)
    header = {
        "epoch": epochs - 1,
        "iteration": 5 * epochs,
        "iters_per_epoch": 5,
        "manifest": {"config": dict(flat_config(stage))},
    }
    name = "model_final.pth" if epochs == stage.SOLVER.MAX_EPOCH else "model_0000.pth"
    torch.save({"model": {}, **header}, out / name)
    (out / "last_checkpoint").write_text(name)
    (out / "results.json").write_text("{}")


def test_a_longer_main_stage_is_refused_where_the_module_was_trained_on_it(command, tmp_path, capsys):
    for stage in WCVLTrainer.stages(command()):
        pretend(stage, 2)
    check_stages(WCVLTrainer.stages(command()), WCVLTrainer)
    (tmp_path / "c.yml").write_text(command().dump())
    with pytest.raises(SystemExit) as stopped:
        main(add_wcvl_config, WCVLTrainer, ["--config-file", str(tmp_path / "c.yml"), "--resume", "SOLVER.MAX_EPOCH", "4"])
    error = capsys.readouterr().err
    assert (stopped.value.code, error.count("\n")) == (2, 1)
    assert f"The run in {tmp_path}/out/wcvl was trained on {tmp_path}/out/main/model_final.pth" in error
    assert "cannot be trained to 4 epochs now" in error


def test_the_module_alone_or_the_main_stage_before_it_can_be_longer(command):
    main_stage, module = WCVLTrainer.stages(command())
    pretend(main_stage, 2)
    check_stages(WCVLTrainer.stages(command("SOLVER.MAX_EPOCH", 4)), WCVLTrainer)
    pretend(module, 2)
    check_stages(WCVLTrainer.stages(command("WCVL.SOLVER.MAX_EPOCH", 4, "WCVL.FEATURES", ["cv"])), WCVLTrainer)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("SOLVER.BASE_LR", 0.5, r"out/main/model_final.pth was trained with SOLVER.BASE_LR 0.0003 \(now 0.5\)"),
        ("WCVL.SOLVER.BASE_LR", 0.5, r"out/wcvl/model_0000.pth was trained with WCVL.SOLVER.BASE_LR 0.00035 \(now 0.5\): "),
        (
            "WCVL.SHARED_LAYERS",
            "conv1-5",
            r"out/wcvl/model_0000.pth was trained with WCVL.SHARED_LAYERS conv1-4 \(now conv1-5\)",
        ),
        ("WCVL.SOLVER.MAX_EPOCH", 0, r"WCVL.SOLVER.MAX_EPOCH is 0, but .*out/wcvl/model_0000.pth has gone through 1 epochs"),
    ],
)
def test_each_stage_is_compared_with_what_it_reads(command, key, value, said):
    main_stage, module = WCVLTrainer.stages(command())
    pretend(main_stage, 2)
    pretend(module, 1)
    with pytest.raises(InputError, match=said):
        check_stages(WCVLTrainer.stages(command(key, value)), WCVLTrainer)


def test_rows_of_the_main_modules_classifier_go_by_name_where_both_are_trained(make_cfg, tmp_path):
    names = [f"CSVVehicles_{number}" for number in range(5)]
    given = META_ARCH_REGISTRY.get("VehicleBaseline")(make_cfg())
    torch.save({"model": given.state_dict(), "manifest": {"classes": names}}, tmp_path / "main.pth")
    options = ("WCVL.MAIN.WEIGHTS", str(tmp_path / "main.pth"), "WCVL.END_TO_END", True)
    with training_on(names[::-1]):
        model = WCVLTrainer.build_model(make_cfg(*options))
    assert torch.equal(model.main.heads.weight, given.heads.weight.flip(0))
