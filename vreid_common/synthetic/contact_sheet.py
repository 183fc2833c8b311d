"""A contact sheet of rendered vehicles: a row for each identity, columns for the views.

vreid render street
python -m vreid_common.synthetic.contact_sheet street sheet.png
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from vreid_common.files import write_atomically
from vreid_common.structures import VIEWS
from vreid_common.synthetic.record import Record, read_records
from vreid_common.synthetic.writer import LABELS

__all__ = ["contact_sheet"]

_IMAGES_PER_VIEW = 2
_TILE, _GAP, _LABEL = 96, 3, 84
_PAPER, _INK = 250, (60, 60, 60)


def contact_sheet(folder: Path, rows: int = 9, group: int = 1) -> np.ndarray:
    """Draws the sheet from a folder that ``vreid render`` wrote.

    The first rows are one group of look-alikes, the others a vehicle of each other group, all training vehicles. A view has two
    columns, from different cameras where there are two; a tile stays empty where a vehicle is not seen from that side.

    Args:
        folder: with ``vehicles.csv``.
        rows: number of identities.
        group: which group of look-alikes to show.

    Returns:
        (height, width, 3) uint8 sRGB.
    """
    records = read_records(folder / LABELS)
    chosen = _choose(records, rows, group)
    step = _TILE + _GAP
    columns = [view for view in range(len(VIEWS)) for _ in range(_IMAGES_PER_VIEW)]
    sheet = np.full((24 + len(chosen) * step, _LABEL + len(columns) * step, 3), _PAPER, dtype=np.uint8)
    for column, view in enumerate(columns):
        _write(sheet, VIEWS[view], (_LABEL + column * step + 4, 16))
    for row, vehicle in enumerate(chosen):
        own = [r for r in records if r.vehicle_id == vehicle]
        top = 24 + row * step
        for line, text in enumerate((f"id {vehicle}", own[0].type, own[0].color, f"group {own[0].look_alikes}")):
            _write(sheet, text, (4, top + 20 + 16 * line))
        for column, view in enumerate(columns):
            picked = _pick(own, VIEWS[view])
            place = column % _IMAGES_PER_VIEW
            if place < len(picked):
                image = cv2.imread(str(folder / picked[place].path))[..., ::-1]
                left = _LABEL + column * step
                sheet[top : top + _TILE, left : left + _TILE] = cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
    return sheet


def _write(sheet: np.ndarray, text: str, place: tuple[int, int]) -> None:
    cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)


def _choose(records: Sequence[Record], rows: int, group: int) -> list[int]:
    """The training vehicles of one group of look-alikes, then the first of each other group."""
    groups: dict[int, list[int]] = {}
    for record in records:
        members = groups.setdefault(record.look_alikes, []) if record.split == "train" else []
        if record.vehicle_id not in members:
            members.append(record.vehicle_id)
    return [*groups.pop(group, ()), *(members[0] for members in groups.values())][:rows]


def _pick(records: Sequence[Record], view: str) -> list[Record]:
    """Images of one view, each from a camera that has shown the fewest so far."""
    left = [record for record in records if record.view == view]
    picked: list[Record] = []
    while left and len(picked) < _IMAGES_PER_VIEW:
        shown = Counter(record.camera_id for record in picked)
        picked.append(min(left, key=lambda record: shown[record.camera_id]))
        left.remove(picked[-1])
    return picked


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder that `vreid render` wrote")
    parser.add_argument("output", type=Path, help="PNG file")
    parser.add_argument("--rows", type=int, default=9, help="identities (default: %(default)s)")
    parser.add_argument("--group", type=int, default=1, help="look-alikes shown first (default: %(default)s)")
    args = parser.parse_args()
    if not (args.folder / LABELS).is_file():
        parser.error(f"{args.folder} has no {LABELS}: render it first with `vreid render`")
    sheet = contact_sheet(args.folder, args.rows, args.group)
    small = Image.fromarray(sheet).quantize(256)  # a page loads it a third of the size
    write_atomically(args.output, lambda temporary: small.save(temporary, "PNG", optimize=True))


if __name__ == "__main__":
    main()
