"""What docs/browse.md says that the page refuses, tried on a server on the loopback; between attacks the page works as ever."""

import json
import os
import re
import socket
import threading
import time
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("gradio", reason="the extra demo is not installed")

import httpx

from vreid_common.browse import Session
from vreid_common.browse.connection import BoundedConnection
from vreid_common.browse.gate import Limits
from vreid_common.browse.hosts import Hosts
from vreid_common.browse.page import build_page
from vreid_common.browse.refusal import Refusal
from vreid_common.browse.server import listening, page_server
from vreid_common.browse.uploads import Uploads
from vreid_common.data import read_image
from vreid_common.reranking import build_pipeline
from vreid_common.structures import FeatureSet

LIMITS = Limits(upload=300_000, message=20_000, receive=1.0, answer=30.0, listen=60.0)


class Connection(BoundedConnection):
    head_seconds = 1.0
    most_of_a_client = 12


class Page:
    """A page that is served, and requests to it as anybody can make them."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        self.functions = {one["api_name"]: one["id"] for one in self.client.get("/config").json()["dependencies"]}
        self.uploads = Path(self.shelf()[0]["image"]["path"]).parents[1]

    def ask(self, name: str, data: list, **headers: str) -> dict:
        """What a function answers: gradio's message that it is done."""
        asked = self.join(name, data, **headers)
        assert asked.status_code == 200, asked.text
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "s"}) as lines:
            for line in lines.iter_lines():
                if line.startswith("data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                    return message
        raise AssertionError("no answer")

    def join(self, name: str, data: list, **headers: str) -> httpx.Response:
        body = {"data": data, "fn_index": self.functions[name], "session_hash": "s"}
        return self.client.post("/gradio_api/queue/join", json=body, headers=headers)

    def search(self, picture: object = None, row: int = 0, top: int = 5) -> httpx.Response | str:
        """What is found, as HTML; or the response where the search is refused."""
        data = [row, picture, "plain", [], [], 110, 490, False, top]
        asked = self.join("search", data)
        if asked.status_code != 200:
            return asked
        message = self.ask("search", data)
        return message["output"]["data"][0] if message["success"] else str(message["output"]["error"])

    def shelf(self) -> list[dict]:
        return self.ask("shelf", ["", 1])["output"]["data"][0]["value"]

    def upload(self, content: bytes, name: str = "mine.png", **headers: str) -> httpx.Response:
        return self.client.post("/gradio_api/upload", files={"files": (name, content)}, headers=headers)

    def raw(self, text: str, seconds: float = 10.0) -> str:
        """The answer to bytes as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(text.encode("latin-1"))
            with connection.makefile("rb") as answer:
                return answer.readline().decode("latin-1")


def file(path: object, **more: object) -> dict:
    return {"path": str(path), "meta": {"_type": "gradio.FileData"}, **more}


def png(side: int = 8) -> bytes:
    buffer = BytesIO()
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def ended(connection: socket.socket, head: bytes, more: bytes) -> bool:
    """Whether the server ends a connection on which a request's head comes byte by byte."""
    try:
        connection.sendall(head)
        for _ in range(100):
            connection.settimeout(0.1)
            try:
                if connection.recv(4096) == b"":
                    return True
            except TimeoutError:
                connection.sendall(more)
    except (ConnectionError, BrokenPipeError):
        return True
    return False


@pytest.fixture(scope="module")
def page(lasting_sets) -> Page:
    query, gallery = lasting_sets
    folder = Path(gallery.paths[0]).parent

    def embed(path: str) -> FeatureSet:
        colour = np.asarray(read_image(path)).mean((0, 1)) / 255
        return FeatureSet.create(torch.tensor([[*colour, 0, 0, 0.1, 0, 0]]), [-1], paths=[path])

    session = Session(gallery, {"plain": build_pipeline([])}, query, embed=embed)
    served = page_server(lambda: build_page(session, "Cars"), "127.0.0.1", LIMITS, Connection)
    with listening("127.0.0.1", 0) as bound, served as server:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            yield Page(bound.getsockname()[1], folder)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(autouse=True)
def _it_still_works(page):
    """After each attack a picture is uploaded, searched for and found."""
    yield
    (path,) = page.upload(png()).json()
    found = page.search(file(path, url=f"http://127.0.0.1:{page.port}/gradio_api/file={path}"))
    assert len(re.findall(r"data-image=", found)) == 5
    assert len(page.shelf()) == 6


@contextmanager
def other_server():
    """A server that counts who connects to it: (its port, the connections)."""
    came = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        stop = threading.Event()

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, address = server.accept()
                except TimeoutError:
                    continue
                came.append(address)
                connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], came
        stop.set()
        thread.join()


