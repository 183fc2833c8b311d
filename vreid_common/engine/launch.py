"""Starting the processes of a run: one, several on this machine, several machines, or those that torchrun has started.

CPU processes talk through gloo and CUDA processes through NCCL. The processes of a run end together (docs/processes.md).
"""

import os
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from fastreid.utils import comm

from vreid_common.cores import available_cores
from vreid_common.devices import check_gpus
from vreid_common.engine.children import wait_for_children
from vreid_common.engine.interrupt import forward_interrupts
from vreid_common.engine.machines import Machines
from vreid_common.engine.peers import DEFAULT_TIMEOUTS, Peers, Timeouts
from vreid_common.errors import InputError, RunError
from vreid_common.guard import end
from vreid_common.lifetime import end_with_parent, end_with_torchrun
from vreid_common.processes import started_by_torchrun
from vreid_common.rendezvous import Address, Patience, find_store, parse_address, store_of_environment, tell

__all__ = ["end_together", "launch"]

_NEWS_SECONDS = 5.0
"""How long a process that finds another one gone leaves it to the launcher to say which, and to end it."""

_peers: Peers | None = None


def launch(
    function: Callable[..., Any],
    num_processes: int,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str = "auto",
    args: tuple = (),
    device: str = "cpu",
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> Any:
    """Calls ``function(*args)`` in every process of the run; FastReID's ``launch``, on CPU too and under torchrun (A8).

    Args:
        function: must be importable by name (it is pickled for the child processes).
        num_processes: processes on this machine: GPUs, or CPU processes.
        num_machines: machines that take part, each calling this with its own ``machine_rank``.
        dist_url: ``tcp://host:port`` of the first machine, or ``auto`` on a single one.
        device: ``cuda`` gives each process one GPU and NCCL, anything else gloo.
        timeouts: how long processes wait for each other.

    Returns:
        What ``function`` returned, when this process ran it itself; None when child processes did.

    Raises:
        InputError: fewer than one process or machine, more processes than GPUs or cores, several machines without a common
            address, or one that does not come in time.
        RunError: a child process was killed, or another machine is gone.
        SystemExit: with 130 or 143, after a SIGINT or SIGTERM that the child processes got too; with the status of a child
            process that has said itself what is wrong.
    """
    if started_by_torchrun():
        return _run_under_torchrun(function, args, device, timeouts)
    _check_numbers(num_processes, num_machines, machine_rank, device)
    address = None if dist_url == "auto" else parse_address(dist_url)
    world_size = num_processes * num_machines
    if world_size == 1:
        return function(*args)
    if address is None and num_machines > 1:
        raise InputError("--num-machines needs --dist-url tcp://HOST:PORT of the first machine.")
    machines = Machines(num_machines, machine_rank, num_processes, address, timeouts.start)
    failure: str | None = "its launcher ended."
    try:
        with forward_interrupts() as interrupts:
            context = mp.spawn(
                _child,
                nprocs=num_processes,
                args=(function, args, machine_rank, num_processes, world_size, machines.address, device, timeouts),
                join=False,
            )
            interrupts.forward_to(context.processes)
            wait_for_children(context, interrupts, lambda: machines.lost, machine_rank * num_processes, world_size)
        failure = None
    except RunError as error:
        failure = str(error)
        raise
    except SystemExit as stop:
        # Of an interrupt all processes know already.
        failure = None if interrupts.number is not None else f"it ended with status {stop.code}; its own messages say why."
        raise
    finally:
        machines.leave(failure)
    return None


def end_together(function: Callable[..., Any], *args: Any, go_on: Callable[[], str] = str, **options: Any) -> Any:
    """Calls ``function(*args, **options)``; of several processes, one that fails says why, as ``guard`` does, and ends all.

    The others would otherwise wait for that one for ever. A process by itself raises the error. Processes that find another one
    gone, or not coming, end too, with status 1, and one of them says so.

    Args:
        go_on: gives a sentence on how to go on after a process was lost.
    """
    try:
        return function(*args, **options)
    except Exception as error:
        if comm.get_world_size() == 1:
            raise
        # At once: were the group left in good order first, the other processes would fail, with a traceback, before this one.
        os._exit(_say_why(error, comm.get_local_rank(), go_on))


def _say_why(error: Exception, local_rank: int, go_on: Callable[[], str] = str) -> int:
    """Says why one of several processes ends; returns its status."""
    lost = _peers.explain(error) if _peers is not None else None
    if lost is None:
        return end(error, local_rank)
    if not started_by_torchrun():
        time.sleep(_NEWS_SECONDS)  # in which the launcher ends this process, if it knows which one is gone
    if _peers.speaks():
        end(RunError(f"{lost} {go_on()}".strip()), place=0)
    return 1


def _check_numbers(num_processes: int, num_machines: int, machine_rank: int, device: str) -> None:
    """What can be wrong before any process is started."""
    if num_processes < 1:
        raise InputError(f"--num-gpus is {num_processes}: a run needs at least 1 process (on a CPU too).")
    if num_machines < 1:
        raise InputError(f"--num-machines is {num_machines}: at least 1 machine takes part.")
    if not 0 <= machine_rank < num_machines:
        raise InputError(f"--machine-rank is {machine_rank}: of {num_machines} machines it is 0 to {num_machines - 1}.")
    if device == "cuda":
        check_gpus(num_processes, "--num-gpus")
    elif num_processes > max(2, available_cores()):  # two run on one core too, to try a run of several processes out
        raise InputError(
            f"--num-gpus is {num_processes}, but this machine has {available_cores()} cores for it: without a GPU it counts "
            "processes, each of which needs a core."
        )


def _run_under_torchrun(function: Callable[..., Any], args: tuple, device: str, timeouts: Timeouts) -> Any:
    end_with_torchrun()
    rank, local_rank = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    world_size, local_size = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    if device == "cuda":
        check_gpus(local_size, "--nproc-per-node")
    patience = Patience(timeouts.start, "DISTRIBUTED.START_TIMEOUT", tell if local_rank == 0 else None)
    _join(store_of_environment(rank, patience), rank, world_size, local_rank, local_size, device, timeouts)
    return _leave_after(function, args)


def _child(
    local_rank: int,
    function: Callable[..., Any],
    args: tuple,
    machine_rank: int,
    local_size: int,
    world_size: int,
    address: Address,
    device: str,
    timeouts: Timeouts,
) -> None:
    end_with_parent()
    # A spawned process would spawn its own children too: the loaders' workers, which then start a hundred times slower.
    mp.set_start_method(None, force=True)
    try:
        store = find_store(address, "the launcher", Patience(timeouts.start, "DISTRIBUTED.START_TIMEOUT"))
        _join(store, machine_rank * local_size + local_rank, world_size, local_rank, local_size, device, timeouts)
    except Exception as error:
        os._exit(_say_why(error, local_rank))
    _leave_after(function, args)


def _join(
    store: dist.Store, rank: int, world_size: int, local_rank: int, local_size: int, device: str, timeouts: Timeouts
) -> None:
    global _peers
    if device == "cuda":
        torch.cuda.set_device(local_rank)
    _peers = Peers(store, rank, world_size, timeouts)
    _peers.join("nccl" if device == "cuda" else "gloo", loud=local_rank == 0)
    # FastReID's comm.get_local_rank asks this group; every process has to take part in making every group.
    for first in range(0, world_size, local_size):
        group = dist.new_group(list(range(first, first + local_size)))
        if first <= rank < first + local_size:
            comm._LOCAL_PROCESS_GROUP = group


def _leave_after(function: Callable[..., Any], args: tuple) -> Any:
    global _peers
    try:
        return function(*args)
    finally:
        dist.destroy_process_group()
        comm._LOCAL_PROCESS_GROUP = None
        comm._get_global_gloo_group.cache_clear()
        _peers = None
