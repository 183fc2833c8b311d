"""Which GPU a process computes on."""

import re

import torch

from vreid_common.errors import InputError

__all__ = ["check_gpus", "choose_gpu"]


def check_gpus(processes: int, argument: str) -> None:
    """
    Args:
        processes: of this machine.
        argument: by which they were asked for.

    Raises:
        InputError: there are fewer GPUs than processes.
    """
    count = torch.cuda.device_count()
    if processes > count:
        raise InputError(f"{argument} {processes}, but this machine has {count} GPUs: each process needs one of its own.")


def choose_gpu(name: str, key: str, processes: int = 1, local_rank: int | None = None) -> str:
    """This process's GPU, which becomes torch's current one: kernels and libraries that ask for none then use it too.

    Args:
        name: ``cuda`` or ``cuda:N``, on a machine that has CUDA.
        key: by which the user names it.
        processes: of the whole run.
        local_rank: this process's number on its machine; None where it only starts the others.

    Returns:
        ``cuda:N``; ``cuda`` where it was ``cuda`` and there is one process, or where this one only starts the others.

    Raises:
        InputError: there is no such GPU, or several processes would share it.
    """
    number = re.fullmatch(r"cuda:(\d+)", name)
    if number is None:
        if processes == 1 or local_rank is None:
            return name
        torch.cuda.set_device(local_rank)
        return f"cuda:{local_rank}"
    if processes > 1:
        raise InputError(f"{key} is {name}, for {processes} processes: use cuda, which gives each of them a GPU of its own.")
    count = torch.cuda.device_count()
    if int(number[1]) >= count:
        raise InputError(f"{key} is {name}, but this machine's GPUs are cuda:0 to cuda:{count - 1}.")
    torch.cuda.set_device(int(number[1]))
    return name
