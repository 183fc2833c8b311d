"""Sheets of images."""

import numpy as np
from PIL import Image

from vreid_common.synthetic.translation.sheet import draw_sheet, save_sheet


def test_a_row_for_each_kind(tmp_path):
    red, blue = (np.full((10, 20, 3), colour, dtype=np.uint8) for colour in ((200, 0, 0), (0, 0, 200)))
    sheet = draw_sheet({"one": [red, red, red], "two": [blue]}, tile=30)
    assert sheet.shape == (2 * 33 + 3, 84 + 3 * 33, 3)
    assert np.array_equal(sheet[[18, 18, 51], [99, 165, 99]], [[200, 0, 0], [200, 0, 0], [0, 0, 200]])
    assert (sheet[51, 84 + 33 + 15] == 250).all()  # no image there
    assert (sheet[:, :84] < 200).any()  # the names
    save_sheet(sheet, tmp_path / "new" / "sheet.png")
    assert np.abs(np.asarray(Image.open(tmp_path / "new/sheet.png").convert("RGB")).astype(int) - sheet).mean() < 2
