"""Every shell command of the pages: its program takes its arguments, its files are there, and it runs where that is quick."""

import argparse
import json
import logging
import re
import runpy
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from vreid_common import cli
from vreid_common.engine import Trainer, load_config
from vreid_common.engine.console import take_down_logging
from vreid_common.engine.project import find_project
from vreid_common.structures import FeatureSet

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("projects/*/README.md"))]
DEMO = "projects/WCVL/configs/Demo/wcvl_r18.yml"


class Command(NamedTuple):
    page: str
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def commands_of(page: Path) -> list[Command]:
    """The commands of the blocks, indented or fenced, and of the tables' first columns; "…" is what a reader fills in."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    fence = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    fenced = "".join(body for language, body in fence.findall(text) if language == "bash")
    prose = fence.sub("", text)
    programs = r"(?:vreid|(?:\.venv/bin/)?(?:python|pip)|torchrun|make)"
    lines = re.findall(rf"^(?: {{4}})({programs} .*)$", prose, re.MULTILINE)
    lines += re.findall(rf"^({programs} .*)$", fenced, re.MULTILINE)
    lines += re.findall(r"^\| `(vreid .*?)` \|", prose, re.MULTILINE)
    return [_command(page, line) for line in lines]


def _command(page: Path, line: str) -> Command:
    for said, meant in (("train_net.py …", f"train_net.py --config-file {DEMO}"), ("--config-file …", f"--config-file {DEMO}")):
        line = line.replace(said, meant)
    return Command(str(page.relative_to(ROOT)), shlex.split(line.replace("…", "x"), comments=True))


COMMANDS = [command for page in PAGES for command in commands_of(page)]

NOT_RUN = {
    # A pattern of "page: command" → why it is only looked at.
    r"docs/commands.md: ": "the examples of --help: names of nothing",
    r"docs/custom-data.md: ": "test_custom_data.py runs them; the last one is of 1,014 photographs",
    r"docs/reranking.md: ": "tests/vreid_common/reranking/test_docs.py runs them",
    r"docs/new-project.md: ": "test_make_project.py does what they do",
    r"docs/translation.md: ": "hours; tests/vreid_common/engine/translation does the same in small",
    r": vreid [\w-]+ .*(VeRi776|/VeRi/)": "VeRi-776 is handed out on request",
    r": python .*train_net.py ": "minutes to hours; each project's test_configs.py builds and steps every configuration",
    r": vreid browse ": "serves pages until it is stopped; tests/vreid_common/browse",
    r": torchrun ": "several processes; tests/vreid_common/engine/test_distributed.py",
    r": make ": "the whole suite, the demo, and this site",
    r": pip install ": "what make does before the tests",
    r": python -m dsam.figures": "a study's trainings; tests/projects/dsam/test_figures.py",
    r": python -m ealn.figures": "trainings; tests/projects/ealn/test_figures.py",
    r": python -m wcvl.complexity": "a ResNet-50; tests/projects/wcvl/test_cost.py",
    r": python -m vreid_common.synthetic.contact_sheet": "3,150 images; tests/vreid_common/synthetic/test_contact_sheet.py",
    r": python benchmarks/difficulty.py": "3,150 images",
    r": vreid (extract|report) .*/Demo/wcvl_r18.yml": "WCVL's checkpoint; tests/projects/test_chain.py does it",
    r"docs/(export|search).md: vreid .*--?(onnx|output model.onnx)": "test_custom_data.py exports a model and uses the file",
    r"CybercoreBaseline/README.md: vreid rerank": "Table 4's trainings; tests/projects/cybercore/test_members.py runs it",
    r"CybercoreBaseline/README.md: vreid translate": "a trained translator, as docs/translation.md",
    r"DEx/README.md: vreid check-submission": "docs/evaluation.md has the same",
    r"^README.md: vreid .*\bx\b": "a row of the table of commands: names of nothing",
    r"^(README|docs/search).md: vreid .* ([A-Z]+|FILE.yml)( |$)": "a row of a table of commands: names of nothing",
}
SMALLER = {
    # Program and command → what stands behind its arguments when it is run.
    "vreid render": "--train-ids 2 --test-ids 2 --cameras 3 --visits 2 --image-size 32 --workers 1",
    "vreid study": "--dry-run",
    "vreid report": "--points 30",
    "vreid bench": "--queries 20 --gallery-images 150 --dimensions 8 --repeats 1",
}


def why_not(command: Command) -> str:
    return next((reason for pattern, reason in NOT_RUN.items() if re.search(pattern, str(command))), "")


def test_there_are_commands_and_no_reason_is_left_over():
    assert len(COMMANDS) > 120
    assert {words[0] for _, words in COMMANDS} >= {"vreid", "python", "torchrun", "make", "pip"}
    assert [pattern for pattern in NOT_RUN if not any(re.search(pattern, str(command)) for command in COMMANDS)] == []


class Parsed(SystemExit):
    """Ends a program once it has understood its arguments; an error would be told to its user."""


@pytest.fixture
def parse(monkeypatch):
    """A function: the arguments that a program makes of a command, or SystemExit."""

    def stop(parser: argparse.ArgumentParser, args=None, namespace=None) -> None:
        found, unknown = parser.parse_known_args(args, namespace)
        assert not unknown
        raise Parsed(found)

    def parse(program: str, arguments: list[str]) -> argparse.Namespace:
        monkeypatch.setattr(argparse.ArgumentParser, "parse_args", stop)
        monkeypatch.setattr(logging.Logger, "setLevel", lambda *_: None)  # the tests that follow have loggers of the same names
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        start = runpy.run_path if program.endswith(".py") else runpy.run_module
        with pytest.raises(Parsed) as parsed:
            start(program, run_name="__main__")
        return parsed.value.args[0]

    return parse


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.page)
def test_a_command_is_understood(command, parse, monkeypatch):
    monkeypatch.chdir(ROOT)
    program, *words = command.words
    if program == "torchrun":
        program, words = "python", words[2:]  # --nproc-per-node N
    match Path(program).name:
        case "make":
            assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
            return
        case "pip":
            assert words[0] == "install"
            return
        case "vreid":
            words = ["-m", "vreid_common", *words]
    module, *arguments = words[1:] if words[0] == "-m" else words
    if "MyPaper" in str(command) or module == "pytest":
        return  # a copy of docs/template
    args = parse(module, arguments)
    files = [word for word in arguments if word.startswith(("projects/", "docs/"))]
    assert [file for file in files if not list(ROOT.glob(file))] == []
    if module.endswith("train_net.py"):
        config = Path(args.config_file)
        assert config.parts[0] == "logs" or config.is_relative_to(Path(module).parent)
        if config.parts[0] != "logs":  # a run's own
            load_config(find_project(args.config_file).add_config, args.config_file, args.opts)


CFG = """
MODEL:
  META_ARCHITECTURE: Baseline
  DEVICE: cpu
  BACKBONE: {DEPTH: 18x, FEAT_DIM: 512, PRETRAIN: false}
  HEADS: {NUM_CLASSES: 5, WITH_BNNECK: true}
