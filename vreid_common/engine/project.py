"""Finding the project that a configuration belongs to, for commands that are not a project's ``train_net.py``.

Code is imported from installed packages and from what the user names with ``--project``, and from nowhere else: neither a
configuration nor the folder that it lies in can name any.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from fastreid.config import CfgNode

from vreid_common.config import get_vreid_cfg
from vreid_common.engine.config_file import AddConfig, written_config
from vreid_common.engine.installed import import_package, installed_projects, package_in
from vreid_common.engine.trainer import Trainer
from vreid_common.errors import InputError

__all__ = ["Project", "find_project", "project_name", "projects_with"]


@dataclass(frozen=True)
class Project:
    """What a project hands to ``engine.main``: its config keys and its trainer. Without a project, neither is its own.

    Attributes:
        add_config: adds its keys.
        trainer: trains and builds its models.
        name: its package's, "" without a project.
    """

    add_config: AddConfig | None = None
    trainer: type[Trainer] = Trainer
    name: str = ""


def find_project(config_file: str, named: str = "", opts: Sequence[str] = ()) -> Project:
    """The project of a configuration.

    It is ``named``; else the one that PROJECT names, in ``opts`` or in the file; else the installed project in whose folder the
    file lies; else none. Of the package's public names, ``add_<package>_config``, or its only ``add_*_config``, adds the keys,
    and a subclass of ``Trainer`` is the trainer.

    Args:
        config_file: where the configuration is; it need not be there.
        named: an installed project's name, or a project's folder: ``train_net.py`` and one package.
        opts: KEY VALUE pairs that go with the file.

    Raises:
        InputError: ``named`` is no project, or PROJECT is not installed.
    """
    installed = installed_projects()
    if named:
        return _project_of(installed[named].load() if named in installed else _package_of(Path(named), list(installed)))
    name = _configured_name(config_file, opts)
    if name:
        if name not in installed:
            raise InputError(f"{config_file} is of the project {name}, which is not installed: name its folder with --project.")
        return _project_of(installed[name].load())
    file = Path(config_file).resolve()
    for project in installed.values():
        if file.is_relative_to(project.folder):
            return _project_of(project.load())
    return Project()


def project_name(*parts: Callable[..., Any] | None) -> str:
    """The package that a project's ``train_net.py`` has its trainer or ``add_config`` from; "" for vreid_common's own."""
    for part in parts:
        package = getattr(part, "__module__", "").partition(".")[0]
        source = getattr(sys.modules.get(package), "__file__", None)
        if source and Path(source).name == "__init__.py" and package not in ("vreid_common", "fastreid"):
            return package
    return ""


def projects_with(key: str) -> list[str]:
    """The installed projects that have a dotted configuration key. Imports them all, but those that cannot be imported."""
    found = []
    for name, installed in installed_projects().items():
        with suppress(InputError):
            if _has_key(_project_of(installed.load()), key):
                found.append(name)
    return found


def _has_key(project: Project, key: str) -> bool:
    cfg = get_vreid_cfg()
    if project.add_config is not None:
        project.add_config(cfg)
    node: Any = cfg
    for name in key.split("."):
        if not isinstance(node, CfgNode) or name not in node:
            return False
        node = node[name]
    return True


def _package_of(folder: Path, installed: list[str]) -> ModuleType:
    if not folder.is_dir():
        raise InputError(f"--project {folder} is neither a folder nor an installed project ({', '.join(installed)}).")
    package = package_in(folder)
    if package is None or not (folder / "train_net.py").is_file():
        raise InputError(
            f"--project {folder} is not a project: it needs train_net.py and one package with __init__.py and config.py."
        )
    return import_package(package)


def _configured_name(config_file: str, opts: Sequence[str]) -> str:
    """What PROJECT is. A file that cannot be read says nothing here: ``load_config`` says what is wrong with it."""
    values = dict(zip(opts[::2], opts[1::2], strict=False))
    if "PROJECT" in values:
        return str(values["PROJECT"])
    name = (written_config(config_file) or {}).get("PROJECT", "")
    return name if isinstance(name, str) else ""


def _project_of(package: ModuleType) -> Project:
    public = vars(package)
    trainers = [
        value for value in public.values() if isinstance(value, type) and issubclass(value, Trainer) and value is not Trainer
    ]
    if len(trainers) > 1:
        raise InputError(f"The package {package.__name__} has {len(trainers)} trainers: its __init__.py has to name one.")
    return Project(_add_config_of(package), trainers[0] if trainers else Trainer, package.__name__)


def _add_config_of(package: ModuleType) -> AddConfig | None:
    """FastReID's own projects call it by a word of their name, and FastFace's __init__.py does not export it."""
    for module in (package, sys.modules.get(f"{package.__name__}.config")):
        named = {name: value for name, value in vars(module).items() if _adds_config(name, value)} if module else {}
        own = named.get(f"add_{package.__name__}_config")
        if own is not None or len(named) == 1:
            return own or next(iter(named.values()))
        if named:
            raise InputError(
                f"The package {package.__name__} has {' and '.join(sorted(named))}: its __init__.py has to name one."
            )
    return None


def _adds_config(name: str, value: Any) -> bool:
    return name.startswith("add_") and name.endswith("_config") and name != "add_vreid_config" and callable(value)
