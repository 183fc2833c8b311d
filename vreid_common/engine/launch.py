"""Starting the processes of a run: one, several on this machine, several machines, or those that torchrun has started.

CPU processes talk through gloo and CUDA processes through NCCL.
"""

import os
import socket
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from fastreid.utils import comm

from vreid_common.engine.interrupt import forward_interrupts
from vreid_common.errors import InputError
from vreid_common.guard import end
from vreid_common.processes import started_by_torchrun

__all__ = ["end_together", "launch"]


_WITH_A_SENTENCE = (1, 2)  # statuses of ``guard``


def launch(
    function: Callable[..., Any],
    num_processes: int,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str = "auto",
    args: tuple = (),
    device: str = "cpu",
) -> Any:
    """Calls ``function(*args)`` in every process of the run; FastReID's ``launch``, on CPU too and under torchrun (A8).

    Args:
        function: must be importable by name (it is pickled for the child processes).
        num_processes: processes on this machine: GPUs, or CPU processes.
        num_machines: machines that take part, each calling this with its own ``machine_rank``.
        dist_url: ``tcp://host:port`` of the first machine, or ``auto`` on a single one.
        device: ``cuda`` gives each process one GPU and NCCL, anything else gloo.

    Returns:
        What ``function`` returned, when this process ran it itself; None when child processes did.

    Raises:
        InputError: fewer than one process or machine, more processes than GPUs, or several machines without a common address.
        SystemExit: with 130 or 143, after a SIGINT or SIGTERM that the child processes got too.
    """
    if started_by_torchrun():
        rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
        world_size, local_size = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
        _join("env://", rank, world_size, local_rank, local_size, device)
        return _leave_after(function, args)
    if num_processes < 1:
        raise InputError(f"--num-gpus is {num_processes}: a run needs at least 1 process (on a CPU too).")
    if num_machines < 1:
        raise InputError(f"--num-machines is {num_machines}: at least 1 machine takes part.")
    if not 0 <= machine_rank < num_machines:
        raise InputError(f"--machine-rank is {machine_rank}: of {num_machines} machines it is 0 to {num_machines - 1}.")
    world_size = num_processes * num_machines
    if world_size == 1:
        return function(*args)
    if device == "cuda" and num_processes > torch.cuda.device_count():
        raise InputError(f"--num-gpus {num_processes}, but this machine has {torch.cuda.device_count()} GPUs.")
    if dist_url == "auto":
        if num_machines > 1:
            raise InputError("--num-machines needs --dist-url tcp://HOST:PORT of the first machine.")
        dist_url = f"tcp://127.0.0.1:{_free_port()}"
    with forward_interrupts() as interrupts:
        context = mp.spawn(
            _child,
            nprocs=num_processes,
            args=(function, args, machine_rank, num_processes, world_size, dist_url, device),
            join=False,
        )
        interrupts.forward_to(context.processes)
        try:
            while not context.join():
                pass
        except (mp.ProcessRaisedException, mp.ProcessExitedException) as error:
            # A process that ended with a sentence makes the others fail in the middle of talking to it.
            said = [process.exitcode for process in context.processes if process.exitcode in _WITH_A_SENTENCE]
            if said:
                raise SystemExit(max(said)) from None
            if interrupts.number is None:
                raise
            if isinstance(error, mp.ProcessRaisedException):
                print(f"error while stopping: {str(error).strip().splitlines()[-1]}", file=sys.stderr)
    if interrupts.number is not None:
        raise SystemExit(128 + interrupts.number)
    return None


def end_together(function: Callable[..., Any], *args: Any) -> Any:
    """Calls ``function(*args)``; of several processes, one that fails says why, as ``guard`` does, and ends all.

    The others would otherwise wait for that one for ever. A process by itself raises the error.
    """
    try:
        return function(*args)
    except Exception as error:
        if comm.get_world_size() == 1:
            raise
        status = end(error, comm.get_local_rank())
        # At once: were the group left in good order first, the other processes would fail, with a traceback, before this one.
        os._exit(status)


def _child(
    local_rank: int,
    function: Callable[..., Any],
    args: tuple,
    machine_rank: int,
    local_size: int,
    world_size: int,
    dist_url: str,
    device: str,
) -> None:
    # A spawned process would spawn its own children too: the loaders' workers, which then start a hundred times slower.
    mp.set_start_method(None, force=True)
    _join(dist_url, machine_rank * local_size + local_rank, world_size, local_rank, local_size, device)
    _leave_after(function, args)


def _join(url: str, rank: int, world_size: int, local_rank: int, local_size: int, device: str) -> None:
    if device == "cuda":
        torch.cuda.set_device(local_rank)
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, init_method=url, rank=rank, world_size=world_size)
    # FastReID's comm.get_local_rank asks this group; every process has to take part in making every group.
    for first in range(0, world_size, local_size):
        group = dist.new_group(list(range(first, first + local_size)))
        if first <= rank < first + local_size:
            comm._LOCAL_PROCESS_GROUP = group


def _leave_after(function: Callable[..., Any], args: tuple) -> Any:
    try:
        return function(*args)
    finally:
        dist.destroy_process_group()
        comm._LOCAL_PROCESS_GROUP = None
        comm._get_global_gloo_group.cache_clear()


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]
