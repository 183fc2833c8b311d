"""How pages of HTML are made from a package's templates."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["html_environment"]


def html_environment(package: str) -> Environment:
    """Templates of ``package``'s folder ``templates``: text is escaped, and a name that nothing gives is an error."""
    return Environment(
        loader=PackageLoader(package), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )
