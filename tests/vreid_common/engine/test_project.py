"""Finding the project of a configuration file."""

import sys
from pathlib import Path

import pytest

from vreid_common.engine import Trainer, load_config
from vreid_common.engine.project import Project, find_project
from vreid_common.errors import InputError

PACKAGE = """
from vreid_common.engine import Trainer
from {name}.config import add_{name}_config
class Special(Trainer):
    pass
"""
CONFIG = """
from vreid_common.config import CfgNode
def add_{name}_config(cfg):
    cfg.{upper} = CfgNode(dict(WIDTH=3))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, not installed; its package is forgotten afterwards."""
    name = "someproject"
    folder = tmp_path / "Some"
    (folder / name).mkdir(parents=True)
    (folder / "configs" / "VeRi").mkdir(parents=True)
    (folder / "train_net.py").write_text("raise AssertionError('run')")
    (folder / name / "__init__.py").write_text(PACKAGE.format(name=name))
    (folder / name / "config.py").write_text(CONFIG.format(name=name, upper=name.upper()))
    (folder / "configs" / "VeRi" / "one.yml").write_text("SOMEPROJECT: {WIDTH: 5}\n")
    yield folder
    for module in (name, f"{name}.config"):
        sys.modules.pop(module, None)


def test_the_folder_above_the_configuration(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(project / "configs")
    found = find_project("VeRi/one.yml")
    assert load_config(found.add_config, "VeRi/one.yml").SOMEPROJECT.WIDTH == 5
    assert found.trainer.__name__ == "Special"
    assert find_project("VeRi/one.yml") == found  # imported once


def test_a_folder_that_is_named(project: Path, tmp_path: Path):
    elsewhere = tmp_path / "config.yaml"
    elsewhere.write_text("SOMEPROJECT: {WIDTH: 7}\n")
    found = find_project(str(elsewhere), str(project))
    assert load_config(found.add_config, str(elsewhere)).SOMEPROJECT.WIDTH == 7


def test_a_package_without_keys_or_trainer(project: Path):
    (project / "someproject" / "__init__.py").write_text("from vreid_common.engine import Trainer\n")
    assert find_project(str(project / "configs" / "VeRi" / "one.yml")) == Project(None, Trainer)


def test_a_configuration_outside_of_projects(tmp_path: Path):
    (tmp_path / "train_net.py").write_text("")
    assert find_project(str(tmp_path / "one.yml")) == Project(None, Trainer)


def test_two_trainers(project: Path):
    with (project / "someproject" / "__init__.py").open("a") as file:
        file.write("class Other(Trainer):\n    pass\n")
    with pytest.raises(InputError, match="someproject has 2 trainers"):
        find_project(str(project / "configs" / "VeRi" / "one.yml"))


def test_a_folder_that_is_no_project(tmp_path: Path):
    with pytest.raises(InputError, match=r"is not a project: it needs train_net\.py"):
        find_project("one.yml", str(tmp_path))


def test_a_project_that_fails_is_not_left_half_imported(project: Path):
    (project / "someproject" / "__init__.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        find_project("one.yml", str(project))
    assert "someproject" not in sys.modules
