"""``vreid extract`` with a configuration of this project finds its keys, its model and its trainer."""

from pathlib import Path

import pytest
import torch
from wcvl import WCVLTrainer, add_wcvl_config

from vreid_common import cli
from vreid_common.engine import load_config
from vreid_common.structures import FeatureSet

CONFIG = Path(__file__).parents[3] / "projects" / "WCVL" / "configs" / "Demo" / "wcvl_r18.yml"


@pytest.mark.parametrize("feature", ["na", "cv"])
def test_the_demo_s_configuration(vehicles, tmp_path, monkeypatch, feature):
    monkeypatch.setattr("vreid_common.engine.extract.set_up_logging", lambda folder: None)
    size = ["INPUT.SIZE_TEST", "[32, 32]", "WCVL.FEATURES", f"['{feature}', 'main']"]
    here = ["MODEL.DEVICE", "cpu", "TEST.NUM_WORKERS", "0", "DATASETS.CSV.FILE", str(vehicles)]
    cfg = load_config(add_wcvl_config, str(CONFIG), [*size, *here])
    torch.manual_seed(0)
    model = WCVLTrainer.build_model(cfg)
    torch.save({"model": model.state_dict()}, tmp_path / "wcvl.pth")
    arguments = ["--config-file", CONFIG, "--weights", tmp_path / "wcvl.pth", "--csv", vehicles, "--output", tmp_path / "f"]
    arguments += ["--combine", "mean", "--device", "cpu", "--workers", 0, "--batch-size", 4, "--opts", *size]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main(["extract", *map(str, arguments)])
    finally:
        torch.use_deterministic_algorithms(False)
    assert ended.value.code == 0

    loader, num_query = WCVLTrainer.build_test_loader(cfg, "CSVVehicles")
    model.eval()
    with torch.no_grad():
        expected = torch.cat([model(batch)[feature] for batch in loader])
    found = [FeatureSet.load(tmp_path / f"f_{split}").features for split in ("query", "gallery")]
    assert len(found[0]) == num_query
    torch.testing.assert_close(torch.cat(found), expected, atol=1e-5, rtol=1e-5)
