"""What a user may have meant by a name that there is not."""

import difflib
import unicodedata
from collections.abc import Iterable

__all__ = ["did_you_mean"]


def did_you_mean(name: str, known: Iterable[str], *, count: int = 3, quote: str = "") -> str:
    """``"did you mean A, B or C?"`` of the known names like this one, best first; "" where none is.

    Names are compared without regard to case and to how their characters are encoded: full-width letters, as an input method
    writes them, are letters.

    Args:
        name: what was written.
        known: what could have been written.
        count: names suggested at most.
        quote: put before and after each.
    """
    folded: dict[str, list[str]] = {}
    for other in known:
        folded.setdefault(_fold(other), []).append(other)
    near = [other for match in difflib.get_close_matches(_fold(name), folded, n=count) for other in folded[match]][:count]
    *others, last = [f"{quote}{other}{quote}" for other in near] or [""]
    return f"did you mean {' or '.join(filter(None, [', '.join(others), last]))}?" if near else ""


def _fold(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
