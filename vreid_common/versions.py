"""The versions that a result was computed with."""

import importlib.metadata
import platform

from vreid_common.compat.installation import installed_version

__all__ = ["package_versions"]

_PACKAGES = ("torch", "torchvision", "numpy", "vreid")


def package_versions() -> dict[str, str]:
    """Package → version, as far as installed, and Python's."""
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # a checkout that is used without being installed
    return {**versions, "fastreid": installed_version(), "python": platform.python_version()}
