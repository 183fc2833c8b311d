"""One process of test_gather.py: the gradient that DistributedDataParallel gives a small model from a loss of the whole batch.

Run as: python gather_worker.py RANK WORLD_SIZE FOLDER
"""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vreid_common.config import get_vreid_cfg
from vreid_common.modeling import DSAMLoss

IDENTITIES = torch.tensor([0, 1, 0, 2, 2, 1, 1, 0, 3, 2, 4, 4])


def measure(rank: int = 0, world: int = 1) -> dict[str, torch.Tensor]:
    """The loss and, by the parameters' names, the gradients on this process's share of the batch."""
    images = torch.randn(12, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.manual_seed(1)
    linear = nn.Linear(6, 5).double()
    model = DistributedDataParallel(linear) if world > 1 else linear
    share = slice(12 // world * rank, 12 // world * (rank + 1))
    loss = DSAMLoss(get_vreid_cfg())({"features": model(images[share])}, IDENTITIES[share])
    loss.backward()
    return {"loss": loss.detach(), **{name: parameter.grad for name, parameter in linear.named_parameters()}}


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    torch.save(measure(rank, world), folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
