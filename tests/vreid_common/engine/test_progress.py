"""The line of progress names the stage whose time is left."""

import logging

import pytest
from fastreid.utils.events import EventStorage

from vreid_common.engine.progress import STAGE, ProgressPrinter


@pytest.mark.parametrize(
    ("stage", "start", "end"),
    [("", "epoch 1/2, iteration", " left"), ("stage 1 of 2", "stage 1 of 2, epoch 1/2, iteration", " left in this stage")],
)
def test_line(stage, start, end, caplog, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    token = STAGE.set(stage)
    try:
        with EventStorage(0) as storage, caplog.at_level(logging.INFO):
            printer = ProgressPrinter(0, 4, 2)
            monkeypatch.setattr("vreid_common.engine.progress.LINE_PERIOD", 0)
            storage.put_scalars(total_loss=1.0, images_per_second=5.0, lr=0.1)
            printer.write()
    finally:
        STAGE.reset(token)
    assert caplog.messages[-1].startswith(start)
    assert caplog.messages[-1].endswith(end)
