"""Renders a scene into a folder: by several processes, resumed where it stopped, the same bytes whoever renders what."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, replace
from pathlib import Path

import cv2
from tqdm import tqdm

from vreid_common.cores import available_cores
from vreid_common.errors import InputError
from vreid_common.files import write_atomically
from vreid_common.leavings import sweep
from vreid_common.lifetime import end_with_parent
from vreid_common.lock import locked
from vreid_common.synthetic.layouts import LAYOUTS
from vreid_common.synthetic.picture import render_shot
from vreid_common.synthetic.recipe import check_recipe
from vreid_common.synthetic.record import Record, record_of, write_records
from vreid_common.synthetic.scene import Domain, Scene, Shot, Split
from vreid_common.synthetic.street import street_shots
from vreid_common.synthetic.studio import studio_shots

__all__ = ["LABELS", "RENDERER_VERSION", "shots_of", "write_scene"]

RENDERER_VERSION = 3
"""Raised whenever the same size and seed give other images, so that an old folder is not taken for a new one."""
LABELS = "vehicles.csv"
"""Written last: where it is, the folder is complete."""

_RECIPE = "render.json"
_ONE_PROCESS_IMAGES = 500
"""A scene with no more images is rendered by one process: starting others would take longer."""


def shots_of(scene: Scene, split: Split, vehicle: int) -> list[Shot]:
    """All images of one vehicle, by time."""
    shots = street_shots if scene.domain == Domain.STREET else studio_shots
    return [shot for tracklet in scene.tracklets_of(split, vehicle) for shot in shots(scene, tracklet)]


def write_scene(scene: Scene, folder: Path, layout: str, workers: int | None = None) -> int:
    """Renders what is missing of a scene in a folder, and its label files.

    Several processes may call this at once: one renders, the others wait. Interrupted at any point, the next call goes on. The
    bytes written do not depend on ``workers`` or on interruptions.

    Args:
        scene: what to render.
        folder: made where it is not there.
        layout: a name in ``LAYOUTS``.
        workers: processes that render; None for one a core (one for a small scene).

    Returns:
        Number of images rendered by this call.

    Raises:
        InputError: the folder holds another scene or cannot be written to, or a rendering process died.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file: name a folder to render into.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _write_locked(scene, folder, layout, workers)
    except OSError as error:  # no rights, no space, a path through a file
        raise InputError(f"Cannot write rendered images to {folder}: {error.strerror or error}.") from error


def _write_locked(scene: Scene, folder: Path, layout: str, workers: int | None) -> int:
    with locked(folder):
        recipe = {"renderer": RENDERER_VERSION, "domain": scene.domain.name.lower(), "seed": scene.seed, "layout": layout}
        check_recipe(folder / _RECIPE, recipe | asdict(scene.size), "other rendered images", "vreid render")
        sweep(folder, recursive=True, held=True)
        chosen = LAYOUTS[layout]
        vehicles = [(split, index) for split in chosen.splits for index in range(scene.counts[split])]
        if not vehicles:
            raise InputError(f"The layout {layout!r} holds training images only, and this scene has no training vehicles.")
        images = 5 * scene.size.visits * len(vehicles)  # exact but for the last tracklets
        if workers is None:
            workers = 1 if images <= _ONE_PROCESS_IMAGES else available_cores()
        records: dict[tuple[Split, int], list[Record]] = {}
        rendered = 0
        with tqdm(total=images, desc=f"rendering {folder.name}", unit="image", disable=None, leave=False) as bar:
            for vehicle, (done, count) in _run(scene, folder, layout, vehicles, workers):
                records[vehicle] = done
                rendered += count
                bar.update(len(done))
        rows = [record for vehicle in vehicles for record in records[vehicle]]
        chosen.write_labels(folder, rows)
        write_records(folder / LABELS, rows)
    return rendered


Outcome = tuple[tuple[Split, int], tuple[list[Record], int]]


def _run(scene: Scene, folder: Path, layout: str, vehicles: list[tuple[Split, int]], workers: int) -> Iterator[Outcome]:
    """Renders every vehicle and yields (vehicle, result of :func:`_write_vehicle`) in any order."""
    alone = vehicles if workers <= 1 else vehicles[:1]  # the first compiles the kernels, for the workers too
    threads = cv2.getNumThreads()
    cv2.setNumThreads(0)
    try:
        yield from ((vehicle, _write_vehicle(scene, folder, layout, *vehicle)) for vehicle in alone)
        yield from _run_workers(scene, folder, layout, vehicles[len(alone) :], workers)
    finally:
        cv2.setNumThreads(threads)


def _run_workers(scene: Scene, folder: Path, layout: str, vehicles: list[tuple[Split, int]], workers: int) -> Iterator[Outcome]:
    if not vehicles:
        return
    # Forked, as PyTorch's loaders are: fresh processes would import for seconds, and would run the caller's script again. The
    # workers use nothing that does not survive it: no torch, no OpenMP, OpenCV without threads.
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(min(workers, len(vehicles)), mp_context=context, initializer=_start_worker)
    try:
        futures: dict[Future, tuple[Split, int]] = {
            pool.submit(_write_vehicle, scene, folder, layout, *vehicle): vehicle for vehicle in vehicles
        }
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise InputError(
            f"A process that renders {folder} was killed, perhaps for memory: run it again, with fewer workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    end_with_parent()


def _write_vehicle(scene: Scene, folder: Path, layout: str, split: Split, index: int) -> tuple[list[Record], int]:
    """Renders the images of one vehicle that are not there yet: all its labels, and how many images were rendered."""
    vehicle, records, rendered = scene.vehicle(split, index), [], 0
    for number, shot in enumerate(shots_of(scene, split, index), start=1):
        record = record_of(shot, vehicle, number)
        record = replace(record, path=LAYOUTS[layout].path(record))
        records.append(record)
        path = folder / record.path
        if path.is_file() and path.stat().st_size:
            continue
        image, quality = render_shot(scene, shot)
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        path.parent.mkdir(exist_ok=True)
        write_atomically(path, lambda temporary, data=data: temporary.write_bytes(data))
        rendered += 1
    return records, rendered
