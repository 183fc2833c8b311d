"""One of several processes of test_k_reciprocal: re-ranks alone and together with the others, and saves both."""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from vreid_common.processes import Processes
from vreid_common.reranking.k_reciprocal import k_reciprocal, k_reciprocal_rows
from vreid_common.reranking.panels import FeatureUnion
from vreid_common.reranking.reciprocal_on_device import DeviceRows


def features(queries: int, images: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    every = torch.randn(12, 16, generator=generator)[torch.randint(12, (queries + images,), generator=generator)]
    every = every + 0.5 * torch.randn(every.shape, generator=generator)
    every[5:60:2] = every[min(5, len(every) - 1)].clone()  # many images in one place
    return every[:queries].contiguous(), every[queries:].contiguous()


def main(rank: int, size: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=size)
    group = dist.group.WORLD
    outcomes = {}
    for case, sizes, parameters in (
        ("usual", (40, 2300), (20, 6, 0.3)),
        ("not averaged", (7, 120), (12, 1, 0.0)),
        ("fewer images than processes", (1, 1), (20, 6, 0.3)),
    ):
        query, gallery = features(*sizes)
        outcomes[f"alone, rows, {case}"] = k_reciprocal_rows(query, gallery, *parameters).rows(0, len(query))
        outcomes[f"shared, rows, {case}"] = k_reciprocal(query, gallery, *parameters, group=group)
        union = FeatureUnion(query, gallery, center=True)
        outcomes[f"alone, on a device, {case}"] = DeviceRows(union, *parameters).rows(0, len(query))
        outcomes[f"shared, on a device, {case}"] = DeviceRows(union, *parameters, Processes(group)).rows(0, len(query))
    np.savez(folder / f"{rank}.npz", **{name: outcome.numpy() for name, outcome in outcomes.items()})
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
