"""docs/custom-data.md: a newcomer's path from a folder of crops to an exported model, by the page's own commands.

Nothing of a command is changed; overrides behind it make the training small, and each ``vreid`` command also writes its results
as JSON. The crops are real photographs where those are there, else rendered vehicles.
"""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
import torch

from vreid_common import cli
from vreid_common.engine.console import take_down_logging
from vreid_common.structures import FeatureRows, FeatureSet

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "custom-data.md").read_text(encoding="utf-8")
COMMANDS = "".join(re.findall(r"^```bash\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)).splitlines()
SIDES = ("query", "gallery")
COLUMNS = re.search(r"^```text\n(.*)$", PAGE, re.MULTILINE)[1].split(",")
FEW_STEPS = shlex.split("""
    INPUT.SIZE_TRAIN [32,32] INPUT.SIZE_TEST [32,32] INPUT.PADDING.SIZE 2 SOLVER.IMS_PER_BATCH 8 SOLVER.WARMUP_ITERS 0
    SOLVER.MAX_EPOCH 1 WCVL.SOLVER.MAX_EPOCH 1 SOLVER.STEPS [] WCVL.SOLVER.STEPS [] DATALOADER.NUM_WORKERS 0 TEST.NUM_WORKERS 0
    MODEL.DEVICE cpu
""")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The newcomer's: crops/ and vehicles.csv, with 12 vehicles to train on and 6 others."""
    folder = tmp_path_factory.mktemp("mine")
    pictures = Path(os.environ.get("VREID_PHOTOS", ROOT.parent / "shared" / "photos"))
    if not (pictures / "vehicles.csv").is_file():
        pictures = tmp_path_factory.mktemp("rendered")
        few = "--train-ids 12 --test-ids 6 --cameras 2 --visits 2 --image-size 32 --workers 1"
        vreid(["render", str(pictures), *few.split()])
    rows = list(csv.DictReader((pictures / "vehicles.csv").read_text().splitlines()))
    rows.sort(key=lambda row: (row["split"] != "train", row["vehicle_id"], row["split"] != "query"))
    chosen = sorted({row["vehicle_id"] for row in rows if row["split"] == "train"})[:12]
    chosen += sorted({row["vehicle_id"] for row in rows if row["split"] != "train"})[:6]
    names = {split: count(start) for split, start in (("train", 1), ("test", 900))}
    (folder / "crops").mkdir()
    with (folder / "vehicles.csv").open("w", newline="") as file:
        written = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        written.writeheader()
        for row in rows:
            if row["vehicle_id"] in chosen:
                crop = f"crops/{next(names['train' if row['split'] == 'train' else 'test']):04}.jpg"
                shutil.copy(pictures / row["path"], folder / crop)
                written.writerow({**row, "path": crop})
    (folder / "projects").symlink_to(ROOT / "projects")
    return folder


def vreid(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    take_down_logging()  # a process of its own would end here
    assert ended.value.code == 0


def run(command: str) -> dict:
    """Runs one of the page's commands; returns its results."""
    program, *arguments = shlex.split(command)
    if program == "vreid":
        vreid([*arguments, "--json", "results.json"])
        return json.loads(Path("results.json").read_text())
    done = subprocess.run([sys.executable, *arguments, *FEW_STEPS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(Path("logs/mine/results.json").read_text())


@pytest.mark.slow
def test_the_page(folder, monkeypatch):
    monkeypatch.chdir(folder)
    results = [run(command) for command in COMMANDS]
    check, trained, evaluated, extracted, metrics, report, pair, built, found, exported, _, found_by_onnx = results

    assert [split["vehicles"] for split in check["splits"]] == [12, 6, 6]
    assert not any(check["faults"].values())
    assert Path("logs/mine/wcvl/report_CSVVehicles.html").stat().st_size > 20_000
    whole = trained["dataset"]["CSVVehicles"]
    assert evaluated["dataset"]["CSVVehicles"] == whole

    (plain,) = metrics["results"]
    assert {name: 100 * value for name, value in plain["metrics"].items()} == {name: whole[name] for name in plain["metrics"]}
    assert [images["images"] for images in extracted["features"]] == [len(FeatureSet.load(f"features/mine_{s}")) for s in SIDES]
    assert len(report["results"]) == 1
    assert report["results"][0]["metrics"] == plain["metrics"]
    assert Path("report.html").stat().st_size > 20_000

    query, gallery = (FeatureSet.load(f"features/mine_{side}") for side in SIDES)
    assert built["images"] == len(gallery)
    splits = {row["path"]: row["split"] for row in csv.DictReader(Path("vehicles.csv").read_text().splitlines())}
    assert built["metric"] == "euclidean"  # the same features in every step, compared in the same way
    nearest = FeatureRows(query.features, gallery.features, built["metric"]).rows(0, 1)[0].sort()
    for matches in (found["queries"][0]["matches"], found_by_onnx["queries"][0]["matches"]):
        assert [match["distance"] for match in matches] == pytest.approx(nearest.values[:5].tolist(), abs=1e-4, rel=1e-3)
        assert all(splits[match["image"]] == "gallery" for match in matches)
    assert -1 <= pair["pairs"][0]["cosine"] <= 1
    (file,) = exported["files"].values()
    assert file["parity"]["difference"] < 1e-4
    for side, images in zip(SIDES, (query, gallery), strict=True):
        torch.testing.assert_close(FeatureSet.load(f"features/onnx_{side}").features, images.features, atol=1e-4, rtol=1e-3)
