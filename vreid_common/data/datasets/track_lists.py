"""Track files: one track a line, as VeRi-776 and CityFlow write them."""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePath

from vreid_common.data.datasets.base import DatasetError

__all__ = ["join_tracks", "read_numbered_tracks", "read_tracks"]


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


def join_tracks(lists: Mapping[Path, dict[str, int]]) -> dict[str, int]:
    """The tracks of several lists of one split, of which each may lack images. Tracks that share an image are one.

    Args:
        lists: file → track id by image name.

    Returns:
        Track id by image name: the ids of the list with most images, and new ones for tracks that share no image with it.

    Raises:
        DatasetError: what is one track in one list is two in another.
    """
    (fullest, joined), *others = sorted(lists.items(), key=lambda item: -len(item[1]))
    joined = dict(joined)
    for path, tracks in others:
        there: dict[int, int] = {}
        back: dict[int, int] = {}
        for image, track in tracks.items():
            same = joined.get(image)
            if same is not None and (there.setdefault(track, same), back.setdefault(same, track)) != (same, track):
                raise DatasetError(
                    f"{image} is in one track with other images by {path} than by {fullest}: correct one of them."
                )
        for track in sorted(set(tracks.values()) - there.keys()):
            there[track] = max(joined.values()) + 1 + track
        joined |= {image: there[track] for image, track in tracks.items()}
    return joined


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
    if not tracks:
        raise DatasetError(f"The tracks {path} name no image: correct the file, or take it away where no track is known.")
    return tracks
