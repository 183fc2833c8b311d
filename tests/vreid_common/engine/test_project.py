"""Finding the project of a configuration, and what may be imported for it."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from vreid_common.engine import Trainer, load_config, main
from vreid_common.engine import installed as installed_module
from vreid_common.engine.installed import installed_projects
from vreid_common.engine.project import Project, find_project, project_name, projects_with
from vreid_common.errors import InputError

PROJECTS = Path(__file__).parents[3] / "projects"
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
def project(tmp_path: Path) -> Path:
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


@pytest.fixture
def installed(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as a package that an installed distribution declares."""
    monkeypatch.syspath_prepend(str(project))
    points = [EntryPoint("someproject", "someproject", installed_module.GROUP), EntryPoint("gone", "nowhere", "")]
    monkeypatch.setattr(installed_module, "entry_points", lambda group: points if group == installed_module.GROUP else [])
    return project


def test_a_folder_that_is_named(project: Path, tmp_path: Path):
    elsewhere = tmp_path / "config.yaml"
    elsewhere.write_text("SOMEPROJECT: {WIDTH: 7}\n")
    found = find_project(str(elsewhere), str(project))
    assert load_config(found.add_config, str(elsewhere)).SOMEPROJECT.WIDTH == 7
    assert (found.trainer.__name__, found.name) == ("Special", "someproject")
    assert find_project(str(elsewhere), str(project)) == found  # imported once


def test_nothing_is_imported_from_the_folders_above_a_configuration(project: Path, monkeypatch: pytest.MonkeyPatch):
    """Nor by a name or a path that the configuration holds: in a folder of data nothing is code."""
    (project / "someproject" / "__init__.py").write_text("raise AssertionError('imported')")
    monkeypatch.chdir(project / "configs")
    assert find_project("VeRi/one.yml") == Project()
    file = project / "configs" / "VeRi" / "one.yml"
    for name in (str(project), "../..", "someproject"):
        file.write_text(f"PROJECT: {name}\n")
        with pytest.raises(InputError, match=f"is of the project {name}, which is not installed: name its folder with"):
            find_project("VeRi/one.yml")
        with pytest.raises(InputError, match="which is not installed"):
            find_project("", opts=["PROJECT", name])
    assert "someproject" not in sys.modules


@pytest.mark.parametrize("where", ["its name", "its folder", "PROJECT", "KEY VALUE"])
def test_an_installed_project(installed: Path, tmp_path: Path, where: str):
    inside, elsewhere = installed / "configs" / "VeRi" / "one.yml", tmp_path / "config.yaml"
    elsewhere.write_text("SOMEPROJECT: {WIDTH: 5}\n" + ("PROJECT: someproject\n" if where == "PROJECT" else ""))
    opts = ["PROJECT", "someproject"] if where == "KEY VALUE" else []
    file = inside if where == "its folder" else elsewhere
    assert "someproject" not in sys.modules
    found = find_project(str(file), "someproject" if where == "its name" else "", opts)
    assert load_config(found.add_config, str(file), opts).SOMEPROJECT.WIDTH == 5
    assert found.trainer.__name__ == "Special"


def test_a_package_without_a_train_net_has_the_configurations_inside_it(installed: Path):
    (installed / "train_net.py").unlink()
    assert installed_projects()["someproject"].folder == installed / "someproject"
    assert find_project(str(installed / "configs" / "VeRi" / "one.yml")) == Project()
    (installed / "someproject" / "one.yml").write_text("SOMEPROJECT: {WIDTH: 5}\n")
    assert find_project(str(installed / "someproject" / "one.yml")).name == "someproject"


def test_the_checkouts_own_projects():
    own = {name: project.folder for name, project in installed_projects().items()}
    assert own.items() >= {"cybercore": PROJECTS / "CybercoreBaseline", "wcvl": PROJECTS / "WCVL"}.items()
    assert find_project(str(PROJECTS / "WCVL" / "configs" / "Demo" / "wcvl_r18.yml")).name == "wcvl"
    assert projects_with("WCVL.MAIN.WEIGHTS") == ["wcvl"]
    assert projects_with("SOLVER.BASE_LR.DEEPER") == projects_with("NO.SUCH") == []


