"""Gathering what every process extracted on the main process: tensors and JSON, nothing is pickled.

FastReID's ``comm`` gives the ranks. Everything travels over gloo (its own group where training uses NCCL), so features never
pile up on one card.
"""

from __future__ import annotations

import json
from typing import Any

import torch
import torch.distributed as dist
from fastreid.utils import comm
from torch import Tensor

from vreid_common.processes import patient_group

__all__ = ["exchange", "gather_rows", "tell_all"]


def exchange(value: Any) -> list[Any]:
    """The JSON value of every process, in rank order, on every process."""
    if comm.get_world_size() == 1:
        return [value]
    group = patient_group()
    message = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
    sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(comm.get_world_size())]
    dist.all_gather(sizes, torch.tensor([len(message)]), group=group)
    padded = torch.zeros(int(max(sizes)), dtype=torch.uint8)
    padded[: len(message)] = message
    received = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(received, padded, group=group)
    return [json.loads(bytes(data[: int(size)].numpy())) for data, size in zip(received, sizes, strict=True)]


def gather_rows(rows: Tensor, counts: list[int]) -> Tensor | None:
    """Joins the CPU ``rows`` (counts[rank], ...) of all processes in rank order; None except on the main process.

    Each process sends its own number of rows, so none is padded, and the main process holds each row once.
    """
    if len(counts) == 1:
        return rows
    group, rank = patient_group(), comm.get_rank()
    if rank != 0:
        if counts[rank]:
            dist.send(rows.contiguous(), dst=0, group=group)
        return None
    joined = rows.new_empty((sum(counts), *rows.shape[1:]))
    joined[: counts[0]] = rows
    start = counts[0]
    for source, count in list(enumerate(counts))[1:]:
        if count:
            dist.recv(joined[start : start + count], src=source, group=group)
        start += count
    return joined


def tell_all(value: Any) -> Any:
    """The main process's JSON ``value``, on every process."""
    return exchange(value if comm.is_main_process() else None)[0]