INPUT: {SIZE_TEST: [32, 32]}
TEST: {NUM_WORKERS: 0}
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, vehicles) -> Path:
    """A folder with all files that the pages' commands read."""
    folder = tmp_path_factory.mktemp("workshop")
    for name in ("crops", "gate", "yard", "features", "my", "logs/vehicleid/S", "logs/vehicleid/S-D"):
        (folder / name).mkdir(parents=True)
    (folder / "projects").symlink_to(ROOT / "projects")

    paths = [f"crops/{number:04}.jpg" for number in range(12)]
    names = [
        *paths,
        "query.jpg",
        "a.jpg",
        "b.jpg",
        *(f"{side}/{number}.jpg" for side in ("gate", "yard") for number in range(3)),
    ]
    for picture, name in zip(sorted(vehicles.parent.glob("*.png")), names, strict=False):
        Image.open(picture).save(folder / name)

    rng = np.random.default_rng(0)
    rows = ["path,vehicle_id,camera_id,split"]
    for split, size in (("query", 12), ("gallery", 300)):
        pids, camids = np.arange(size) % 6, rng.integers(0, 4, size)
        features = rng.normal(size=(size, 8)) + 3 * np.eye(8)[pids]
        images = FeatureSet.create(features, pids, camids, paths=[paths[row % 12] for row in range(size)])
        for name in (split[0], f"features/veri_{split}"):
            images.save(folder / name)
        np.savez(folder / f"{split[0]}.npz", features=features, pids=pids, camids=camids)
        np.save(folder / f"{split[0]}.npy", features)
        rows += [f"{row}.jpg,{pid},{camid},{split}" for row, (pid, camid) in enumerate(zip(pids, camids, strict=True))]
    FeatureSet.create(features, pids, paths=[f"{row}.jpg" for row in range(size)]).save(folder / "features" / "many_cars")
    (folder / "vehicles.csv").write_text("\n".join(rows))

    for name in ("S", "S-D"):
        (folder / "logs" / "vehicleid" / name / "cmc.json").write_text(
            json.dumps({"VehicleID13164": {"main/2400": [0.5, 0.9]}})
        )
    ranking = [" ".join(map(str, rng.permutation(18290)[:100] + 1)) for _ in range(1052)]
    (folder / "track2.txt").write_text("\n".join(ranking) + "\n")

    (folder / "CFG.yml").write_text(CFG)
    cfg = load_config(None, str(folder / "CFG.yml"), [])
    torch.save({"model": Trainer.build_model(cfg).state_dict()}, folder / "model_final.pth")
    return folder


def run(arguments: list[str], capfd) -> None:
    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    take_down_logging()  # a process of its own would end here
    printed = capfd.readouterr()
    assert ended.value.code == 0, f"vreid {shlex.join(arguments)}\n{printed.out}{printed.err}"
    assert printed.out + printed.err


RUN = {page: [command.words for command in COMMANDS if command.page == page and not why_not(command)] for page, _ in COMMANDS}


@pytest.mark.parametrize("page", [page for page, commands in RUN.items() if commands])
def test_commands_run(page, workshop, monkeypatch, capfd):
    monkeypatch.chdir(workshop)
    for program, *arguments in RUN[page]:
        assert program == "vreid", "say in NOT_RUN why another program is not run"
        files = [file for word in arguments for file in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]
        run([*files, *SMALLER.get(f"vreid {arguments[0]}", "").split()], capfd)