class TestForeignFiles:
    def paths(self, page: Page) -> list[str]:
        secret = page.folder / "secret.png"
        secret.write_bytes(png())
        link = page.uploads / "link.png"
        if not link.is_symlink():
            link.symlink_to(secret)
        fifo = page.folder / "fifo.png"
        if not fifo.exists():
            os.mkfifo(fifo)
        return [
            str(secret), str(link), "/dev/zero", "/dev/stdin", str(fifo), "/etc/passwd", "secret.png", "", "\0",
            f"{page.uploads}/../{page.folder.name}/secret.png", f"{page.uploads}", f"{page.uploads}/none.png",
            str(os.path.relpath(secret)), f"file://{secret}", f"{page.uploads}x/secret.png", "/proc/self/environ",
        ]  # fmt: skip

    def test_searching_for_them(self, page):
        for path in self.paths(page):
            for picture in (file(path), file(path, is_stream=True), [file(path)], {"files": [[file(path)]]}, {"path": path}):
                refused = page.search(picture)
                assert refused.status_code == 403, path
                assert refused.text == "Only pictures that were uploaded to this page are searched for.\n"
        for path in (7, None, ["/etc/passwd"], {"path": "/etc/passwd"}):
            assert page.search({"path": path}).status_code == 403

    def test_gradios_own_check_is_on_too(self, page, monkeypatch):
        """Behind the gate, for what it may once miss."""
        secret = self.paths(page)[0]
        monkeypatch.setattr(Uploads, "holds", lambda self, path: True)
        said = page.search(file(secret))
        assert "data-image" not in said
        assert "data:image" not in said

    def test_reading_them(self, page):
        for path in filter(None, self.paths(page)):
            for address in (
                f"/gradio_api/file={quote(path)}",
                f"/gradio_api/file={path}".replace("\0", "%00"),
                f"/file={quote(path)}",
            ):
                answer = page.raw(f"GET {address} HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert answer.split()[1] in ("403", "404"), address

    @pytest.mark.parametrize(
        "path",
        [
            "/static/../../config",
            "/static/..%2f..%2fetc/passwd",
            "/assets/%2e%2e/%2e%2e/x",
            "/assets/..%5c..%5cx",
            "/static//etc/passwd",
        ],
    )
    def test_climbing_out_of_the_applications_folders(self, page, path):
        answer = page.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.split()[1] in ("403", "404")


class TestAddresses:
    def test_of_other_servers_are_not_fetched(self, page):
        with other_server() as (port, came):
            for scheme in ("http", "https"):
                address = f"{scheme}://127.0.0.1:{port}/x.png"
                assert page.search(file(address)).status_code == 403
                for prefix in ("/gradio_api/file=", "/gradio_api/proxy=", "/file=", "/proxy="):
                    assert page.client.get(prefix + address).status_code in (403, 404)
            (path,) = page.upload(png()).json()
            assert "data-image" in page.search(file(path, url=f"http://127.0.0.1:{port}/x.png"))
        assert came == []


class TestOtherSites:
    @pytest.mark.parametrize(
        "host",
        ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil.example", "10.1.2.3:{port}", "",
         "[::2]", "user@evil.example", "evil.example@", "[", "localhost, evil.example"],
    )  # fmt: skip
    def test_a_name_that_points_here(self, page, host):
        """DNS rebinding."""
        for request in ("GET / HTTP/1.1", "GET /config HTTP/1.1", "POST /gradio_api/upload HTTP/1.1\r\nContent-Length: 0"):
            text = f"{request}\r\nHost: {host.format(port=page.port)}\r\n\r\n"
            assert page.raw(text).split()[1] in ("400", "403"), text

    def test_no_name_or_two(self, page):
        for heads in ("HTTP/1.0", "HTTP/1.1", "HTTP/1.1\r\nHost: localhost\r\nHost: evil.example"):
            assert page.raw(f"GET / {heads}\r\n\r\n").split()[1] in ("400", "403")

    def test_its_own_names(self, page):
        for host in ("localhost", f"LocalHost:{page.port}", f"127.0.0.1:{page.port}", "127.0.0.1", "[::1]:80", "localhost."):
            assert page.raw(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").split()[1] == "200"

    @pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1", "http://127.0.0.1", "file://", ""])
    def test_requests_that_another_site_has_a_browser_make(self, page, origin):
        before = len(list(page.uploads.rglob("*")))
        assert page.upload(png(16), origin=origin).status_code == 403
        assert page.join("search", [], origin=origin).status_code == 403
        assert page.client.get("/config", headers={"origin": origin}).status_code == 403
        assert len(list(page.uploads.rglob("*"))) == before

    def test_what_a_browser_says_of_their_origin(self, page):
        picture = page.shelf()[0]["image"]["path"]
        for site in ("cross-site", "same-site"):  # another port of this machine is the same site, and another origin
            heads = {"sec-fetch-site": site, "sec-fetch-mode": "no-cors"}
            assert page.client.get(f"/gradio_api/file={picture}", headers=heads).status_code == 403
            assert page.client.post("/gradio_api/queue/join", headers=heads).status_code == 403
            link = {"sec-fetch-site": site, "sec-fetch-mode": "navigate"}
            assert page.client.get("/", headers=link).status_code == 200
            assert page.client.get("/config", headers=link).status_code == 403
        own = {"sec-fetch-site": "same-origin", "origin": f"http://127.0.0.1:{page.port}"}
        assert page.client.get(f"/gradio_api/file={picture}", headers=own).status_code == 200

    @pytest.mark.parametrize(
        ("served", "reached", "host", "own"),
        [
            ("0.0.0.0", "192.168.1.5", "192.168.1.5:7860", True),
            ("::", "::ffff:192.168.1.5", "192.168.1.5:7860", True),
            ("::", "fe80::1", "[fe80::1]:7860", True),
            ("0.0.0.0", "192.168.1.5", socket.gethostname(), True),
            ("0.0.0.0", "192.168.1.5", "192.168.1.6", False),
            ("0.0.0.0", "192.168.1.5", "evil.example", False),
            ("gpu-box", "192.168.1.5", "GPU-Box:7860", True),
            ("127.0.0.1", "127.0.0.1", socket.gethostname() + ".evil.example", False),
        ],
    )
    def test_served_to_other_machines(self, served, reached, host, own):
        scope = {"headers": [(b"host", host.encode())], "server": (reached, 7860), "path": "/", "method": "GET"}
        with nullcontext() if own else pytest.raises(Refusal, match="does not go by that name"):
            Hosts(served).check(scope)

    def test_frames(self, page):
        heads = page.client.get("/").headers
        assert "frame-ancestors 'none'" in heads["content-security-policy"]
        assert heads["x-content-type-options"] == "nosniff"
        assert heads["cross-origin-resource-policy"] == "same-origin"


class TestTheRestOfGradio:
    def test_none_of_its_other_routes_answers(self, page):
        """Of the gradio that is installed, whichever these are."""
        import gradio as gr
        from gradio.routes import App

        def routes(router) -> list[tuple[str, str]]:
            found = []
            for route in router.routes:
                inner = getattr(route, "original_router", None)
                found += routes(inner) if inner else [(method, route.path) for method in getattr(route, "methods", None) or ()]
            return found

        through, known = set(), routes(App.create_app(gr.Blocks()))
        sentences = ("There is no such page.", "The page only reads and posts.", "Only the page's own pictures are handed out.")
        for method, path in known:
            request = page.client.build_request(method, re.sub(r"\{[^}]*\}", "x", path), content=b"{}")
            answer = page.client.send(request, stream=True)  # some never end
            refused = answer.status_code in (403, 404, 405) and (
                method == "HEAD" or answer.read().decode().strip() in sentences
            )
            answer.close()
            if not refused:
                through.add(f"{method} {path}")
        assert len(known) > 60
        assert through <= {
            "GET /", "HEAD /", "GET /config", "GET /theme.css", "GET /favicon.ico", "GET /manifest.json", "GET /robots.txt",
            "GET /assets/{path:path}", "GET /static/{path:path}", "GET /gradio_api/info", "GET /gradio_api/info/",
            "GET /gradio_api/app_id", "GET /gradio_api/app_id/", "GET /gradio_api/queue/data",
            "GET /gradio_api/upload_progress", "GET /gradio_api/heartbeat/{session_hash}", "POST /gradio_api/upload",
            "POST /gradio_api/queue/join", "POST /gradio_api/cancel", "POST /gradio_api/reset", "POST /gradio_api/reset/",
        }  # fmt: skip

    @pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
    def test_other_methods(self, page, method):
        assert page.raw(f"{method} / HTTP/1.1\r\nHost: localhost\r\n\r\n").split()[1] in ("400", "404", "405")

    def test_web_sockets(self, page):
        heads = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
        assert page.raw(f"GET /gradio_api/queue/join HTTP/1.1\r\n{heads}\r\n\r\n").split()[1] in ("400", "403", "404")


class TestSizes:
    def test_of_an_upload(self, page):
        before = sum(path.stat().st_size for path in page.uploads.rglob("*"))
        assert page.upload(bytes(LIMITS.upload + 1)).status_code == 413

        with socket.create_connection(("127.0.0.1", page.port), timeout=10) as connection:  # one that does not say its size
            head = "POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            for _ in range(LIMITS.upload // 60_000 + 1):
                connection.sendall(b"ea60\r\n" + bytes(60_000) + b"\r\n")
            assert connection.recv(12) == b"HTTP/1.1 413"
        assert sum(path.stat().st_size for path in page.uploads.rglob("*")) <= before

    def test_of_a_message(self, page):
        for body in (b'"' + bytes(LIMITS.message) + b'"', b"[" * (LIMITS.message - 1), b"{", b"\xff", b'{"a": NaN'):
            answer = page.client.post("/gradio_api/queue/join", content=body)
            assert answer.status_code in (400, 413), body[:9]
        long = f"POST /gradio_api/queue/join HTTP/1.1\r\nHost: localhost\r\nContent-Length: {'9' * 20}\r\n\r\n"
        assert page.raw(long).split()[1] in ("400", "413")
        with suppress(ConnectionError):  # it may not even read it to its end
            assert page.raw(f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'x' * 10**6}").split()[1] == "400"

    def test_of_a_picture(self, page):
        """A file of a few kilobytes that is 400 megapixels."""
        buffer = BytesIO()
        Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
        (path,) = page.upload(buffer.getvalue(), "bomb.png").json()
        assert "decompression bomb" in page.search(file(path))

    def test_of_an_answer(self, page):
        assert "data-image" not in page.search(top=10**9)
        assert "data-image" not in page.search(top=-1)
        assert "There is no query" in page.search(row=10**9)

    def test_of_all_uploads_together(self, tmp_path):
        uploads = Uploads(str(tmp_path), most_bytes=1000, most_files=5)
        for number in range(12):
            with uploads.room(300):
                (tmp_path / str(number)).mkdir()
                (tmp_path / str(number) / "x.png").write_bytes(bytes(300))
                os.utime(tmp_path / str(number) / "x.png", (number, number))
            assert sum(path.stat().st_size for path in tmp_path.rglob("*.png")) <= 1000
        assert sorted(path.name for path in tmp_path.iterdir()) == ["10", "11", "9"]  # the latest
        for number in range(9):
            (tmp_path / f"empty{number}").touch()
        with uploads.room(0):
            assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4


class TestTimes:
    def test_a_head_that_trickles(self, page):
        with socket.create_connection(("127.0.0.1", page.port), timeout=10) as connection:
            started = time.monotonic()
            assert ended(connection, b"GET / HTTP/1.1\r\nX: ", b"x")
            assert time.monotonic() - started < 8
        with socket.create_connection(("127.0.0.1", page.port), timeout=10) as connection:
            connection.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.recv(9).startswith(b"HTTP")
            assert ended(connection, b"GET / HTTP/1.1\r\nX: ", b"x")  # the second request on it as well
        with socket.create_connection(("127.0.0.1", page.port), timeout=10) as connection:
            assert ended(connection, b"", b"")

    def test_a_body_that_trickles(self, page):
        for path in ("/gradio_api/upload", "/gradio_api/queue/join"):
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n"
            with socket.create_connection(("127.0.0.1", page.port), timeout=10) as connection:
                connection.sendall(head.encode())
                assert connection.recv(12) == b"HTTP/1.1 408"


class TestFloods:
    def test_connections_of_one_client(self, page):
        held = [socket.create_connection(("127.0.0.1", page.port), timeout=10) for _ in range(Connection.most_of_a_client + 8)]
        answers = []
        for connection in held:
            with connection, suppress(ConnectionError):
                connection.sendall(b"GET /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
                answers.append(connection.recv(12))
        assert answers.count(b"HTTP/1.1 200") <= Connection.most_of_a_client

    def test_uploads_at_a_time(self, tmp_path):
        uploads = Uploads(str(tmp_path), at_a_time=1)
        with uploads.room(1), pytest.raises(Exception, match="Other pictures are being uploaded"), uploads.room(1):
            pass
        with uploads.room(1):
            pass

    def test_searches(self, page):
        """Those that wait are bounded: the others are told so."""
        body = {"data": ["", 1], "fn_index": page.functions["shelf"], "session_hash": "flood"}
        answers = [page.client.post("/gradio_api/queue/join", json=body).status_code for _ in range(60)]
        assert set(answers) <= {200, 503}


class TestNames:
    def test_with_html(self, page):
        name = "<img src=x onerror=alert(1)>\"'&.png"
        (path,) = page.upload(png(), name).json()
        assert Path(path).is_relative_to(page.uploads)
        said = page.search(file(path, orig_name=name))
        assert "mine" not in said
        assert "<img src=x" not in said + path

    @pytest.mark.parametrize(
        "name", ["../../evil.png", "/tmp/evil.png", "..", ".", "a" * 4000 + ".png", "\0.png", ".hidden", "con.png"]
    )
    def test_with_paths(self, page, name):
        answer = page.upload(png(), name)
        if answer.status_code == 200:
            (path,) = answer.json()
            assert Path(path).resolve().is_relative_to(page.uploads)
        else:
            assert answer.status_code in (400, 500)
        assert not Path("/tmp/evil.png").exists()


class TestKinds:
    def test_a_drawing_with_a_script(self, page):
        drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
        (path,) = page.upload(drawing, "x.svg").json()
        assert "is not an image of a known format" in page.search(file(path))
        heads = page.client.get(f"/gradio_api/file={path}").headers
        assert heads["content-security-policy"] == "default-src 'none'; sandbox"
        assert heads["content-disposition"].startswith("attachment")

    def test_a_program_for_ghostscript(self, page, tmp_path, monkeypatch):
        (tmp_path / "gs").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (tmp_path / "gs").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
        program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n"
        for name in ("x.eps", "x.png"):
            (path,) = page.upload(program, name).json()
            said = page.search(file(path))
            assert "is not an image of a known format" in said or "Invalid file type" in said
        assert not (tmp_path / "ran").exists()

    def test_what_is_no_image(self, page):
        for content in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"<html>", b"\xff\xd8\xff", bytes(1000)):
            (path,) = page.upload(content, "x.png").json()
            said = page.search(file(path))
            assert "data-image" not in said
            assert str(page.uploads) not in said  # where it lies is nobody's business
