"""The versions that a result was computed with."""

import importlib.metadata
import platform

__all__ = ["package_versions"]

_PACKAGES = ("torch", "torchvision", "numpy", "fastreid", "vreid")


def package_versions() -> dict[str, str]:
    """Package → version, as far as installed, and Python's."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a checkout that is used without being installed
    return {**versions, "python": platform.python_version()}
