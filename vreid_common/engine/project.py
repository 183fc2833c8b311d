"""Finding the project that a configuration file belongs to, for commands that are not a project's ``train_net.py``."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from vreid_common.engine.config_file import AddConfig
from vreid_common.engine.trainer import Trainer
from vreid_common.errors import InputError

__all__ = ["Project", "find_project"]


@dataclass(frozen=True)
class Project:
    """What a project hands to ``engine.main``: its config keys and its trainer. Without a project, neither is its own."""

    add_config: AddConfig | None = None
    trainer: type[Trainer] = Trainer


def find_project(config_file: str, folder: str = "") -> Project:
    """The project of a configuration: ``folder``, or the nearest folder above ``config_file`` that has a ``train_net.py``.

    The project's package is the folder in it with ``__init__.py`` and ``config.py``. Of its public names,
    ``add_<package>_config`` adds the keys, and a subclass of ``Trainer`` is the trainer. The package is imported under its own
    name, from the project's folder, whether it is installed or not.

    Raises:
        InputError: ``folder`` is not a project.
    """
    above = [Path(folder)] if folder else Path(config_file).resolve().parents
    place = next((place for place in above if (place / "train_net.py").is_file()), None)
    packages = [path.parent for path in sorted(place.glob("*/config.py"))] if place else []
    packages = [package for package in packages if (package / "__init__.py").is_file()]
    if len(packages) == 1:
        return _project_of(_import_package(packages[0]))
    if folder:
        raise InputError(f"{folder} is not a project: it needs train_net.py and one package with __init__.py and config.py.")
    return Project()


def _import_package(folder: Path) -> ModuleType:
    name = folder.name
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
        if spec is None or spec.loader is None:
            raise InputError(f"{folder} cannot be imported.")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(sys.modules[name])
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _project_of(package: ModuleType) -> Project:
    trainers = [
        value
        for value in vars(package).values()
        if isinstance(value, type) and issubclass(value, Trainer) and value is not Trainer
    ]
    if len(trainers) > 1:
        raise InputError(f"The package {package.__name__} has {len(trainers)} trainers: its __init__.py has to name one.")
    return Project(getattr(package, f"add_{package.__name__}_config", None), trainers[0] if trainers else Trainer)
