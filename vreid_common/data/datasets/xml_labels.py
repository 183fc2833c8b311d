"""Vehicle labels in XML, as VeRi-776, CityFlow and VehicleX write them."""

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from vreid_common.data.datasets.base import DatasetError
from vreid_common.structures import UNKNOWN

__all__ = ["label_number", "read_xml_labels"]

_DECLARATION = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["'][^>]*\?>""")


def read_xml_labels(path: Path) -> dict[str, dict[str, str]]:
    """Attributes of every ``<Item>`` of a label file, by its ``imageName``.

    Python's parser refuses the multi-byte encodings that these files declare (gb2312), so the text is decoded before.

    An image that is listed again with the same labels does no harm.

    Raises:
        DatasetError: the file cannot be read, is not XML, labels no image, or gives an image two sets of labels.
    """
    try:
        root = ElementTree.fromstring(_decoded(path.read_bytes()))
    except OSError as error:
        raise DatasetError(f"Cannot read the labels {path}: {error.strerror}.") from error
    except (ElementTree.ParseError, UnicodeDecodeError, LookupError) as error:
        raise DatasetError(f"Cannot read the labels {path}: {error}.") from error
    labels: dict[str, dict[str, str]] = {}
    for number, item in enumerate(root.iter("Item"), start=1):
        name = item.get("imageName", "").strip()
        if not name or labels.setdefault(name, item.attrib) != item.attrib:
            fault = f"lists {name} a second time, with other labels" if name else "has no imageName"
            raise DatasetError(f"Item {number} of {path} {fault}: correct the file.")
    if not labels:
        raise DatasetError(f"The labels {path} have no <Item>: correct the file, or take it away where nothing is known.")
    return labels


def label_number(label: Mapping[str, str], *keys: str) -> int:
    """The number of the first key that an image's labels have, without its letter: 2 of ``cameraID="c002"``.

    ``UNKNOWN`` where no key is there, or what is there is no number. Several keys are several spellings (``camID``).
    """
    text = next((label[key] for key in keys if key in label), "").strip().lstrip("c")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else UNKNOWN


def _decoded(data: bytes) -> str:
    data = data.removeprefix(b"\xef\xbb\xbf")
    declaration = _DECLARATION.match(data)
    encoding = declaration[1].decode("ascii").lower() if declaration else "utf-8"
    # gb18030 holds all of gb2312, and what is labelled gb2312 often holds more.
    return data.decode("gb18030" if encoding in ("gb2312", "gbk") else encoding)
