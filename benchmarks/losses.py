"""Time of the DSAM loss, forward and backward, against FastReID's batch-hard triplet loss on the same features.

python benchmarks/losses.py            # a batch of 256 (32 identities x 8 images, the paper's) of 2,048 dimensions
python benchmarks/losses.py --quick    # a batch of 32: shows that it works, not how fast it is
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import vreid_common  # noqa: F401 - before FastReID, which cannot be imported without it

# isort: split
import torch
from fastreid.modeling.losses import triplet_loss
from harness import QUICK, Turns, build_parser, compare, save
from torch import Tensor

from vreid_common.config import get_vreid_cfg
from vreid_common.modeling import DSAMLoss

IMAGES_OF_ONE = 8
Loss = Callable[[Tensor, Tensor], Tensor]


def contestant(turns: Turns, images: int, dimensions: int, device: str, loss: Loss) -> None:
    """Times losses and their gradients; a batch is one unit of work."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(images, dimensions, generator=generator).to(device).requires_grad_()
    targets = (torch.arange(images) // IMAGES_OF_ONE).to(device)
    work = partial(step, loss, features, targets)
    while True:
        turns.take(1, work, work)


def step(loss: Loss, features: Tensor, targets: Tensor) -> Tensor:
    """The gradient of ``loss`` to the features."""
    return torch.autograd.grad(loss(features, targets), features)[0]


def ours(features: Tensor, targets: Tensor, loss: DSAMLoss) -> Tensor:
    return loss({"features": features}, targets)


def fastreid(features: Tensor, targets: Tensor) -> Tensor:
    return triplet_loss(features, targets, margin=0.3, norm_feat=False, hard_mining=True)


def run() -> None:
    args = build_parser(__doc__.splitlines()[0]).parse_args()
    images, dimensions = (32, 64) if args.quick else (256, 2048)
    sides = [
        (name, partial(contestant, images=images, dimensions=dimensions, device=args.device, loss=loss))
        for name, loss in (
            ("DSAMLoss", partial(ours, loss=DSAMLoss(get_vreid_cfg()))),
            ("FastReID 1.4.0's triplet_loss, batch-hard", fastreid),
        )
    ]
    record = compare(
        "DSAM loss, forward and backward",
        *sides,
        unit="batches/s",
        sizes={"batch": images, "D": dimensions, "images an identity": IMAGES_OF_ONE},
        device=args.device,
        **(QUICK if args.quick else {}),
    )
    if not args.quick:
        save(f"losses-{args.device}", [record])


if __name__ == "__main__":
    run()
