"""How far synthetic images are from real ones, by a classifier that tells the two apart.

Shape shorthand: N images, 3 channels, S × S pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vreid_common.data.seeding import local_seed
from vreid_common.errors import InputError
from vreid_common.synthetic.translation.step import as_network_input

__all__ = ["DomainGap", "measure_domain_gap"]

_WIDTH = 16
_BATCH = 32
_LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class DomainGap:
    """What a classifier, trained on half of the real and of the synthetic images, says of the other half.

    Attributes:
        accuracy: mean of the shares of real images called real and of synthetic images called synthetic.
        auc: probability that a synthetic image is called more synthetic than a real one; 0.5 is not told apart.
        translated_accuracy, translated_auc: the same with translations of those synthetic images in their place.
        retrained_accuracy, retrained_auc: by a classifier that was trained on translations instead of synthetic images, and so
            knows what the translator leaves behind.
    """

    accuracy: float
    auc: float
    translated_accuracy: float
    translated_auc: float
    retrained_accuracy: float
    retrained_auc: float


def measure_domain_gap(
    real: Tensor, synthetic: Tensor, translated: Tensor, *, steps: int = 400, seed: int = 0, device: torch.device | str = "cpu"
) -> DomainGap:
    """Trains a small convolutional network on real against synthetic images and applies it to translated ones.

    Half of the images, drawn by the seed, train it and the others are judged; an image and its translation are in one half.

    Args:
        real: (N, 3, S, S) uint8.
        synthetic: (M, 3, S, S) uint8.
        translated: (M, 3, S, S) uint8, image by image the translation of ``synthetic``.
        steps: of the classifier's training, each with 32 images of both kinds.
        seed: of the halves, of the initial weights and of the batches.
        device: where the classifier is trained.

    Raises:
        InputError: fewer than two images of a kind, not as many translations as synthetic images, or images of several sizes.
    """
    if min(len(real), len(synthetic)) < 2 or len(synthetic) != len(translated):
        raise InputError(
            f"There are {len(real)} real, {len(synthetic)} synthetic and {len(translated)} translated images: at least two "
            "of a kind are needed, and a translation of every synthetic one."
        )
    if len({images.shape[1:] for images in (real, synthetic, translated)}) > 1:
        raise InputError("Real, synthetic and translated images differ in size: bring them to one.")
    device = torch.device(device)
    with local_seed(seed):
        real_seen, real_kept = torch.randperm(len(real)).tensor_split(2)
        seen, kept = torch.randperm(len(synthetic)).tensor_split(2)
        classifier = _train(real[real_seen], synthetic[seen], steps, device)
        retrained = _train(real[real_seen], translated[seen], steps, device)
    pairs = ((classifier, synthetic), (classifier, translated), (retrained, translated))
    found = [
        _separation(_scores(network, real[real_kept], device), _scores(network, images[kept], device))
        for network, images in pairs
    ]
    return DomainGap(*(figure for figures in found for figure in figures))


def _train(real: Tensor, synthetic: Tensor, steps: int, device: torch.device) -> nn.Module:
    classifier = _classifier().to(device)
    optimizer = torch.optim.Adam(classifier.parameters(), _LEARNING_RATE)
    labels = torch.cat([torch.zeros(_BATCH), torch.ones(_BATCH)]).to(device)
    for _ in range(steps):
        batch = torch.cat([images[torch.randint(len(images), (_BATCH,))] for images in (real, synthetic)])
        batch = torch.where(torch.rand(2 * _BATCH, 1, 1, 1) < 0.5, batch, batch.flip(3)).to(device)
        loss = binary_cross_entropy_with_logits(classifier(as_network_input(batch)).squeeze(1), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return classifier.eval()


def _classifier() -> nn.Sequential:
    layers: list[nn.Module] = []
    before = 3
    for number in range(3):
        channels = _WIDTH * 2**number
        layers += [nn.Conv2d(before, channels, 3, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU()]
        before = channels
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, 1))


@torch.inference_mode()
def _scores(classifier: nn.Module, images: Tensor, device: torch.device) -> Tensor:
    """How synthetic each image looks, (N,) on the CPU; above 0 it is called synthetic."""
    return torch.cat([classifier(as_network_input(part.to(device))).squeeze(1).cpu() for part in images.split(256)])


def _separation(real: Tensor, other: Tensor) -> tuple[float, float]:
    """Accuracy and AUC."""
    accuracy = ((real <= 0).float().mean() + (other > 0).float().mean()) / 2
    labels = torch.cat([torch.zeros(len(real)), torch.ones(len(other))])
    return accuracy.item(), float(roc_auc_score(labels.numpy(), torch.cat([real, other]).numpy()))
