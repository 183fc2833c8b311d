"""docs/troubleshooting.md: each message is one that FastReID's or our source has, letter for letter."""

import ast
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")

NOT_FASTREIDS_OWN = {
    "No matching distribution found for torchvision==0.14.1": "pip",
    "ImportError: cannot import name 'Mapping' from 'collections'": "Python",
    "ModuleNotFoundError: No module named 'torch._six'": "Python",
    "AttributeError: module 'faiss' has no attribute 'StandardGpuResources'": "Python",
    "TypeError: RandomAffine.__init__() got an unexpected keyword argument 'resample'": "Python",
    "ZeroDivisionError: integer modulo by zero": "Python",
    "_pickle.UnpicklingError: Weights only load failed": "torch",
    "Expected to have finished reduction in the prior iteration before starting a new one.": "torch",
    "Non-existent config key: …": "yacs",
}
"""What FastReID's code makes another library say, and which one."""


def _messages(section: str) -> list[str]:
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^### `(.+)`$", text, re.MULTILINE)


@cache
def _texts(folder: Path) -> list[str]:
    """All strings of a package's source, with … for what is filled in."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.py"))]
    return [_text(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Constant)]


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return re.sub(r"{[^{}]*}", "…", node.value) if isinstance(node.value, str) else ""


def test_each_section_has_messages():
    assert len(_messages("Messages of FastReID")) >= 10
    assert len(_messages("Messages of this program")) >= 15


@pytest.mark.parametrize("message", [m for m in _messages("Messages of FastReID") if m not in NOT_FASTREIDS_OWN])
def test_fastreid_says_so(message):
    folder = Path(importlib.util.find_spec("fastreid").origin).parent
    assert any(message in text for text in _texts(folder))


@pytest.mark.parametrize("message", _messages("Messages of this program"))
def test_we_say_so(message):
    assert any(message in text for text in _texts(ROOT / "vreid_common"))


def test_each_entry_says_why_and_what_to_do():
    entries = PAGE.split("\n### ")[1:]
    lacking = [e.splitlines()[0] for e in entries if [e.count("\n**Why.** "), e.count("\n**What to do.** ")] != [1, 1]]
    assert lacking == []


def test_keys_are_there(make_configuration):
    """Every word that is spelt like a config key is one."""
    cfg = make_configuration.find_sources()[1].after
    for key in re.findall(r"\b(?:SOLVER|MODEL|DATASETS|DATALOADER|TEST|INPUT)(?:\.[A-Z_]+)+\b", PAGE):
        if key == "SOLVER.MAX_ITER":  # the old name that the entry is about
            continue
        node = cfg
        for name in key.split("."):
            node = node[name]
