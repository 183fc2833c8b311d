"""What is seen of a translator's training: a bar or lines, metrics.json, and sheets of samples."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import torch
import torchvision.transforms as T
from torch import Tensor
from tqdm import tqdm

from vreid_common.data import read_image
from vreid_common.engine.progress import LINE_PERIOD
from vreid_common.engine.step import REPORT_PERIOD
from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage
from vreid_common.synthetic.translation.apply import as_pixels
from vreid_common.synthetic.translation.networks import Translator
from vreid_common.synthetic.translation.pairs import resize_to
from vreid_common.synthetic.translation.sheet import draw_sheet, save_sheet
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["LossReport", "SampleSheets"]

logger = logging.getLogger(__name__)


class LossReport:
    """Collects losses on the device, and shows and writes their means now and then, as each reading waits for the device.

    Args:
        output: folder whose metrics.json gets a JSON object a line.
        first: iteration that the run starts at.
        total: iterations of the whole run.
        batch_size: images of each domain in a batch.
    """

    def __init__(self, output: Path, first: int, total: int, batch_size: int) -> None:
        self._file = (output / "metrics.json").open("a", encoding="utf-8")
        self._first, self._total, self._batch_size = first, total, batch_size
        self._bar = tqdm(total=total, initial=first, unit="it", dynamic_ncols=True, disable=None)
        self._names: list[str] = []
        self._losses: list[Tensor] = []
        self._started = self._reported = self._said = time.monotonic()

    def __enter__(self) -> LossReport:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.close()
        self._file.close()

    def add(self, losses: dict[str, Tensor], done: int) -> None:
        """Takes the losses of one iteration, after which ``done`` are done.

        Raises:
            InputError: a loss has become infinite or NaN, noticed when the losses are read.
        """
        self._names = list(losses)
        self._losses.append(torch.stack([value.float() for value in losses.values()]))
        if len(self._losses) >= REPORT_PERIOD:
            self.flush(done)

    def flush(self, done: int) -> None:
        """Reports what was added since the last time; raises as ``add`` does. Called before a state is saved."""
        if not self._losses:
            return
        means = dict(zip(self._names, torch.stack(self._losses).mean(0).tolist(), strict=True))
        for name, value in means.items():
            if not math.isfinite(value):
                raise InputError(
                    f"The loss {name} became {value} before iteration {done}: lower --learning-rate, or leave out --amp; "
                    "--resume goes on from the last checkpoint."
                )
        now = time.monotonic()
        rate = len(self._losses) * 2 * self._batch_size / (now - self._reported)
        self._file.write(json.dumps({"iteration": done - 1, **means, "images_per_second": rate}) + "\n")
        self._file.flush()
        self._losses, self._reported = [], now
        shown = ", ".join(f"{name} {value:.3g}" for name, value in means.items())
        if not self._bar.disable:
            self._bar.set_postfix_str(shown, refresh=False)
            self._bar.update(done - self._bar.n)
        elif now - self._said >= LINE_PERIOD or done == self._total:
            self._said = now
            left = (now - self._started) / max(done - self._first, 1) * (self._total - done)
            logger.info(
                "Iteration %d/%d: %s, %.0f img/s, %s left",
                done, self._total, shown, rate, tqdm.format_interval(left),
            )  # fmt: skip


class SampleSheets:
    """Sheets of some images of the source, their translations, and some of the target.

    Args:
        folder: made where it is not there.
        source, target: the images to choose from, evenly.
        size: height and width as the network sees them.
        count: images a row.
    """

    def __init__(
        self,
        folder: Path,
        source: Sequence[VehicleImage],
        target: Sequence[VehicleImage],
        size: tuple[int, int],
        count: int = 8,
    ) -> None:
        self._folder = folder
        self._source, self._target = (_read(items, size, count) for items in (source, target))

    @torch.inference_mode()
    def write(self, translator: Translator, iteration: int) -> None:
        """Writes the sheet of an iteration."""
        device = next(translator.parameters()).device
        translated = as_pixels(translator(as_network_input(self._source.to(device)))).cpu()
        rows = {"source": self._source, "translated": translated, "target": self._target}
        sheet = draw_sheet({name: [*images.permute(0, 2, 3, 1).numpy()] for name, images in rows.items()})
        save_sheet(sheet, self._folder / f"{iteration:07d}.png")


def _read(items: Sequence[VehicleImage], size: tuple[int, int], count: int) -> Tensor:
    transform = T.Compose(resize_to(*size))
    places = torch.linspace(0, len(items) - 1, min(count, len(items))).round().long().tolist()
    return torch.stack([transform(read_image(items[place].path)) for place in places])
