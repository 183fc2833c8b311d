"""extract | evaluate and extract | rerank give the numbers of --eval-only to the last digit."""

import json
from pathlib import Path

import pytest
import torch

from vreid_common import cli
from vreid_common.engine import Trainer, main


@pytest.fixture
def weights(tiny, tmp_path) -> Path:
    torch.manual_seed(1)
    model = Trainer.build_model(tiny("MODEL.HEADS.NUM_CLASSES", 6, "MODEL.BACKBONE.PRETRAIN", False))
    torch.save({"model": model.state_dict()}, tmp_path / "model.pth")
    return tmp_path / "model.pth"


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("steps", ["", "k_reciprocal", "alpha_query_expansion,database_augmentation"])
def test_the_chain_of_commands_is_eval_only(steps, flip, config_file, weights, tmp_path):
    names = steps.split(",") if steps else []
    keys = ["TEST.FLIP.ENABLED", str(flip), "TEST.ROC.ENABLED", "False", "RERANK.PIPELINE", str(names)]
    whole = ["--config-file", str(config_file), "--eval-only", "MODEL.WEIGHTS", str(weights), *keys]
    main(argv=[*whole, "OUTPUT_DIR", str(tmp_path / "evaluated")])
    expected = json.loads((tmp_path / "evaluated" / "results.json").read_text())["dataset"]["CSVVehicles"]

    features = [
        "--query",
        str(tmp_path / "f_query"),
        "--gallery",
        str(tmp_path / "f_gallery"),
        "--json",
        str(tmp_path / "m.json"),
    ]
    extract = ["--config-file", config_file, "--weights", weights, "--dataset", "CSVVehicles", "--output", tmp_path / "f"]
    for command in (
        ["extract", *map(str, extract), "--combine", "mean", *(["--flip"] if flip else [])],
        ["rerank", *features, "--steps", steps] if steps else ["evaluate", *features],
    ):
        with pytest.raises(SystemExit) as ended:
            cli.main(command)
        assert ended.value.code == 0
    found = json.loads((tmp_path / "m.json").read_text())["results"][-1]["metrics"]
    assert len(found) > 4
    assert {name: 100 * value for name, value in found.items()} == {name: expected[name] for name in found}
