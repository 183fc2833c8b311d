"""Searching a gallery in the browser (extra ``demo``): ``session`` ranks, ``page`` shows. See docs/browse.md."""

from vreid_common.browse.filters import Choices, Filter
from vreid_common.browse.session import Answer, Session, Settings

__all__ = ["Answer", "Choices", "Filter", "Session", "Settings"]
