"""The gate before the page's application: requests of other sites, for other files and beyond the limits do not pass.

Any site can have a browser send requests to this machine's own addresses, and gradio's application answers far more than the
page asks for. So only what the page itself asks for passes. docs/browse.md lists what is refused, and test_attacks.py tries it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vreid_common.browse.hosts import Hosts
from vreid_common.browse.refusal import Refusal
from vreid_common.browse.uploads import Uploads

__all__ = ["Gate", "Limits"]

_API = "/gradio_api"
_FILE, _UPLOAD = f"{_API}/file=", f"{_API}/upload"
_READ = re.compile(
    rf"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/robots\.txt|/(assets|static)/.+|{_API}/(info|app_id)/?|{_FILE}.+"
)
"""What the page and gradio's client read."""
_LISTEN = re.compile(rf"{_API}/(queue/data|upload_progress|heartbeat/[\w-]+)")
"""What they listen to as long as they are there."""
_WRITE = re.compile(rf"{_UPLOAD}|{_API}/(queue/join|cancel|reset)/?")

_HEADERS = (
    # Whatever gradio's page may ask for, the browser fetches it from this server or not at all.
    (b"content-security-policy", b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_FILE_HEADERS = ((b"content-security-policy", b"default-src 'none'; sandbox"), *_HEADERS[1:])
"""Of pictures: an SVG that somebody uploaded runs no script."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a request, in bytes and seconds.

    Attributes:
        upload, message: size of an upload, with the form around the picture, and of any other request.
        receive: until a request has arrived.
        answer: until it is answered.
        listen: how long a page may listen.
    """

    upload: int = 32 * 2**20
    message: int = 2**20
    receive: float = 60
    answer: float = 120
    listen: float = 24 * 3600


class Gate:
    """An application that passes the page's own requests on to another.

    Args:
        app: gradio's, mounted at "/".
        hosts: names that the page goes by.
        uploads: the folder of what may be handed out and searched for.
        limits: of each request.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts, uploads: Uploads, limits: Limits) -> None:
        self._app = app
        self._hosts = hosts
        self._uploads = uploads
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})
        answer = _Answer(send, _FILE_HEADERS if scope["path"].startswith(_FILE) else _HEADERS)
        try:
            async with asyncio.timeout(self._check(scope)):
                await self._pass_on(scope, receive, answer)
        except TimeoutError:
            await answer.refuse(Refusal(503, "The request took too long."))
        except Refusal as refusal:
            await answer.refuse(refusal)

    def _check(self, scope: Scope) -> float:
        """How many seconds a request may take.

        Raises:
            Refusal: it is not one of the page's.
        """
        self._hosts.check(scope)
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD", "POST"):
            raise Refusal(405, "The page only reads and posts.")
        listens = method == "GET" and _LISTEN.fullmatch(path)
        known = listens or (_WRITE if method == "POST" else _READ).fullmatch(path)
        if not known or ".." in re.split(r"[/\\]", path):
            raise Refusal(404, "There is no such page.")
        if path.startswith(_FILE) and not self._uploads.holds(path.removeprefix(_FILE)):
            raise Refusal(403, "Only the page's own pictures are handed out.")
        return self._limits.listen if listens else self._limits.answer

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            return await self._app(scope, receive, send)
        if scope["path"] == _UPLOAD:
            with self._uploads.room(self._limits.upload):
                body = await self._read(scope, receive, self._limits.upload)
                return await self._app(_with_length(scope, body), _replayed(body, receive), send)
        self._uploads.tidy()
        body = self._without_foreign_files(await self._read(scope, receive, self._limits.message))
        return await self._app(_with_length(scope, body), _replayed(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive, most: int) -> bytes:
        """The whole body, at most so many bytes."""
        too_large = Refusal(413, f"At most {most:,} bytes are taken.")
        if any(name == b"content-length" and int(value) > most for name, value in scope["headers"]):
            raise too_large  # h11 has checked that it is a number
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.receive):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        raise Refusal(400, "The request broke off.")
                    body += message.get("body", b"")
                    if len(body) > most:
                        raise too_large
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            raise Refusal(408, f"The request did not arrive within {self._limits.receive:g} seconds.") from None

    def _without_foreign_files(self, body: bytes) -> bytes:
        """A JSON message that names no file but uploaded ones, and no address that the server would fetch."""
        try:
            message = json.loads(body or b"{}")
            for named in _files(message):
                if not (isinstance(named["path"], str) and self._uploads.holds(named["path"])):
                    raise Refusal(403, "Only pictures that were uploaded to this page are searched for.")
                named.pop("url", None)
                named["is_stream"] = False
            return json.dumps(message).encode()
        except (ValueError, RecursionError):
            raise Refusal(400, "The request is not JSON.") from None


class _Answer:
    """Sends what the application answers, with further headers; or a refusal, if it has not answered yet."""

    def __init__(self, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._headers = headers
        self._started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            names = {name for name, _ in self._headers}
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message = {**message, "headers": [*kept, *self._headers]}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        if self._started:
            return  # the server closes the connection of an answer that is not whole
        body = f"{refusal}\n".encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),  # what else comes on it is not read
        ]
        await self({"type": "http.response.start", "status": refusal.status, "headers": headers})
        await self({"type": "http.response.body", "body": body})


def _files(message: Any) -> Iterator[dict[str, Any]]:
    """All objects in a message that gradio would take for files."""
    if isinstance(message, dict):
        if "path" in message:
            yield message
        message = list(message.values())
    if isinstance(message, list):
        for part in message:
            yield from _files(part)


def _with_length(scope: Scope, body: bytes) -> Scope:
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Receives a body that was read already, then what comes after it: that the client is gone."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
