"""Sharing work on the CPU among plain threads, each with a torch of one thread.

OpenMP's threads spin for a while after every parallel region and so take the cores from whatever follows it. Where products and
compiled loops follow one another, each thread does both for its own part instead, and none waits for another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch

__all__ = ["run_threads"]


def run_threads(work: Callable[[Iterator[int]], None], tasks: int) -> None:
    """Calls ``work`` in as many threads as torch uses; they draw the numbers 0 to ``tasks`` - 1 from one common iterator.

    An exception in a thread, or an interruption, ends the iterator for all of them and is raised when they have stopped.
    """
    threads = torch.get_num_threads()
    lock = threading.Lock()
    numbers = iter(range(tasks))
    stopped = threading.Event()

    def draw() -> Iterator[int]:
        while not stopped.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            yield number

    def run() -> None:
        torch.set_num_threads(1)
        try:
            work(draw())
        except BaseException:
            stopped.set()
            raise

    try:
        with ThreadPoolExecutor(max(1, min(threads, tasks))) as pool:
            futures = [pool.submit(run) for _ in range(min(threads, tasks))]
            try:
                for future in futures:
                    future.result()
            finally:
                stopped.set()
    finally:
        # The setting is each thread's own, but also what threads that start later begin with.
        torch.set_num_threads(threads)
