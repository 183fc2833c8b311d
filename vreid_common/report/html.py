"""How pages of HTML are made from a package's templates."""

from __future__ import annotations

import re

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

__all__ = ["breakable", "html_environment"]

_JOINT = re.compile(r"(?<=[\w)])([_,(=/+-])(?=[\w(])")


def html_environment(package: str) -> Environment:
    """Templates of ``package``'s folder ``templates``: text is escaped, and a name that nothing gives is an error."""
    return Environment(
        loader=PackageLoader(package), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
    )


def breakable(name: str) -> Markup:
    """A name such as ``k_reciprocal(k1=20,k2=6)``, escaped, whose lines break behind its joints and not inside a word."""
    return Markup("<wbr>").join(escape(part) for part in _JOINT.sub("\\1\0", name).split("\0"))
