import sys

import cv2
import numpy as np
import pytest

from vreid_common.synthetic.contact_sheet import contact_sheet, main


def test_sheet_shows_look_alikes_first_and_every_row_has_images(tiny_veri):
    sheet = contact_sheet(tiny_veri, rows=4)
    assert sheet.shape == (24 + 4 * 99, 84 + 6 * 99, 3)
    for row in range(4):
        band = sheet[24 + 99 * row : 24 + 99 * row + 96, 84:]
        filled = [np.ptp(band[:, 99 * c : 99 * c + 96]) > 30 for c in range(6)]
        assert sum(filled) >= 1
    assert np.array_equal(sheet, contact_sheet(tiny_veri, rows=4))


def test_command(tiny_veri, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["contact_sheet", str(tiny_veri), str(tmp_path / "sheet.png"), "--rows", "3"])
    main()
    written, drawn = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1], contact_sheet(tiny_veri, rows=3)
    assert written.shape == drawn.shape
    assert np.abs(written.astype(int) - drawn).mean() < 6  # 256 colours
    monkeypatch.setattr(sys, "argv", ["contact_sheet", str(tmp_path), str(tmp_path / "other.png")])
    with pytest.raises(SystemExit):
        main()
    assert "render it first" in capsys.readouterr().err