def test_setup_declares_every_project_for_others_to_find(monkeypatch: pytest.MonkeyPatch):
    declared = {}
    monkeypatch.setattr("setuptools.setup", lambda **options: declared.update(options))
    monkeypatch.chdir(PROJECTS.parent)
    exec(compile(Path("setup.py").read_text(), "setup.py", "exec"), {"__name__": "setup"})
    own = sorted(path.parent.name for path in PROJECTS.glob("*/*/config.py"))
    assert sorted(declared["entry_points"][installed_module.GROUP]) == [f"{name}={name}" for name in own]


def test_fastreids_own_projects(tmp_path: Path):
    """Their functions are called by a word of the project's name; FastFace's is in config.py only, FastClas has none."""
    for package, init, config in (
        ("fastretri", "from .config import add_retri_config\n", "def add_retri_config(cfg):\n    cfg.TEST.RECALLS = [1]\n"),
        ("fastface", "from . import config\n", "def add_face_config(cfg):\n    cfg.TEST.RECALLS = [1]\n"),
        ("fastclas", "", None),
    ):
        folder = tmp_path / package.upper()
        (folder / package).mkdir(parents=True)
        (folder / "train_net.py").touch()
        (folder / package / "__init__.py").write_text(init)
        if config is not None:
            (folder / package / "config.py").write_text(config)
        found = find_project("one.yml", str(folder))
        assert (found.name, found.trainer) == (package, Trainer)
        assert (found.add_config is None) == (config is None)
        if config is not None:
            assert load_config(found.add_config, "", ["TEST.RECALLS", "[1, 2]"]).TEST.RECALLS == [1, 2]
        assert project_name(found.trainer, found.add_config) == (package if config else "")
        for module in (package, f"{package}.config"):
            sys.modules.pop(module, None)


def test_a_run_says_whose_configuration_it_wrote(project: Path, config_file: Path, tmp_path: Path, capsys):
    found = find_project("", str(project))
    out = tmp_path / "out"
    main(found.add_config, found.trainer, ["--config-file", str(config_file), "OUTPUT_DIR", str(out), "SOLVER.MAX_EPOCH", "1"])
    assert "\nPROJECT: someproject\n" in (out / "config.yaml").read_text()
    capsys.readouterr()
    for parts, here in (
        ((None, Trainer), "this program is no project's"),
        ((found.add_config,), "train_net.py of someproject"),
    ):
        with pytest.raises(SystemExit):
            main(*parts, argv=["--config-file", str(config_file), "PROJECT", "other"])
        assert here in (said := capsys.readouterr().err)
        assert said.startswith("error: PROJECT is other, but ")


class TestBadInput:
    def test_two_trainers(self, project: Path):
        with (project / "someproject" / "__init__.py").open("a") as file:
            file.write("class Other(Trainer):\n    pass\n")
        with pytest.raises(InputError, match="someproject has 2 trainers"):
            find_project("one.yml", str(project))

    def test_two_functions(self, project: Path):
        (project / "someproject" / "__init__.py").write_text("add_a_config = add_b_config = print\n")
        with pytest.raises(InputError, match="someproject has add_a_config and add_b_config"):
            find_project("one.yml", str(project))

    def test_no_project(self, tmp_path: Path):
        with pytest.raises(InputError, match=r"is not a project: it needs train_net\.py"):
            find_project("one.yml", str(tmp_path))
        with pytest.raises(InputError, match=r"--project nowhere is neither a folder nor an installed project \(.*wcvl"):
            find_project("one.yml", "nowhere")

    def test_one_that_fails_is_not_left_half_imported(self, project: Path):
        (project / "someproject" / "__init__.py").write_text("raise RuntimeError('broken')\n")
        with pytest.raises(RuntimeError, match="broken"):
            find_project("one.yml", str(project))
        (project / "someproject" / "__init__.py").write_text("import nowhere\n")
        with pytest.raises(InputError, match="someproject cannot be imported: No module named 'nowhere'"):
            find_project("one.yml", str(project))
        assert "someproject" not in sys.modules

    def test_another_package_of_the_name(self, project: Path):
        (project / "someproject").rename(project / "json")
        with pytest.raises(InputError, match="another package json already is, from "):
            find_project("one.yml", str(project))
