"""Track files: one track a line, ``0002_c002_t0175 name name ...``, as VeRi-776 and CityFlow write them."""

from pathlib import Path, PurePath

from vreid_common.data.datasets.base import DatasetError

__all__ = ["read_tracks"]


def read_tracks(path: Path) -> dict[str, int]:
    """Track id, the 0-based place of its line, by image name. A name of the track at the start of a line is skipped.

    Raises:
        DatasetError: the file cannot be read, or an image is in two tracks.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"Cannot read the tracks {path}: {error}.") from error
    tracks: dict[str, int] = {}
    for track_id, line in enumerate(line for line in lines if line.strip()):
        for name in line.split():
            if not PurePath(name).suffix:
                continue
            if tracks.setdefault(name, track_id) != track_id:
                raise DatasetError(
                    f"{path}, track {track_id + 1}: {name} is also in track {tracks[name] + 1}; an image has one track."
                )
    return tracks
