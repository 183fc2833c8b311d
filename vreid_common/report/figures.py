"""Writing figures."""

from pathlib import Path

from matplotlib.figure import Figure

from vreid_common.errors import InputError
from vreid_common.files import write_atomically

__all__ = ["save_figure"]

_DPI = 160


def save_figure(figure: Figure, path: str | Path) -> None:
    """Writes ``figure`` in the format that the ending of ``path`` names, under a temporary name first.

    Raises:
        InputError: matplotlib writes no such format, or there is no such folder.
    """
    path = Path(path)
    known = figure.canvas.get_supported_filetypes()
    kind = path.suffix.lower().removeprefix(".")
    if kind not in known:
        raise InputError(f"{path}: end the name of a figure in one of .{', .'.join(sorted(known))}.")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.parent}.")
    write_atomically(path, lambda temporary: figure.savefig(temporary, format=kind, dpi=_DPI, bbox_inches="tight"))
