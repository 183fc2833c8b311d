"""Which FastReID is there, and what a user reads when none can be used."""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from vreid_common.compat import installation
from vreid_common.versions import package_versions

WHEEL = Path(importlib.util.find_spec("fastreid").origin).parent


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | None], None]:
    """Lets Python find FastReID in a folder, or nowhere."""

    def find_in(folder: Path | None) -> None:
        spec = None
        if folder is not None:
            spec = importlib.util.spec_from_file_location(
                "fastreid", folder / "__init__.py", submodule_search_locations=[str(folder)]
            )
        real = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: spec if name == "fastreid" else real(name, *rest))

    monkeypatch.delitem(sys.modules, "fastreid")
    return find_in


def make_checkout(root: Path, version: str = "1.3") -> Path:
    package = root / "fastreid"
    (package / "engine").mkdir(parents=True)
    (package / "engine" / "__init__.py").write_text("")
    (package / "__init__.py").write_text(f'__version__ = "{version}"\n')
    return package


def test_nowhere_says_both_ways(found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found(None)
    with pytest.raises(
        ImportError, match="`pip install --no-deps fastreid==1.4.0`; or, .*root folder with PYTHONPATH=. before it"
    ):
        installation.find()


def test_a_folder_of_the_name_is_no_fastreid(tmp_path, monkeypatch):
    (tmp_path / "fastreid").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *(path for path in sys.path if path != str(WHEEL.parent))])
    monkeypatch.delitem(sys.modules, "fastreid")
    with pytest.raises(ImportError, match="vreid_common needs FastReID 1.4.0 beside it"):
        installation.find()


@pytest.mark.parametrize("version", ["0.1.0", "1.0.0", "1.1", "1.2"])
def test_earlier_releases_are_named(found, version, tmp_path):
    package = make_checkout(tmp_path, version)
    found(package)
    said = (
        f"FastReID in {package} calls itself {version}, which is too old. vreid_common works with FastReID 1.4.0: the wheel, or"
    )
    with pytest.raises(ImportError, match=re.escape(said)):
        installation.find()


@pytest.mark.parametrize("folder", ["wheel", "checkout"])
def test_the_wheel_and_a_checkout_of_it_are_taken(found, folder, tmp_path):
    found(WHEEL if folder == "wheel" else make_checkout(tmp_path))
    installation.find()


def test_results_say_which_one_they_are_from(found, tmp_path):
    """The wheel may be installed beside a checkout that is used."""
    assert package_versions()["fastreid"] == "1.4.0"
    found(make_checkout(tmp_path))
    assert package_versions()["fastreid"] == "1.3 (checkout)"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ModuleNotFoundError("No module named 'gdown'", name="gdown"), "FastReID needs gdown, .*: run `pip install gdown`."),
        (
            ModuleNotFoundError("No module named 'apex'", name="apex"),
            "calls itself 1.4.0 and cannot be used: No module named 'apex'",
        ),
        (
            AttributeError("module 'x' has no attribute 'softmax_weights'"),
            "cannot be used: .*softmax_weights'. vreid_common works",
        ),
    ],
)
def test_what_goes_wrong_on_import_is_one_sentence(error, said):
    with pytest.raises(ImportError, match=said), installation.explained():
        raise error


def test_the_wheel_before_a_checkout_is_said(found, tmp_path, monkeypatch, caplog):
    make_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)
    found(WHEEL)
    installation.find()
    assert f"FastReID is imported from {WHEEL}, not from your checkout: set PYTHONPATH={tmp_path} to put" in caplog.text


def test_a_checkout_run_upstreams_way(tmp_path):
    """`python projects/X/train_net.py` from the root of a fork, without the wheel: refused until PYTHONPATH=. is set."""
    site = tmp_path / "site"
    site.mkdir()
    for path in WHEEL.parent.iterdir():
        if not path.name.startswith("fastreid"):
            (site / path.name).symlink_to(path)
    root = tmp_path / "fork"
    script = root / "projects" / "FastX" / "train_net.py"
    script.parent.mkdir(parents=True)
    (root / "fastreid").symlink_to(WHEEL)
    script.write_text(
        "import sys\nimport vreid_common\nsys.path.append('.')\nfrom fastreid.engine import DefaultTrainer\nimport fastreid\n"
        "print(fastreid.__file__)\n"
    )
    ours = str(Path(__file__).parents[3])

    def run(*first: str) -> subprocess.CompletedProcess:
        path = os.pathsep.join([*first, ours, str(site)])
        command = [sys.executable, "-S", "projects/FastX/train_net.py"]
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False, timeout=120)

    refused = run()
    last = refused.stderr.strip().splitlines()[-1]
    assert last == (
        f"ImportError: Your checkout of FastReID in {root} is not on Python's path when vreid_common is imported: put "
        "PYTHONPATH=. before the command. A script's own sys.path.append comes too late."
    )
    accepted = run(".")
    assert accepted.stdout.strip() == str(root / "fastreid" / "__init__.py"), accepted.stderr
