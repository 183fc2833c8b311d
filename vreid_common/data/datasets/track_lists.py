"""Track files: one track a line, as VeRi-776 and CityFlow write them."""

from collections.abc import Callable
from pathlib import Path, PurePath

from vreid_common.data.datasets.base import DatasetError

__all__ = ["read_numbered_tracks", "read_tracks"]


def read_tracks(path: Path) -> dict[str, int]:
    """Tracks of a file of image names, ``0002_c002_t0175 name name ...`` or ``name name ...`` a line.

    Returns:
        Track id, the 0-based place of its line, by image name. A name of the track at the start of a line is skipped.

    Raises:
        DatasetError: the file cannot be read, or an image is in two tracks.
    """
    return _read(path, lambda word: word if PurePath(word).suffix else None)


def read_numbered_tracks(path: Path) -> dict[str, int]:
    """Tracks of a file of image numbers, ``1 2 3`` a line for 000001.jpg and so on (CityFlow's ``*_track_id.txt``).

    Raises:
        DatasetError: the file cannot be read, a word is not a number, or an image is in two tracks.
    """
    return _read(path, lambda word: f"{int(word):06d}.jpg")


def _read(path: Path, image_of: Callable[[str], str | None]) -> dict[str, int]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read the tracks {path}: {error}.") from error
    tracks: dict[str, int] = {}
    for track_id, line in enumerate(line for line in lines if line.strip()):
        for word in line.split():
            try:
                image = image_of(word)
            except ValueError:
                raise DatasetError(f"{path}, track {track_id + 1}: expected numbers of images, got {word[:50]!r}.") from None
            if image is not None and tracks.setdefault(image, track_id) != track_id:
                raise DatasetError(
                    f"{path}, track {track_id + 1}: {image} is also in track {tracks[image] + 1}; an image has one track."
                )
    return tracks
