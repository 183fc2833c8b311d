"""What a file is that was given where files of another kind are wanted, and what to do about it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["not_a_feature_file", "not_a_folder", "not_a_table", "not_an_image", "not_there"]

# Kind → the suffixes of its files.
_SUFFIXES = {
    "a video": (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".h264", ".mjpeg"),
    "an archive": (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"),
    "a document": (".pdf", ".doc", ".docx", ".ppt", ".pptx", ".html"),
    "a CSV file": (".csv", ".tsv"),
    "a spreadsheet": (".xls", ".xlsx", ".ods"),
    "a MATLAB file": (".mat",),
    "a feature file": (".npy", ".npz", ".safetensors"),
    "a checkpoint": (".pth", ".pt", ".ckpt"),
    "a pickle": (".pkl", ".pickle"),
    "an HDF5 file": (".h5", ".hdf5"),
    "an exported model": (".onnx", ".pt2"),
    "a configuration": (".yml", ".yaml"),
    "a list": (".txt", ".lst", ".json", ".xml"),
    "an image": (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".avif"),
}
_KINDS = {suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes}

_FRAMES = "write its frames into a folder first (for example: ffmpeg -i {name} frames/%06d.jpg) and name that folder"
_UNPACK = "unpack it and name the folder with the images"
_TABLE = "save it as a CSV file with the columns path, vehicle_id, camera_id and split, and name it with --csv"
# Kind → what to do with it where images are wanted.
_INSTEAD_OF_IMAGES = {
    "a video": _FRAMES,
    "an archive": _UNPACK,
    "a document": "save its pictures as image files",
    "a CSV file": "name it with --csv",
    "a spreadsheet": _TABLE,
    "a MATLAB file": "save its pictures as image files",
    "a feature file": "vreid evaluate, rerank and gallery build --features read it",
    "a checkpoint": "name it with --weights",
    "an exported model": "name an ONNX file with --onnx",
    "a configuration": "name it with --config-file",
    "a list": _TABLE,
}
_EXTRACT = "write its features first with vreid extract"
_SAVE = "save its arrays with numpy.savez(file, features=..., pids=..., camids=...)"
# Kind → what to do with it where features are wanted.
_INSTEAD_OF_FEATURES = {
    "a video": _EXTRACT,
    "an image": _EXTRACT,
    "an archive": "unpack it",
    "a CSV file": "name labels with --labels; features are numbers in a binary file",
    "a MATLAB file": f"read it with scipy.io.loadmat and {_SAVE}",
    "a checkpoint": f"nothing is unpickled here: {_SAVE}",
    "a pickle": f"nothing is unpickled here: {_SAVE}",
    "an HDF5 file": f"read it with h5py and {_SAVE}",
    "an exported model": _EXTRACT.replace("its features", "features by it"),
    "a configuration": _EXTRACT.replace("its features", "features of its model"),
}
_FORMATS = "Features are read from .safetensors with its .json (vreid extract), .npz and .npy"


def not_there(path: str | os.PathLike[str], what: str = "file") -> str:
    """The sentence for a path that is not there; with a word on backslashes where they separate no folders."""
    text = os.fspath(path)
    if "\\" in text and os.sep == "/":
        slashes = text.replace("\\", "/")
        return f"There is no {what} {text}: the path has backslashes, write {slashes}."
    return f"There is no {what} {text}."


def not_a_folder(path: str | os.PathLike[str]) -> str:
    """The sentence for what is no folder of images but was named as one."""
    if not Path(path).exists():
        return not_there(path, "folder")
    if _kind(path) == "an image":
        return f"{path} is an image, not a folder of images: name the folder that holds it."
    return _not_images(path, "a folder of images")


def not_an_image(path: str | os.PathLike[str]) -> str:
    """The sentence for a file that, by its name, is of another kind than images; "" where the name does not say so."""
    return _not_images(path, "an image") if _kind(path) not in ("an image", "") else ""


def not_a_table(path: str | os.PathLike[str]) -> str:
    """The sentence for what is no CSV file by its name or because it is a folder; "" where that cannot be told."""
    wanted = "write a CSV file with the columns path, vehicle_id, camera_id and split"
    if Path(path).is_dir():
        return f"{path} is a folder, not a CSV file: name its images with --images, or {wanted}."
    kind = _kind(path)
    if kind in ("a CSV file", "a list", ""):
        return ""
    return f"{path} is {kind}, not a CSV file: {'save it as one' if kind == 'a spreadsheet' else wanted}."


def not_a_feature_file(path: str | os.PathLike[str]) -> str:
    """The sentence for a path that is no feature file, there or not, though features are wanted; "" for the start of a name."""
    kind = _kind(path)
    if not Path(path).exists():
        return f"{not_there(path)} {_FORMATS}." if kind or "\\" in str(path) else ""
    if Path(path).is_dir():
        return (
            f"{path} is a folder, not features: {_EXTRACT.replace('its features', 'the features of its images')}. {_FORMATS}."
        )
    advice = _INSTEAD_OF_FEATURES.get(kind)
    return f"{path} is {kind or 'of another kind'}, not features{f': {advice}' if advice else ''}. {_FORMATS}."


def _not_images(path: str | os.PathLike[str], wanted: str) -> str:
    kind = _kind(path)
    advice = _INSTEAD_OF_IMAGES.get(kind, "").format(name=Path(path).name)
    return f"{path} is {kind or 'a file'}, not {wanted}{f': {advice}' if advice else ''}."


def _kind(path: str | os.PathLike[str]) -> str:
    return _KINDS.get(Path(path).suffix.lower(), "")
