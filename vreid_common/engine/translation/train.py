"""The loop that trains a translator: seeded, saved now and then, and resumed as if it had not been interrupted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from vreid_common.engine.interrupt import Interrupted, listen_for_interrupts
from vreid_common.engine.placement import describe_device
from vreid_common.engine.results import drop_metrics_from
from vreid_common.engine.seeding import seed_everything
from vreid_common.engine.translation.progress import LossReport, SampleSheets
from vreid_common.engine.translation.settings import Settings, load_training, save_training
from vreid_common.errors import InputError
from vreid_common.structures import VehicleImage
from vreid_common.synthetic.translation import PairLoader

__all__ = ["CHECKPOINT", "train"]

CHECKPOINT = "translator.pth"
"""The file in the output folder: the last state, from which the training resumes and with which images are translated."""

logger = logging.getLogger(__name__)


def train(
    settings: Settings,
    source: Sequence[VehicleImage],
    target: Sequence[VehicleImage],
    output: Path,
    *,
    iterations: int,
    checkpoint_period: int,
    device: torch.device,
    workers: int,
    resume: bool,
) -> None:
    """Trains up to ``iterations`` and leaves ``translator.pth``, ``metrics.json`` and ``samples/`` in the output folder.

    Args:
        settings: what decides the outcome.
        source, target: the images of the two domains.
        output: a folder that is there.
        iterations: of the whole training.
        checkpoint_period: iterations between two checkpoints and sheets of samples.
        device: where to train.
        workers: processes that read images.
        resume: go on from the output folder's checkpoint, if there is one.

    Raises:
        InputError: a number or the checkpoint cannot be used, an image cannot be read, or a loss is no longer a number.
        Interrupted: after Ctrl-C or SIGTERM, once the state is saved.
    """
    if iterations < 1 or checkpoint_period < 1:
        raise InputError(
            f"There are {iterations} iterations and a checkpoint every {checkpoint_period}: use 1 or more of both."
        )
    size = (settings.height, settings.width)
    loader = PairLoader((source, target), size, settings.batch_size, settings.seed, workers=workers, device=device)
    seed_everything(settings.seed)
    step = settings.build_step(device)
    checkpoint = output / CHECKPOINT
    first = load_training(checkpoint, settings, step) if resume and checkpoint.is_file() else 0
    drop_metrics_from(str(output), first)
    if first >= iterations:
        logger.info("The training in %s is finished: %d iterations.", output, first)
        return
    samples = SampleSheets(output / "samples", source, target, size)
    logger.info("Training from iteration %d to %d on %s.", first + 1, iterations, describe_device(device))
    with listen_for_interrupts() as stop, LossReport(output, first, iterations, settings.batch_size) as report:
        for iteration, (source_images, target_images) in zip(range(first, iterations), loader.batches(first), strict=False):
            seed_everything(settings.seed, iteration)
            losses = step.run(source_images, target_images)
            done = iteration + 1
            report.add(losses, done)
            due = done % checkpoint_period == 0 or done == iterations
            if due or stop.received:
                report.flush(done)  # so that no state is saved that is no longer a number
                save_training(checkpoint, settings, step, done)
            if due:
                samples.write(step.translator, done)
            if stop.received and done < iterations:
                raise Interrupted(
                    f"Stopped after {done} of {iterations} iterations; saved in {output}. The same command with --resume "
                    "goes on from here."
                )
    logger.info("%s, metrics.json and samples are in %s.", CHECKPOINT, output)
