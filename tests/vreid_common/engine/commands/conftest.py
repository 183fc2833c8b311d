"""A checkpoint of an untrained model of the tiny configuration, and the ``vreid`` command."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vreid_common.cli import main
from vreid_common.engine import Trainer
from vreid_common.engine.console import take_down_logging


@pytest.fixture
def weights(tiny: Callable, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    model = Trainer.build_model(tiny("MODEL.HEADS.NUM_CLASSES", 6, "MODEL.BACKBONE.PRETRAIN", False))
    torch.save({"model": model.state_dict()}, tmp_path / "model.pth")
    return tmp_path / "model.pth"


@pytest.fixture
def model(config_file: Path, weights: Path) -> tuple[str, ...]:
    """The arguments that name the model."""
    return "--config-file", str(config_file), "--weights", str(weights)


@pytest.fixture
def network(tiny: Callable, weights: Path) -> torch.nn.Module:
    """The model, built by hand."""
    return Trainer.build_trained_model(tiny("MODEL.WEIGHTS", str(weights))).eval()


@pytest.fixture
def vreid(capfd) -> Callable[..., str]:
    """Runs ``vreid``; returns what it prints on standard output, or its one sentence where it ends with status 2."""

    def run(*arguments: object, status: int = 0) -> str:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        take_down_logging()  # a process of its own would end here
        printed = capfd.readouterr()
        assert ended.value.code == status, printed.err + printed.out
        if status != 2:
            return printed.out
        assert printed.err.count("\n") == 1, printed.err
        return printed.err

    return run
