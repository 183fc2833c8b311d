"""How every benchmark measures and what it writes.

A benchmark compares a subject (ours) with a peer (what people use otherwise). Both run in processes of their own, which keeps
their settings of torch apart, and take turns: subject, peer, subject, peer, ... Whatever slows the machine down for a while
meets both. The figure to quote is the median over the pairs of turns of (subject's rate / peer's rate). The memory is what each
process needed during its turns over what it held before the first one: its data, its libraries and what it warmed up.

    python benchmarks/training.py --quick          # writes benchmarks/results/training-cpu.json and docs/benchmarks.md
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from memory import PeakMemory

from vreid_common.cores import available_cores
from vreid_common.files import write_atomically

__all__ = ["QUICK", "Contestant", "Record", "Turns", "build_parser", "compare", "save"]

QUICK = {"warm_up": 0, "repeats": 1, "least_seconds": 0.0}
"""Arguments of ``compare`` that show that a benchmark works."""
ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PAGE = ROOT / "docs" / "benchmarks.md"
_VERSIONS = ("torch", "torchvision", "numpy", "fastreid", "vreid")
_SETTLE_SECONDS = 1.0
"""Between turns: the loader's worker processes of the one that stops fill their queues and fall silent."""
_PATIENCE_SECONDS = 30.0
"""After the last turn: time to end by itself."""
_LAST_LINES = 20


class Ended(BaseException):
    """There is no further turn. Not an ``Exception``, which a training loop would log as a failure."""


