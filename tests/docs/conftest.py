"""The scripts of docs/, which is a folder of pages, not a package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_configuration() -> ModuleType:
    return _load("make_configuration")


@pytest.fixture(scope="session")
def make_commands() -> ModuleType:
    return _load("make_commands")


@pytest.fixture(scope="session")
def make_project() -> ModuleType:
    return _load("make_project")
