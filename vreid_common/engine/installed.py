"""The installed projects: the only code that is imported without the user naming it.

They are the projects of the checkout that vreid_common itself lies in, and the packages that installed distributions declare as
entry points of the group ``vreid.projects``. Finding them does not import them.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

import vreid_common
from vreid_common.errors import InputError

__all__ = ["GROUP", "InstalledProject", "import_package", "installed_projects", "package_in"]

GROUP = "vreid.projects"
"""Entry points: the project's name = its package."""


@dataclass(frozen=True)
class InstalledProject:
    """A project that is not imported yet.

    Attributes:
        folder: where the project's configurations lie: the folder of its ``train_net.py``; without one, the package's.
        load: imports the package.
    """

    folder: Path
    load: Callable[[], ModuleType]


def installed_projects() -> dict[str, InstalledProject]:
    """Name → project. A project of the checkout goes before an entry point of the same name."""
    found = {}
    for point in entry_points(group=GROUP):
        folder = _package_folder(point)
        if folder is not None:
            home = folder.parent if (folder.parent / "train_net.py").is_file() else folder
            found[point.name] = InstalledProject(home, partial(_load, point))
    checkout = Path(vreid_common.__file__).resolve().parents[1]
    for train_net in sorted(checkout.glob("projects/*/train_net.py")):
        package = package_in(train_net.parent)
        if package is not None:
            found[package.name] = InstalledProject(train_net.parent, partial(import_package, package))
    return found


def package_in(folder: Path) -> Path | None:
    """The one package of a project's folder: the one that has a ``config.py``, or the only one there is."""
    packages = [path.parent for path in sorted(folder.glob("*/__init__.py"))]
    configured = [package for package in packages if (package / "config.py").is_file()]
    chosen = configured or packages
    return chosen[0] if len(chosen) == 1 else None


def import_package(folder: Path) -> ModuleType:
    """Imports a package from its folder, under its own name, whether it is installed or not.

    Raises:
        InputError: it cannot be imported, or another package of this name is already.
    """
    name, folder = folder.name, folder.resolve()
    there = sys.modules.get(name)
    if there is not None:
        source = getattr(there, "__file__", None)
        if source is None or Path(source).resolve().parent != folder:
            raise InputError(f"{folder} cannot be imported: another package {name} already is, from {source}.")
        return there
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    if spec is None or spec.loader is None:
        raise InputError(f"{folder} cannot be imported.")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(sys.modules[name])
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, ImportError):
            raise InputError(f"The project's package {folder} cannot be imported: {error}.") from error
        raise
    return sys.modules[name]


def _package_folder(point: EntryPoint) -> Path | None:
    spec = importlib.util.find_spec(point.module.partition(".")[0])
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]).resolve() if places else None


def _load(point: EntryPoint) -> ModuleType:
    try:
        return importlib.import_module(point.module)
    except ImportError as error:
        raise InputError(f"The installed project {point.name} cannot be imported: {error}.") from error