class Turns:
    """A contestant's view of the contest: wait for a turn, do the work, report how much of it took how long."""

    def __init__(self, connection: Connection, device: str, least_seconds: float) -> None:
        self._least_seconds = least_seconds
        self._connection = connection
        self._device = device
        self._memory: PeakMemory | None = None

    def wait(self) -> None:
        """Returns when it is this contestant's turn; raises ``Ended`` after the last."""
        if self._memory is None:
            self._memory = PeakMemory(self._device)
            self._connection.send("ready")
        if not self._connection.recv():
            raise Ended

    def take(self, amount: float, work: Callable[[], object], warm_up: Callable[[], object]) -> None:
        """One turn: ``work()``, which does so much work, again and again for some seconds.

        Waiting contestants lose what the system can read again from the disk, their libraries' code: ``warm_up`` comes first.
        """
        self.wait()
        warm_up()
        self._synchronize()
        start, times, seconds = time.perf_counter(), 0, 0.0
        while not times or seconds < self._least_seconds:
            work()
            self._synchronize()
            times, seconds = times + 1, time.perf_counter() - start
        self.report(times * amount, seconds)

    def _synchronize(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()

    def report(self, work: float, seconds: float) -> None:
        """Ends the turn: so much work (images, queries, ...) was done in so many seconds."""
        assert self._memory is not None, "a turn begins with wait()"
        self._connection.send((work / seconds, self._memory.megabytes()))


Contestant = Callable[[Turns], None]
"""A module-level function, or a ``functools.partial`` of one: sets up, then waits and reports until ``Ended``."""


@dataclass(frozen=True)
class Record:
    """One comparison. ``spread`` is the interquartile range over the median; memory is in MiB, None in older results."""

    name: str
    subject: str
    peer: str
    sizes: dict[str, int | str]
    unit: str
    warm_up: int
    repeats: int
    subject_median: float
    subject_spread: float
    peer_median: float
    peer_spread: float
    ratio: float
    ratio_spread: float
    device: str
    cores: int
    threads: int
    versions: dict[str, str]
    subject_memory: float | None = None
    peer_memory: float | None = None


def build_parser(description: str) -> argparse.ArgumentParser:
    """The arguments that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", choices=("cpu", "cuda"))
    parser.add_argument("--quick", action="store_true", help="small and few: shows that it works, not how fast it is")
    return parser


def compare(
    name: str,
    subject: tuple[str, Contestant],
    peer: tuple[str, Contestant],
    *,
    unit: str,
    sizes: dict[str, int | str],
    device: str,
    warm_up: int = 1,
    repeats: int = 5,
    least_seconds: float = 3.0,
) -> Record:
    """Lets both contestants take ``warm_up`` + ``repeats`` turns each, alternating, and prints and returns the outcome.

    A turn of ``Turns.take`` lasts ``least_seconds`` at least, by repeating its work.

    Raises:
        RuntimeError: a contestant's process ended; the message has the end of what it printed.
    """
    rates: tuple[list[float], list[float]] = ([], [])
    memory = [0.0, 0.0]
    with _started(*subject, device, least_seconds) as ours, _started(*peer, device, least_seconds) as theirs:
        for side in (ours, theirs):
            side.set_up()  # nobody takes a turn while another one sets up
        for turn in range(warm_up + repeats):
            for side, contestant in enumerate((ours, theirs)):
                rate, memory[side] = contestant.take_turn()
                if turn >= warm_up:
                    rates[side].append(rate)
    ratios = [ours / theirs for ours, theirs in zip(*rates, strict=True)]
    record = Record(
        name, subject[0], peer[0], sizes, unit, warm_up, repeats,
        *_summary(rates[0]), *_summary(rates[1]), *_summary(ratios),
        torch.cuda.get_device_name() if device == "cuda" else _processor(),
        available_cores(),
        int(os.environ.get("OMP_NUM_THREADS", available_cores())),
        {package: importlib.metadata.version(package) for package in _VERSIONS} | {"python": platform.python_version()},
        *(round(megabytes, 1) for megabytes in memory),
    )  # fmt: skip
    print(
        f"{name}: {record.subject_median:.1f} against {record.peer_median:.1f} {unit}, ratio {record.ratio:.2f}; "
        f"memory {_memory(record)}; peer: {record.peer}",
        flush=True,
    )
    return record


def save(file_name: str, records: Sequence[Record]) -> None:
    """Writes the records to benchmarks/results/<file_name>.json and makes docs/benchmarks.md again from all results."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps([asdict(record) for record in records], indent=1) + "\n"
    write_atomically(RESULTS / f"{file_name}.json", lambda path: path.write_text(text, encoding="utf-8"))
    page = make_page(RESULTS)
    write_atomically(PAGE, lambda path: path.write_text(page, encoding="utf-8"))


def make_page(results: Path) -> str:
    """docs/benchmarks.md, from the results folder."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `make bench` from `benchmarks/`; do not edit. Ours and the peer run in processes of their own and take",
        "turns in one run. Each figure is the median over the turns, with the interquartile range in percent of it",
        "(without one it is of one turn, where the peer takes minutes); the ratio is the median over the pairs of turns.",
        "More than 1 means that ours is faster. Memory, ours / the peer's, is the most that the process needed during its",
        "turns, over what it held before the first one.",
        "",
        "![Time and memory against the number of images](images/scaling.png)",
    ]
    if not list(results.glob("*-cuda.json")):
        lines += ["", "Nothing has been measured on a GPU yet: `make bench` does so where there is one."]
    for path in sorted(results.glob("*.json")):
        records = [Record(**record) for record in json.loads(path.read_text(encoding="utf-8"))]
        versions = ", ".join(f"{name} {version}" for name, version in records[0].versions.items())
        lines += [
            "",
            f"## {path.stem}",
            "",
            f"{records[0].device}, {records[0].cores} cores, {records[0].threads} threads; {versions}.",
            "",
            "| what | of ours | against | sizes | ours | peer | ratio | memory |",
            "| --- | --- | --- | --- | ---: | ---: | ---: | ---: |",
            *map(_table_row, records),
        ]
    return "\n".join(lines) + "\n"


def _table_row(record: Record) -> str:
    sizes = ", ".join(f"{key} {value}" for key, value in record.sizes.items())
    ours = f"{record.subject_median:.1f} {record.unit}{_spread(record, record.subject_spread)}"
    theirs = f"{record.peer_median:.1f} {record.unit}{_spread(record, record.peer_spread)}"
    ratio = f"{record.ratio:.2f}{_spread(record, record.ratio_spread)}"
    return f"| {record.name} | {record.subject} | {record.peer} | {sizes} | {ours} | {theirs} | {ratio} | {_memory(record)} |"


def _spread(record: Record, spread: float) -> str:
    return f" (± {spread:.0%})" if record.repeats > 1 else ""


def _memory(record: Record) -> str:
    if record.subject_memory is None or record.peer_memory is None:
        return "not measured"
    return f"{record.subject_memory:.0f} / {record.peer_memory:.0f} MiB"


class _Process:
    """A contestant's process, seen from outside. If it has ended, that is a RuntimeError with the end of what it printed."""

    def __init__(self, name: str, connection: Connection, log: Path) -> None:
        self._name = name
        self._connection = connection
        self._log = log

    def set_up(self) -> None:
        """Returns when it waits for its first turn."""
        self._receive()

    def take_turn(self) -> tuple[float, float]:
        """Its rate in this turn, and its memory in MiB so far."""
        time.sleep(_SETTLE_SECONDS)
        with contextlib.suppress(BrokenPipeError):  # receiving says why
            self._connection.send(True)
        return self._receive()

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError) as error:
            printed = self._log.read_text(errors="replace").splitlines()
            raise RuntimeError("\n".join([f"{self._name} ended early:", *printed[-_LAST_LINES:]])) from error


@contextlib.contextmanager
def _started(name: str, contestant: Contestant, device: str, least_seconds: float) -> Iterator[_Process]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.NamedTemporaryFile() as log:
        process = context.Process(target=_take_part, args=(contestant, theirs, device, least_seconds, log.name))
        process.start()
        theirs.close()
        try:
            yield _Process(name, ours, Path(log.name))
            ours.send(False)
            process.join(_PATIENCE_SECONDS)
        finally:
            process.kill()


def _take_part(contestant: Contestant, connection: Connection, device: str, least_seconds: float, log: str) -> None:
    with Path(log).open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    # A spawned process would spawn its own children too: a loader's workers, which then take a hundred times as long to start.
    multiprocessing.set_start_method(None, force=True)
    with contextlib.suppress(Ended):
        contestant(Turns(connection, device, least_seconds))


def _summary(values: Sequence[float]) -> tuple[float, float]:
    """Median, and interquartile range over the median."""
    median = statistics.median(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else (median,) * 3
    return round(median, 4), round((high - low) / median, 4)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
