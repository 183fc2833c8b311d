"""The benchmarks' harness, through a script as ``make bench`` runs one: benchmarks/ is a folder of scripts, not a package."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

SCRIPT = """
import sys, time
from functools import partial
from pathlib import Path
import harness

def contestant(turns, seconds, megabytes, log, fail=False):
    held = bytearray(50 << 20)  # before the turns, so it does not count
    while True:
        turns.wait()
        block = bytearray(megabytes << 20)
        del block
        if fail:
            raise ValueError("the contestant's own error")
        with open(log, "a") as file:
            file.write(f"{seconds}\\n")
        time.sleep(seconds)
        turns.report(10, seconds)  # as if measured without noise

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    harness.RESULTS, harness.PAGE, harness._SETTLE_SECONDS = folder / "results", folder / "page.md", 0
    ours = partial(contestant, seconds=0.1, megabytes=30, log=folder / "log", fail="fail" in sys.argv)
    theirs = partial(contestant, seconds=0.2, megabytes=100, log=folder / "log")
    record = harness.compare("toy", ("ours", ours), ("theirs", theirs), unit="images/s", sizes={"batch": 10}, device="cpu",
                             warm_up=1, repeats=3)
    harness.save("toy-cpu", [record])
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    script = folder / "toy.py"
    script.write_text(textwrap.dedent(SCRIPT))
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    return subprocess.run([sys.executable, script, folder, *arguments], env=environment, capture_output=True, text=True)


def test_contestants_take_turns_and_the_record_says_it_all(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().split() == ["0.1", "0.2"] * 4
    (record,) = json.loads((tmp_path / "results" / "toy-cpu.json").read_text())
    assert (record["subject_median"], record["peer_median"], record["ratio"]) == (100.0, 50.0, 2.0)
    assert (record["warm_up"], record["repeats"], record["unit"], record["sizes"]) == (1, 3, "images/s", {"batch": 10})
    assert record["cores"] >= 1
    assert {"torch", "fastreid", "python"} <= record["versions"].keys()
    assert record["subject_memory"] == pytest.approx(30, abs=5)
    assert record["peer_memory"] == pytest.approx(100, abs=5)
    page = (tmp_path / "page.md").read_text()
    assert "| toy | ours | theirs | batch 10 | 100.0 images/s (± 0%) | 50.0 images/s (± 0%) | 2.00 (± 0%) | " in page
    assert f"| {record['subject_memory']:.0f} / {record['peer_memory']:.0f} MiB |" in page
    assert f"{record['cores']} cores, {record['threads']} threads; torch {record['versions']['torch']}" in page
    assert str(tmp_path) not in page


def test_exception_contestant_that_fails_ends_the_benchmark_with_its_error(tmp_path):
    done = run(tmp_path, "fail")
    assert done.returncode == 1
    assert "the contestant's own error" in done.stderr
    assert "ours ended early" in done.stderr
    assert not (tmp_path / "results").exists()


def test_page_is_the_one_made_from_the_results(tmp_path):
    code = "import harness; assert harness.PAGE.read_text() == harness.make_page(harness.RESULTS), 'run make bench'"
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_results_of_before_memory_was_measured_are_read(tmp_path):
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results" / "toy-cpu.json"
    records = json.loads(results.read_text())
    for side in ("subject", "peer"):
        del records[0][f"{side}_memory"]
    results.write_text(json.dumps(records))
    code = "import sys, harness; from pathlib import Path; print(harness.make_page(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, results.parent]
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS)}
    page = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert "| 2.00 (± 0%) | not measured |" in page
