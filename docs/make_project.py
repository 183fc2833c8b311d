"""Copies docs/template as a project of another name: python docs/make_project.py NAME"""

import argparse
import importlib.util
from collections.abc import Sequence
from pathlib import Path

from vreid_common.errors import InputError
from vreid_common.guard import guard

__all__ = ["main", "make_project"]

TEMPLATE = Path(__file__).parent / "template"

_LEFT_TO_DO = """{project} and {tests} are written. Left to do:
  setup.py         PROJECTS: "{package}": "projects/{name}/{package}",
  pyproject.toml   root_packages and the first of the layers: {package}
  README.md        a row of the table of projects
  .venv/bin/pip install --no-deps --editable . && .venv/bin/python docs/make_configuration.py"""


def make_project(name: str, root: Path) -> tuple[Path, Path]:
    """Writes ``projects/<name>`` and ``tests/projects/<package>``, the package being the name in small letters.

    Returns:
        The two folders.

    Raises:
        InputError: the name is no class name, or something of the name is there already.
    """
    package = name.lower()
    if not name.isidentifier() or not name[0].isupper():
        raise InputError(
            f"{name!r} is no name for a project: use letters and digits that begin with a capital, such as MyPaper."
        )
    project, tests = root / "projects" / name, root / "tests" / "projects" / package
    for folder in (project, tests):
        if folder.exists():
            raise InputError(f"{folder} is there already: choose another name.")
    if importlib.util.find_spec(package):
        raise InputError(f"There is a package {package} already: choose another name.")
    for source in sorted(path for path in TEMPLATE.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        place = source.relative_to(TEMPLATE)
        target = tests / place.name if place.parts[0] == "tests" else project / str(place).replace("template", package)
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        for old, new in (("Template", name), ("template", package), ("TEMPLATE", name.upper())):
            text = text.replace(old, new)
        target.write_text(text, encoding="utf-8")
    return project, tests


def main(argv: Sequence[str] | None = None) -> None:
    """Bad input ends with status 2 and one sentence."""
    parser = argparse.ArgumentParser(description="Copies docs/template as a project of another name.")
    parser.add_argument("name", help="name of the project, such as MyPaper; its package is mypaper")
    name = parser.parse_args(argv).name
    root = Path(__file__).parent.parent
    with guard():
        project, tests = (folder.relative_to(root) for folder in make_project(name, root))
    print(_LEFT_TO_DO.format(project=project, tests=tests, name=name, package=name.lower()))


if __name__ == "__main__":
    main()
