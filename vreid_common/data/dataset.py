"""The torch data set: decodes and transforms the images of a list of items."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from vreid_common.data.image import read_image
from vreid_common.data.seeding import local_seed, seed_generators
from vreid_common.structures import UNKNOWN, VehicleImage, image_digest

__all__ = ["ItemDataset"]


class ItemDataset(Dataset):
    """Images of a list of items, as the samples of a batch (docs/architecture.md, "Batch").

    Takes the place of FastReID's ``CommDataset`` and numbers identities as it does, so its checkpoints' classifiers fit.

    Args:
        items: the images.
        transform: RGB image -> (3, H, W) uint8. Where it has a ``decode_size``, as those of ``build_transforms`` have, images
            are decoded for it: they are the pixels of training and evaluation.
        relabel: training: identities and cameras become 0, 1, ... in sorted order; unknown cameras stay -1.

    Attributes:
        class_names: of each class, in order: the data set's name and what the data's owner calls the vehicle.
    """

    def __init__(
        self,
        items: Sequence[VehicleImage],
        transform: Callable[[Image.Image], Tensor],
        *,
        relabel: bool,
    ) -> None:
        self.img_items = list(items)
        self.transform = transform
        self.relabel = relabel
        names = {item.pid: item.class_name for item in self.img_items}
        self.pids = _in_order(item.pid for item in self.img_items)
        self.cams = _in_order(item.camid for item in self.img_items if item.camid != UNKNOWN)
        self.class_names = [names[pid] for pid in self.pids]
        self._pid_labels = {pid: label for label, pid in enumerate(self.pids)}
        self._cam_labels = {UNKNOWN: UNKNOWN} | {cam: label for label, cam in enumerate(self.cams)}

    @property
    def num_classes(self) -> int:
        """Number of identities."""
        return len(self.pids)

    @property
    def num_cameras(self) -> int:
        """Number of known cameras."""
        return len(self.cams)

    def __len__(self) -> int:
        return len(self.img_items)

    def __getitem__(self, key: int | tuple[int, int]) -> dict[str, Any]:
        """One sample. A key ``(index, seed)`` makes it a function of that seed: the transform draws from seeded generators.

        Raises:
            ImageReadError: the image cannot be read.
        """
        if not isinstance(key, tuple):
            return self._sample(key)
        index, seed = key
        if get_worker_info() is not None:  # nobody else draws from a worker's generators
            seed_generators(seed)
            return self._sample(index)
        with local_seed(seed):
            return self._sample(index)

    def _sample(self, index: int) -> dict[str, Any]:
        item = self.img_items[index]
        sample = {
            "images": self.transform(read_image(item.path, getattr(self.transform, "decode_size", None))),
            "targets": self._pid_labels[item.pid] if self.relabel else item.pid,
            "camids": self._cam_labels[item.camid] if self.relabel else item.camid,
            "track_ids": item.track_id,
            "view_ids": item.view_id,
            "timestamps": item.timestamp,
            "domains": item.domain,
            "indices": index,
            "img_paths": item.path,
        }
        # Of test images, the same picture under another name has to be known.
        return sample if self.relabel else {**sample, "image_digests": image_digest(item.path)}


def _in_order(labels: Iterable[int | str]) -> list[int | str]:
    """Distinct labels, sorted; numbers before strings, which Python does not compare with each other."""
    return sorted(set(labels), key=lambda label: (isinstance(label, str), label))
