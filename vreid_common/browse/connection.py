"""Connections that do not wait for ever: uvicorn bounds neither the time of a request's head nor how many a client opens."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["MOST_CONNECTIONS", "BoundedConnection"]

MOST_CONNECTIONS = 256
"""Of all clients together; further ones get status 503."""


class BoundedConnection(H11Protocol):
    """uvicorn's connection, which is closed where the head of a request takes too long, or where one client has too many."""

    head_seconds = 10.0
    most_of_a_client = 64

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        same = [other for other in self.connections if other.client and self.client and other.client[0] == self.client[0]]
        if len(same) > self.most_of_a_client:
            transport.abort()
            return
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait_for_head()
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._late is not None:
            self._late.cancel()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        """From the first byte on, not anew with every one."""
        if self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self.transport.abort)
