"""The page: by gradio's own client and in a real browser."""

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("gradio", reason="the extra demo is not installed")

from gradio_client import Client, handle_file

from vreid_common.browse import Session, Settings
from vreid_common.browse.page import build_page
from vreid_common.browse.server import listening, page_server
from vreid_common.errors import InputError

PLAIN, K_RECIPROCAL = "no re-ranking", "k-reciprocal"
DEFAULTS = {
    "row": 0, "picture": None, "pipeline": PLAIN, "cameras": [], "views": [], "since": 110, "until": 490,
    "own_camera": False, "top": 20,
}  # fmt: skip


@pytest.fixture
def serve():
    """A function: a session and what its page needs to the page's address, until the test ends."""
    ends = []

    def start(session: Session, no_upload: str = "") -> str:
        socket = ends_with(listening("127.0.0.1", 0))
        server = ends_with(page_server(lambda: build_page(session, "<Cars>", no_upload), "127.0.0.1"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
        thread.start()
        ends.append((thread.join, server))
        return f"http://127.0.0.1:{socket.getsockname()[1]}"

    def ends_with(context):
        value = context.__enter__()
        ends.append((lambda: context.__exit__(None, None, None), None))
        return value

    yield start
    for end, server in reversed(ends):
        if server is not None:
            server.should_exit = True
        end()


def images(html: str) -> list[int]:
    return [int(image) for image in re.findall(r'data-image="(\d+)"', html)]


def test_by_the_client(serve, session, sets, picture):
    client = Client(serve(session), verbose=False)

    def search(**changes) -> str:
        return client.predict(*(DEFAULTS | changes).values(), api_name="/search")

    assert images(search(row=3)) == list(session.pick(3, Settings(PLAIN)).ranking.images)
    found = session.pick(3, Settings(K_RECIPROCAL, top=5)).ranking.images
    assert images(search(row=3, pipeline=K_RECIPROCAL, top=5)) == list(found)
    gallery = sets[1]
    filtered = images(search(cameras=[1, 2], views=[0], since=150, until=400, own_camera=True, top=100))
    wanted = [
        row
        for row in range(40)
        if gallery.camids[row] in (1, 2) and gallery.view_ids[row] == 0 and 150 <= gallery.timestamps[row] <= 400
    ]
    assert sorted(filtered) == wanted
    assert wanted
    assert len(images(search(own_camera=True, top=100))) == 40, "the whole range has images of unknown time too"
    assert images(search(picture=handle_file(picture))) == list(session.ask(str(picture), Settings(PLAIN)).ranking.images)
    assert "No image of the gallery is left" in search(cameras=[1], since=490, until=480)
    assert "There is no query 99" in search(row=99)

    shelf, where, page = client.predict("", 1, api_name="/shelf")
    assert [image["caption"] for image in shelf["value"]] == [f"vehicle {row % 5}" for row in range(6)]
    assert (where, page) == ("1 of 1", 1)


def test_nothing_outside_the_gallery_is_given_out(serve, session, tmp_path):
    import httpx

    address = serve(session)
    (tmp_path / "secret.txt").write_text("secret")
    answer = httpx.get(f"{address}/gradio_api/file={tmp_path / 'secret.txt'}")
    assert answer.status_code in (403, 404)
    assert httpx.get(address).headers["content-security-policy"].startswith("default-src 'self' ")


def test_ports():
    with listening("127.0.0.1", 0) as socket:
        port = socket.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot be served on 127\.0\.0\.1, port {port}: "), listening("127.0.0.1", port):
            pass
    for host, port in (("127.0.0.1", 99999), ("192.0.2.1", 0), ("no host", 0)):
        with pytest.raises(InputError, match="cannot be served"), listening(host, port):
            pass


class TestBrowser:
    @pytest.fixture
    def chromium(self, tmp_path: Path) -> Iterator:
        from importlib.util import module_from_spec, spec_from_file_location

        binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if binary is None:
            pytest.skip("there is no Chromium")
        spec = spec_from_file_location("chromium", Path(__file__).parent / "chromium.py")
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
        browser = module.Chromium(binary, tmp_path / "browser")
        yield browser
        browser.close()

    def test_controls(self, serve, session, picture, chromium):
        address = serve(session)
        chromium.open(address)
        chromium.wait("document.querySelectorAll('#answer .matches li').length === 20")
        chromium.wait("document.querySelectorAll('#shelf img').length === 6")
        assert chromium.run("document.querySelector('h1').textContent") == "<Cars>"

        def shown() -> list[int]:
            return chromium.run("[...document.querySelectorAll('#answer .matches li')].map(e => +e.dataset.image)")

        def searched(query: str, images: str) -> None:
            how = "document.querySelector('#answer .asked')?.textContent ?? ''"
            chromium.wait(f"({how}).includes('{query}') && ({how}).includes('{images}')")

        chromium.click("document.querySelectorAll('#shelf button.thumbnail-item')[4]")
        searched("Query 5 of 6", "40 of 40")
        assert shown() == list(session.pick(4, Settings(PLAIN)).ranking.images)
        choice = "[...document.querySelectorAll('label')].find(e => e.textContent.trim() === '{}')"
        chromium.click(choice.format(K_RECIPROCAL))
        searched("Query 5 of 6", "re-ranked by k_reciprocal")
        assert shown() == list(session.pick(4, Settings(K_RECIPROCAL)).ranking.images)
        chromium.click(choice.format("side"))
        side = int((session.gallery.view_ids == 2).sum())
        searched("Query 5 of 6", f"{side} of 40")

        chromium.click("[...document.querySelectorAll('[role=tab]')].find(e => e.textContent.trim() === 'Upload a picture')")
        chromium.wait("document.querySelector('input[type=file]') !== null")
        chromium.upload("document.querySelector('input[type=file]')", picture)
        searched("Your picture", f"{side} of 40")
        assert "mine.png" in chromium.run("document.querySelector('#answer .file').textContent")
        # Nothing but this server was asked, and the browser had nothing to complain of.
        assert {url.split(":")[0] for url in chromium.requests if not url.startswith((address, f"blob:{address}"))} <= {"data"}
        assert chromium.errors == []

    def test_a_phone_in_the_dark_without_a_model(self, serve, sets, pipelines, chromium):
        chromium.open(serve(Session(sets[1], pipelines), "No model."), width=390, height=844, dark=True)
        chromium.wait("document.querySelectorAll('#answer .matches li').length")
        assert chromium.run("document.documentElement.scrollWidth") <= 390
        chromium.click("document.querySelectorAll('#shelf button.thumbnail-item')[3]")
        chromium.wait("document.querySelector('#answer').getBoundingClientRect().top < innerHeight / 2")
        assert chromium.run("getComputedStyle(document.querySelector('#answer .is-wrong .sign')).backgroundColor") == (
            "rgb(255, 124, 108)"
        )
        chromium.click("[...document.querySelectorAll('[role=tab]')].find(e => e.textContent.trim() === 'Upload a picture')")
        chromium.wait("document.body.innerText.includes('Pictures of your own cannot be searched for. No model.')")
        assert chromium.run("document.querySelector('input[type=file]')") is None
