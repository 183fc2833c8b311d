"""The digest that an ONNX file carries of itself: SHA-256 of its bytes, with zeros in the digest's own place.

It tells a damaged or edited file from the one whose parity with the model was measured. It is no signature: who edits a file on
purpose can write another digest.
"""

import hashlib
import re

from vreid_common.errors import InputError

__all__ = ["DIGEST", "check_seal", "seal", "unsealed"]

DIGEST = "vreid.sha256"
"""Its key in the file's metadata_props."""

_ZEROS = b"0" * 64
# An entry of metadata_props as protobuf writes it: the key, then the field's number and the value's length, then the value.
_ENTRY = re.compile(re.escape(DIGEST.encode()) + rb'\x12\x42"([0-9a-f]{64})"')


def unsealed() -> dict[str, str]:
    """The metadata that ``seal`` fills in."""
    return {DIGEST: f'"{_ZEROS.decode()}"'}


def seal(content: bytes) -> bytes:
    """A serialised model with the metadata of ``unsealed`` → the same with its digest."""
    (entry,) = _ENTRY.finditer(content)
    return _with(content, entry, _digest(content, entry).encode())


def check_seal(content: bytes, file: str) -> None:
    """Compares a file's content with the digest in it.

    Raises:
        InputError: it has none, or it is another one.
    """
    entries = list(_ENTRY.finditer(content))
    if len(entries) != 1:
        raise InputError(f"{file} lacks the digest of `vreid export`: export it again.")
    if _digest(content, entries[0]) != entries[0][1].decode():
        raise InputError(f"{file} is damaged, or was changed after `vreid export` wrote it: export it again.")


def _digest(content: bytes, entry: re.Match[bytes]) -> str:
    return hashlib.sha256(_with(content, entry, _ZEROS)).hexdigest()


def _with(content: bytes, entry: re.Match[bytes], digest: bytes) -> bytes:
    return content[: entry.start(1)] + digest + content[entry.end(1) :]
