"""Which FastReID there is, and what to do if there is none that can be used."""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

__all__ = ["explained", "find", "installed_version"]

_SUPPORTED = "vreid_common works with FastReID 1.4.0: the wheel, or a checkout of its main branch, which calls itself 1.3"
_OLDEST = (1, 3)
"""What 1.4.0 calls itself in its own ``__version__``; FastReID 1.0 to 1.2 say their own numbers, or 0.1.0."""

logger = logging.getLogger(__name__)


def find() -> None:
    """Sees that there is a FastReID, and that it is not too old.

    Raises:
        ImportError: there is none on Python's path, or an earlier release.
    """
    folder, checkout = _folder(), _checkout()
    if folder is None:
        raise ImportError(_missing(checkout))
    if checkout is not None and checkout.resolve() != folder.parent.resolve():
        logger.warning(
            "FastReID is imported from %s, not from your checkout: set PYTHONPATH=%s to put the checkout first.",
            folder,
            checkout,
        )
    version = _version(folder)
    if _numbers(version) < _OLDEST:
        raise ImportError(f"FastReID in {folder} calls itself {version}, which is too old. {_SUPPORTED}.")


def installed_version() -> str:
    """Of the FastReID that is imported: the wheel's version, or what a checkout calls itself, and that it is one."""
    folder = _folder()
    wheel = _wheel_version(folder)
    return wheel or f"{_version(folder)} (checkout)"


@contextmanager
def explained() -> Iterator[None]:
    """Turns what goes wrong when FastReID is imported and cured into one sentence.

    Raises:
        ImportError: FastReID lacks a package that it needs, or something that 1.4.0 has.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "fastreid", "apex", "torch", "torchvision"):
            raise ImportError(_unlike(error)) from error
        raise ImportError(f"FastReID needs {package}, which is not installed: run `pip install {package}`.") from error
    except (ImportError, AttributeError) as error:
        raise ImportError(_unlike(error)) from error


def _unlike(error: Exception) -> str:
    folder = _folder()
    return f"FastReID in {folder} calls itself {_version(folder)} and cannot be used: {error}. {_SUPPORTED}."


def _folder() -> Path | None:
    """The package that ``import fastreid`` finds."""
    found = sys.modules.get("fastreid") or importlib.util.find_spec("fastreid")
    places = getattr(found, "__path__", None) or getattr(found, "submodule_search_locations", None) or []
    # A folder of this name without the file would be a namespace package, whatever is in it.
    return next((Path(place) for place in places if (Path(place) / "__init__.py").is_file()), None)


def _missing(checkout: Path | None) -> str:
    if checkout is not None:
        path = "." if checkout == Path.cwd() else checkout
        return (
            f"Your checkout of FastReID in {checkout} is not on Python's path when vreid_common is imported: put "
            f"PYTHONPATH={path} before the command. A script's own sys.path.append comes too late."
        )
    return (
        "vreid_common needs FastReID 1.4.0 beside it: run `pip install --no-deps fastreid==1.4.0`; or, to use a checkout of "
        "FastReID, run the command in its root folder with PYTHONPATH=. before it."
    )


def _checkout() -> Path | None:
    """A folder with a FastReID in it that the user is in, or whose script runs: upstream's way of starting one."""
    script = Path(sys.argv[0]).absolute() if sys.argv and sys.argv[0] else Path()
    places = [place for place in (Path.cwd(), *script.parents) if not place.name.endswith("-packages")]
    return next((place for place in places if (place / "fastreid" / "engine" / "__init__.py").is_file()), None)


def _version(folder: Path) -> str:
    """The wheel's version; of a checkout what its ``__version__`` says, read without importing it."""
    wheel, source = _wheel_version(folder), folder / "__init__.py"
    found = re.search(r"__version__\s*=\s*[\"']([^\"']+)", source.read_text(encoding="utf-8", errors="replace"))
    return wheel or (found[1] if found else "nothing")


def _wheel_version(folder: Path) -> str | None:
    """The version of the installed package, if the package in ``folder`` is that one and not a checkout."""
    try:
        wheel = metadata.distribution("fastreid")
    except metadata.PackageNotFoundError:
        return None
    return wheel.version if Path(str(wheel.locate_file("fastreid"))).resolve() == folder.resolve() else None


def _numbers(version: str) -> tuple[int, ...]:
    """The first two numbers; what says no number is looked at when it is imported."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else _OLDEST
