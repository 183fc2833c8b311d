"""Where a run computes: device, memory format, and one process among several."""

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from fastreid.config import CfgNode
from fastreid.utils import comm
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from vreid_common.config import check_values
from vreid_common.cores import available_cores
from vreid_common.devices import choose_gpu
from vreid_common.processes import started_by_torchrun

__all__ = [
    "average_gradients",
    "describe_device",
    "memory_format",
    "place_on_device",
    "share_cores",
    "to_memory_format",
    "wrap_distributed",
]


def place_on_device(cfg: CfgNode, starts: int = 1) -> str | None:
    """Sets MODEL.DEVICE to where this process can run, in place.

    Args:
        cfg: open for changes.
        starts: how many processes this one starts for the work; 1 where it does the work, by itself or as one of several.

    Returns:
        A sentence for the log where that differs from what the configuration asked for.

    Raises:
        InputError: MODEL.DEVICE is neither cpu nor cuda nor cuda:N, there is no such GPU, or several processes would share it.
    """
    changed = None
    check_values(cfg, "MODEL.DEVICE")
    if cfg.MODEL.DEVICE != "cpu":
        if torch.cuda.is_available():
            starting = starts > 1
            cfg.MODEL.DEVICE = choose_gpu(
                cfg.MODEL.DEVICE,
                "MODEL.DEVICE",
                processes=starts if starting else comm.get_world_size(),
                local_rank=None if starting else comm.get_local_rank(),
            )
            return None
        changed = f"MODEL.DEVICE {cfg.MODEL.DEVICE} is not there: running on the CPU."
        cfg.MODEL.DEVICE = "cpu"
    for part in (cfg.MODEL.BACKBONE, cfg.MODEL.HEADS):
        if part.NORM == "syncBN":
            part.NORM = "BN"
            changed = f"{changed or 'Running on the CPU.'} syncBN needs CUDA: BN is used."
    return changed


def share_cores(processes: int) -> None:
    """Divides the cores between the processes of this machine: with more threads than cores, training is ten times slower.

    Args:
        processes: how many there are; of torchrun's it is known.
    """
    if started_by_torchrun():
        processes = int(os.environ["LOCAL_WORLD_SIZE"])
    if "OMP_NUM_THREADS" not in os.environ or started_by_torchrun():
        torch.set_num_threads(max(1, available_cores() // processes))


def describe_device(device: torch.device) -> str:
    """The device and the number of processes, for the log."""
    processes = comm.get_world_size()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU ({torch.get_num_threads()} threads)"
    return name if processes == 1 else f"{processes} processes, each on {name}"


def memory_format(cfg: CfgNode) -> torch.memory_format:
    """Of images and convolutions, from ``MODEL.CHANNELS_LAST``."""
    choice = cfg.MODEL.CHANNELS_LAST
    check_values(cfg, "MODEL.CHANNELS_LAST")
    on = choice == "on" or (choice == "auto" and cfg.MODEL.DEVICE.startswith("cuda"))
    return torch.channels_last if on else torch.contiguous_format


def to_memory_format(cfg: CfgNode, model: nn.Module) -> nn.Module:
    """``model``, its convolutions laid out as ``memory_format`` says."""
    return model.to(memory_format=memory_format(cfg))


def wrap_distributed(model: nn.Module) -> nn.Module:
    """DistributedDataParallel for CPU and CUDA, where a loss may leave parameters unused (A9)."""
    if comm.get_world_size() == 1:
        return model
    # Which parameters a loss leaves unused follows from the configuration's losses and may change as training goes on
    # (frozen layers), so they are looked for at every step; where all are used, torch's C++ prints once that this was needless.
    on_gpu = next(model.parameters()).is_cuda
    return DistributedDataParallel(
        model,
        device_ids=[comm.get_local_rank()] if on_gpu else None,
        broadcast_buffers=False,  # every process keeps the statistics of its own images; BatchNormSync averages them
        find_unused_parameters=True,
    )


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Gives every process the mean of all processes' gradients, as ``wrap_distributed`` does, where parts are trained in turn.

    Only the gradients that there are travel, in one message, while DistributedDataParallel sends the model's every time. Each
    process has to have gradients of the same parameters.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if comm.get_world_size() == 1 or not gradients:
        return
    joined = torch.cat([gradient.flatten() for gradient in gradients])
    dist.all_reduce(joined)
    joined /= comm.get_world_size()
    for gradient, mean in zip(gradients, joined.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view(gradient.shape))
