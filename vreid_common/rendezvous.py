"""How the processes of a run find each other: at a store (torch's TCPStore) that one of them keeps.

Whoever waits says at once whom for and until when, and ends with a sentence when the time is over.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import torch.distributed as dist

from vreid_common.errors import InputError

__all__ = ["Address", "Patience", "find_store", "keep_store", "meet", "parse_address", "store_of_environment", "tell"]

_POLL_SECONDS = 0.2
_CALL_SECONDS = 5.0
"""How long one attempt to reach a store may take."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class Patience:
    """Waits for at most ``seconds``; says whom for when it first has to wait longer than ``quiet`` seconds.

    Args:
        key: the configuration key that sets the time, for messages; "" where none does.
        say: prints a sentence; None waits in silence, as several processes of a machine wait for the same one.
    """

    def __init__(self, seconds: float, key: str = "", say: Callable[[str], None] | None = None, quiet: float = 0.0) -> None:
        self._seconds, self._say, self._quiet = seconds, say, quiet
        self._limit = f"{seconds:g} s" + (f" ({key})" if key else "")
        self._started = time.monotonic()

    @property
    def left(self) -> float:
        return self._started + self._seconds - time.monotonic()

    def wait_for(self, whom: str) -> None:
        """Waits a moment.

        Raises:
            InputError: the time is over.
        """
        if self.left <= 0:
            raise InputError(
                f"Waited {self._limit} for {whom}, in vain: start every process of the run with the same arguments, except for "
                "its own --machine-rank, and check that they reach each other over the network."
            )
        if self._say is not None and self._seconds - self.left >= self._quiet:
            until = time.strftime("%H:%M:%S", time.localtime(time.time() + self.left))
            self._say(f"Waiting for {whom}, until {until}: at most {self._limit}.")
            self._say = None
        time.sleep(_POLL_SECONDS)


def tell(sentence: str) -> None:
    """Prints a sentence where nothing is logged yet."""
    print(sentence, file=sys.stderr, flush=True)


def parse_address(url: str) -> Address:
    """The address in a ``--dist-url``.

    Raises:
        InputError: it is not tcp://HOST:PORT.
    """
    try:
        parts = urlsplit(url)
        if parts.scheme == "tcp" and parts.hostname and parts.port and not (parts.path or parts.query or parts.username):
            return Address(parts.hostname, parts.port)
    except ValueError:  # a port that is no number up to 65535
        pass
    raise InputError(f"--dist-url is {url!r}: use tcp://HOST:PORT, an address of machine 0 and a free port there.")


def keep_store(port: int) -> dist.TCPStore:
    """A new store in this process, on ``port`` of all its network interfaces; on a free one with 0.

    Raises:
        InputError: the port is taken, or may not be used.
    """
    try:
        return dist.TCPStore(
            "127.0.0.1", port, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=_CALL_SECONDS)
        )
    except dist.DistNetworkError as error:
        reason = "another program uses it" if "EADDRINUSE" in str(error) else str(error).splitlines()[0]
        raise InputError(f"Port {port} of --dist-url cannot be used on this machine ({reason}): name another one.") from error


def find_store(address: Address, whom: str, patience: Patience) -> dist.TCPStore:
    """The store that another process keeps, once it answers.

    Raises:
        InputError: it does not within ``patience``.
    """
    while True:
        seconds = min(_CALL_SECONDS, max(patience.left, _POLL_SECONDS))
        try:
            socket.create_connection((address.host, address.port), timeout=seconds).close()
            return dist.TCPStore(
                address.host, address.port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=seconds)
            )
        except dist.DistError:
            reason = "what answers there is not a training run"
        except OSError as error:
            reason = error.strerror or str(error)
        patience.wait_for(f"{whom} at {address} ({reason})")


def meet(store: dist.Store, hall: str, number: int, names: Sequence[str], patience: Patience) -> None:
    """Returns when all of ``len(names)`` have called it with their own ``number``.

    Args:
        hall: another name for each such meeting.
        names: what each is called in messages.

    Raises:
        InputError: not all came within ``patience``, or two came as the same number.
    """
    if store.add(f"{hall}/{number}", 1) > 1:
        raise InputError(f"Two came to the run as {names[number]}: each machine needs its own --machine-rank.")
    missing = [other for other in range(len(names)) if other != number]
    while True:
        missing = [other for other in missing if not store.check([f"{hall}/{other}"])]
        if not missing:
            return
        others = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        patience.wait_for(", ".join(names[other] for other in missing[:3]) + others)


def store_of_environment(rank: int, patience: Patience) -> dist.Store:
    """The store that torchrun's variables name; without torchrun's agent, process 0 keeps it.

    Raises:
        InputError: the port cannot be used, or the one who keeps it does not answer within ``patience``.
    """
    port = os.environ.get("MASTER_PORT", "")
    if not port.isdecimal():
        raise InputError(
            f"RANK and WORLD_SIZE are set as torchrun sets them, but MASTER_PORT is {port!r}: set it, or unset them."
        )
    address = Address(os.environ["MASTER_ADDR"], int(port))
    by_agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if rank == 0 and not by_agent:
        store = keep_store(address.port)
    else:
        store = find_store(address, "torchrun" if by_agent else "process 0", patience)
    # torchrun's store outlives the processes, which it may start again.
    return dist.PrefixStore(f"vreid/{os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
