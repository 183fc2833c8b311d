"""Configuration files that cannot be read as they were meant: the sentence names the file and the line or key."""

from pathlib import Path

import pytest

CASES = {
    "empty": ("", ["c.yml"]),
    "a text": ("just a text", ["c.yml"]),
    "a list": ("- a\n- b\n", ["c.yml"]),
    "not closed": ("SOLVER: {BASE_LR: [", ["c.yml"]),
    "tabs": ("SOLVER:\n\tBASE_LR: 0.1\n", ["c.yml"]),
    "a key twice": ("SOLVER:\n  BASE_LR: 0.1\n  BASE_LR: 0.2\n", ["c.yml", "BASE_LR"]),
    "a block twice": ("SOLVER: {BASE_LR: 0.1}\nTEST: {FLIP: {ENABLED: true}}\nSOLVER: {MAX_EPOCH: 3}\n", ["c.yml", "SOLVER"]),
    "null": ("SOLVER: {BASE_LR: null}\n", ["c.yml", "SOLVER.BASE_LR"]),
    "null for a text": ("OUTPUT_DIR: null\n", ["c.yml", "OUTPUT_DIR"]),
    "null for a block": ("SOLVER:\n", ["c.yml", "SOLVER"]),
    "a block for a leaf": ("SOLVER: {BASE_LR: {VALUE: 0.1}}\n", ["c.yml", "SOLVER.BASE_LR"]),
    "a leaf for a block": ("SOLVER: 0.1\n", ["c.yml", "SOLVER"]),
    "an unknown key": ("SOLVER: {BASE_LRR: 0.1}\n", ["c.yml", "SOLVER.BASE_LRR", "SOLVER.BASE_LR"]),
    "an unknown block": ("SOLVERS: {BASE_LR: 0.1}\n", ["c.yml", "SOLVERS"]),
    "a number as a key": ("SOLVER: {3: 0.1}\n", ["c.yml", "3"]),
    "a base that is itself": ("_BASE_: c.yml\n", ["c.yml", "_BASE_"]),
    "a base that is not there": ("_BASE_: gone.yml\n", ["c.yml", "gone.yml"]),
    "a base that is a folder": ("_BASE_: .\n", ["c.yml", "_BASE_"]),
    "a base that is no text": ("_BASE_: [a, b]\n", ["c.yml", "_BASE_"]),
    "an alias that holds itself": ("SOLVER: &a\n  BASE_LR: *a\n", ["c.yml"]),
    "an alias of nothing": ("SOLVER: *nothing\n", ["c.yml"]),
    "a tag that runs code": ("SOLVER: {BASE_LR: !!python/object/apply:os.getpid []}\n", ["c.yml"]),
    "a wrong type": ("SOLVER: {MAX_EPOCH: many}\n", ["c.yml", "SOLVER.MAX_EPOCH", "many"]),
    "a value out of range": ("SOLVER:\n  BASE_LR: -0.1\n", ["c.yml", "SOLVER.BASE_LR", "-0.1"]),
    "a NUL byte": ("SOLVER: {BASE_LR: 0.1}\0\n", ["c.yml"]),
}


@pytest.mark.parametrize(("text", "holds"), CASES.values(), ids=CASES.keys())
def test_refused(text: str, holds: list[str], tmp_path: Path, refused):
    path = tmp_path / "c.yml"
    path.write_text(text)
    refused("train", "--config-file", path, holds=holds)


def test_lines_are_named(tmp_path: Path, refused):
    path = tmp_path / "c.yml"
    path.write_text("SEED: 3\nSOLVER:\n  MAX_EPOCH: 3\n  BASE_LR: -0.1\n")
    refused("train", "--config-file", path, holds=["c.yml:4", "SOLVER.BASE_LR"])
    path.write_text("SEED: 3\nSOLVER:\n  BASE_LR: 0.1\n  BASE_LR: 0.2\n")
    refused("train", "--config-file", path, holds=["c.yml:4", "BASE_LR"])


def test_bases_in_a_circle(tmp_path: Path, refused):
    for name, base in (("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.yml").write_text(f"_BASE_: {base}.yml\n")
    refused("train", "--config-file", tmp_path / "a.yml", holds=["_BASE_", "a.yml", "b.yml", "c.yml"])


def test_not_utf_8(tmp_path: Path, refused):
    (tmp_path / "c.yml").write_bytes("OUTPUT_DIR: Zürich\n".encode("latin-1"))
    refused("train", "--config-file", tmp_path / "c.yml", holds=["c.yml"])


@pytest.mark.parametrize("name", ["gone.yml", ".", "", "a\0b.yml"])
def test_no_such_file(name: str, refused):
    if name:
        refused("train", "--config-file", name, holds=["--config-file"])
    else:
        refused("train", holds=["DATASETS"])
