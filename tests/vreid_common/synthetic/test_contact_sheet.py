import subprocess
import sys

import cv2
import numpy as np
import pytest

from vreid_common.synthetic.contact_sheet import contact_sheet


def test_sheet_shows_look_alikes_first_and_every_row_has_images(tiny_veri):
    sheet = contact_sheet(tiny_veri, rows=4)
    assert sheet.shape == (24 + 4 * 99, 84 + 6 * 99, 3)
    for row in range(4):
        band = sheet[24 + 99 * row : 24 + 99 * row + 96, 84:]
        filled = [np.ptp(band[:, 99 * c : 99 * c + 96]) > 30 for c in range(6)]
        assert sum(filled) >= 1
    assert np.array_equal(sheet, contact_sheet(tiny_veri, rows=4))


@pytest.mark.parametrize("there", [True, False])
def test_command(tiny_veri, tmp_path, there):
    command = [
        sys.executable,
        "-m",
        "vreid_common.synthetic.contact_sheet",
        tiny_veri if there else tmp_path,
        tmp_path / "s.png",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if there:
        assert done.returncode == 0, done.stderr
        assert np.array_equal(cv2.imread(str(tmp_path / "s.png"))[..., ::-1], contact_sheet(tiny_veri))
    else:
        assert done.returncode == 2
        assert "render it first" in done.stderr
