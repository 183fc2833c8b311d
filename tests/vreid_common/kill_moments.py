"""Runs commands, kills them with SIGKILL at chosen moments, and runs them again; test_kill_moments.py judges what comes out.

    python kill_moments.py FOLDER CONFIG IMAGES SEED

One interpreter imports everything; each run is a fork of it, so that a kill costs a fraction of a second. A moment is the n-th
event of its kind in the run's folder: a file is opened to be written to, renamed or removed, a folder made, an iteration done,
a batch evaluated, a line of metrics written. A kill in the middle of a write is one before the file is renamed, which is cut to
half its size: what was to be written later is missing. Prints a JSON line for each moment.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from fastreid.utils.events import JSONWriter

from vreid_common import cli
from vreid_common.engine import main
from vreid_common.engine.trainer import Trainer
from vreid_common.evaluation import VehicleEvaluator, evaluate_ranking
from vreid_common.gallery import load_gallery
from vreid_common.structures import FeatureRows, FeatureSet


class Operation(NamedTuple):
    """A command that works in a folder.

    Attributes:
        run: the command.
        outcome: what is there, as JSON; raises where it is not whole.
        again: whether it has to be run again although it was killed when all was done.
    """

    run: Callable[[Path], object]
    outcome: Callable[[Path], object]
    again: bool = True


class Moment(NamedTuple):
    kind: str
    number: int
    torn: bool


def digest(*values: object) -> str:
    found = hashlib.sha256()
    for value in values:
        found.update(value.contiguous().numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode())
    return found.hexdigest()[:12]


class Events:
    """Counts events by kind, from when it is made in a process on, and ends the process at one of them."""

    def __init__(self, folder: Path, moment: Moment | None) -> None:
        self.counts: dict[str, int] = {}
        self._folder, self._moment = str(folder), moment
        sys.addaudithook(self._audit)
        for owner, name, kind in (
            (Trainer, "run_step", "iteration"), (VehicleEvaluator, "process", "batch"), (JSONWriter, "write", "line"),
        ):  # fmt: skip
            setattr(owner, name, self._counted(getattr(owner, name), kind))

    def _counted(self, function: Callable, kind: str) -> Callable:
        def counted(*args: object, **kwargs: object) -> object:
            result = function(*args, **kwargs)
            self._happens(kind, Path(self._folder, "out", "metrics.json"))
            return result

        return counted

    def _audit(self, event: str, args: tuple) -> None:
        if event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            self._file_event("open", args[0])
        elif event == "os.rename":
            name = Path(args[1]).name
            self._file_event("checkpoint" if name.endswith(".pth") or name == "last_checkpoint" else "rename", args[0])
        elif event in ("os.remove", "os.mkdir"):
            self._file_event(event, args[0])

    def _file_event(self, kind: str, path: object) -> None:
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(self._folder) and "events.out" not in str(path):
            self._happens(kind, Path(path))

    def _happens(self, kind: str, path: Path | None) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self._moment is not None and self._moment[:2] == (kind, self.counts[kind]):
            if self._moment.torn and kind in ("rename", "checkpoint"):
                os.truncate(path, path.stat().st_size // 2)
            elif self._moment.torn and kind == "line":
                os.truncate(path, path.stat().st_size - 7)
            os.kill(os.getpid(), signal.SIGKILL)


def forked(operation: Operation, folder: Path, moment: Moment | None) -> tuple[int, dict[str, int]]:
    """Runs it in a process of its own: its status, and the events that there were."""
    counts = folder.with_suffix(".events")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            log = os.open(folder.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            events = Events(folder, moment)
            try:
                operation.run(folder)
                status = 0
            except SystemExit as end:
                status = end.code or 0
            counts.write_text(json.dumps(events.counts))
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return status, json.loads(counts.read_text()) if status == 0 else {}


# -- the commands ------------------------------------------------------------------------------------------------


def training(config: Path) -> Operation:
    def run(folder: Path) -> None:
        main(argv=["--resume", "--config-file", str(config), "OUTPUT_DIR", f"{folder}/out"])

    def outcome(folder: Path) -> object:
        out = folder / "out"
        weights = torch.load(out / "model_final.pth", weights_only=True)["model"]
        lines = [json.loads(line) for line in (out / "metrics.json").read_text().splitlines()]
        # FastReID's accuracy is smoothed over 20 iterations, which a resumed run begins anew.
        unlike = {"time", "data_time", "images_per_second", "eta_seconds", "cls_accuracy"}
        metrics = [{key: value for key, value in line.items() if key not in unlike} for line in lines]
        return [digest(*weights.items()), json.loads((out / "results.json").read_text())["dataset"], metrics]

    return Operation(run, outcome)


def evaluation(config: Path, weights: Path) -> Operation:
    def run(folder: Path) -> None:
        main(argv=["--eval-only", "--config-file", str(config), "MODEL.WEIGHTS", str(weights), "OUTPUT_DIR", f"{folder}/out"])

    def outcome(folder: Path) -> object:
        found = json.loads((folder / "out" / "results.json").read_text())
        return [found["dataset"], found["protocol"], json.loads((folder / "out" / "cmc.json").read_text())]

    return Operation(run, outcome)


def extraction(config: Path, weights: Path, images: Path) -> Operation:
    def run(folder: Path) -> None:
        model = ["--config-file", str(config), "--weights", str(weights), "--workers", "0", "--batch-size", "4"]
        cli.main(["extract", *model, "--images", str(images), "--output", f"{folder}/features"])

    def outcome(folder: Path) -> object:
        found = FeatureSet.load(folder / "features")
        return [digest(found.features), [Path(path).name for path in found.paths]]

    return Operation(run, outcome)


def gallery(*command: str) -> Operation:
    def outcome(folder: Path) -> object:
        images = load_gallery(folder / "gallery").images
        return [digest(images.features), [Path(path).name for path in images.paths]]

    action, *rest = command
    return Operation(lambda folder: cli.main(["gallery", action, f"{folder}/gallery", *rest]), outcome, again=False)


def rendering() -> Operation:
    size = ["--size", "tiny", "--train-ids", "2", "--test-ids", "2", "--visits", "1", "--workers", "1"]

    def outcome(folder: Path) -> object:
        files = sorted(path for path in (folder / "images").rglob("*") if path.is_file() and path.name != "lock")
        return [[str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()[:12]] for path in files]

    return Operation(lambda folder: cli.main(["render", f"{folder}/images", *size]), outcome)


# -- what is done with them ----------------------------------------------------------------------------------------


def try_moments(
    name: str, operation: Operation, before: Path | None, wanted: dict[str, int], root: Path, draw: random.Random
) -> Path:
    """Runs it whole, then kills it at moments of the ``wanted`` kinds ("any" is any); prints what came of each."""

    def copy(label: str) -> Path:
        folder = root / f"{name}-{label}"
        shutil.copytree(before, folder) if before else folder.mkdir()
        return folder

    whole = copy("whole")
    status, counts = forked(operation, whole, None)
    assert status == 0, whole.with_suffix(".log").read_text()
    expected = operation.outcome(whole)
    earlier = operation.outcome(before) if before else None
    for kind, count in wanted.items():
        events = [(key, number + 1) for key in sorted(counts) for number in range(counts[key]) if kind in ("any", key)]
        for key, number in draw.sample(events, min(count, len(events))):
            moment = Moment(key, number, draw.random() < 0.5)
            folder = copy(f"{key}-{number}")
            record = {"operation": name, "moment": moment, "of": counts[key], "status": forked(operation, folder, moment)[0]}
            try:
                left = operation.outcome(folder)
            except Exception as error:
                left = repr(error)
            record["intact"] = before is None or left in (expected, earlier)
            if operation.again or left != expected:
                record["again"] = forked(operation, folder, None)[0]
                left = operation.outcome(folder) if record["again"] == 0 else folder.with_suffix(".log").read_text()[-1500:]
            record["same"] = left == expected
            if not record["same"]:
                record |= {"expected": expected, "found": left}
            print(json.dumps(record), flush=True)
    return whole


def all_operations(root: Path, config: Path, pictures: Path, seed: int) -> None:
    draw = random.Random(seed)
    images = [root / "images_a", root / "images_b"]
    for number, path in enumerate(sorted(pictures.glob("*.png"))[:24]):
        images[number % 2].mkdir(exist_ok=True)
        shutil.copy(path, images[number % 2])
    wanted = {"iteration": 3, "checkpoint": 3, "line": 1, "batch": 2}
    trained = try_moments("training", training(config), None, wanted, root, draw)
    weights = trained / "out" / "model_final.pth"
    try_moments("evaluation", evaluation(config, weights), None, {"batch": 1, "any": 1}, root, draw)
    features = []
    for folder, moments in zip(images, (3, 0), strict=True):
        whole = try_moments(
            f"extraction_{folder.name}", extraction(config, weights, folder), None, {"any": moments}, root, draw
        )
        features.append(str(whole / "features"))
    built = try_moments("build", gallery("build", "--features", features[0]), None, {}, root, draw)
    added = try_moments("add", gallery("add", "--features", features[1]), built, {"any": 2}, root, draw)
    first = load_gallery(added / "gallery").images.paths[0]
    try_moments("remove", gallery("remove", first), added, {"any": 2}, root, draw)
    try_moments("render", rendering(), None, {"any": 2}, root, draw)


if __name__ == "__main__":
    torch.set_num_threads(1)
    # Compiles the loops of an evaluation, for all forks.
    evaluate_ranking(FeatureRows(torch.eye(4), torch.eye(4), "cosine"), *[list(range(4))] * 2)
    all_operations(*map(Path, sys.argv[1:4]), seed=int(sys.argv[4]))
