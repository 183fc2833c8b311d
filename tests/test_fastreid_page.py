"""docs/fastreid.md: each fault has a test that is there, and what FastReID imports without saying so is declared."""

import ast
import importlib.util
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests" / "vreid_common"

# Imported where they are used, by parts that we do not use: CUHK03's .mat file, the build of the Cython evaluation, and what
# is tried and done without (SplAt's RFConv, the report of detectron2's and fvcore's versions).
OPTIONAL = {"h5py", "imageio", "Cython", "rfconv", "detectron2", "fvcore"}


def _rows() -> list[tuple[str, str]]:
    lines = (ROOT / "docs" / "fastreid.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [AB]\d", line)]
    return [(row[0], row[-1]) for row in cells]


@pytest.mark.parametrize(("fault", "tests"), _rows())
def test_each_fault_has_a_test_file(fault, tests):
    for name in tests.split(", "):
        assert (TESTS / f"{name}.py").resolve().is_file(), f"{fault}: {name}"


def test_all_faults_are_there():
    named = [fault for row, _ in _rows() for fault in row.split(", ")]
    assert sorted(named) == sorted([f"A{n}" for n in range(1, 18)] + [f"B{n}" for n in range(1, 26)])


def test_what_fastreid_imports_is_declared():
    """Fault A17."""
    package = Path(importlib.util.find_spec("fastreid").origin).parent
    imported = set().union(*(_imports(path) for path in package.rglob("*.py"))) - set(sys.stdlib_module_names) - {"fastreid"}
    declared = {re.split(r"[<>=\[]", name)[0].lower() for name in _install_requires()}
    distributions = packages_distributions()
    undeclared = {name for name in imported if not declared.intersection(map(str.lower, distributions.get(name, [])))}
    assert undeclared <= OPTIONAL


def _imports(path: Path) -> set[str]:
    modules: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            modules.add(node.module)
    return {module.partition(".")[0] for module in modules}


def _install_requires() -> list[str]:
    for node in ast.walk(ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "install_requires":
            return ast.literal_eval(node.value)
    raise AssertionError("setup.py has no install_requires")
