"""A headless Chromium that is told over pipes what to do (Chrome DevTools Protocol), so that no driver is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import time
from pathlib import Path
from typing import Any

__all__ = ["Chromium"]

_ABOVE = 20
"""Numbers of pipes start here, so that none is 3 or 4, which the browser reads and writes."""


class Chromium:
    """A browser with one page.

    Attributes:
        requests: addresses that the page asked for.
        errors: what it wrote to its console as an error.
    """

    def __init__(self, binary: str, folder: Path) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._number, self._unread = 0, b""
        its_input, self._output = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for end in os.pipe())
        self._input, its_output = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, _ABOVE) for end in os.pipe())
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-pipe"]
        silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        pipes = [(os.POSIX_SPAWN_DUP2, its_input, 3), (os.POSIX_SPAWN_DUP2, its_output, 4)]
        command = [binary, *options, f"--user-data-dir={folder}"]
        self._process = os.posix_spawn(binary, command, os.environ, file_actions=[*silent, *pipes])
        os.close(its_input)
        os.close(its_output)
        self._page = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._page = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "DOM", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._page = ""
        self.call("Browser.close")
        os.waitpid(self._process, 0)
        os.close(self._input)
        os.close(self._output)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command's result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(self._output, json.dumps(message | ({"sessionId": self._page} if self._page else {})).encode() + b"\0")
        while (answer := self._next(60)).get("id") != self._number:
            self._hear(answer)
        assert "error" not in answer, f"{method}: {answer}"
        return answer["result"]

    def open(self, url: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, or what it promises."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> Any:
        """The expression's value once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.1)
        return value

    def click(self, element: str) -> None:
        """Presses the mouse in the middle of an element, which an expression gives, once the page has stopped scrolling."""
        self.wait(f"{element} !== undefined && {element} !== null")
        before, middle = None, f"(box => [box.x + box.width / 2, box.y + box.height / 2])({element}.getBoundingClientRect())"
        while (place := self.run(middle)) != before:
            before = place
            time.sleep(0.5)
        self.run(f"{element}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        x, y = self.run(middle)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Writes where the cursor is."""
        self.call("Input.insertText", text=text)

    def press(self, key: str) -> None:
        codes = {"Enter": 13, "Escape": 27, "Tab": 9, "ArrowDown": 40, "Backspace": 8}
        for kind in ("keyDown", "keyUp"):
            text = {"text": "\r"} if key == "Enter" and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **text)

    def upload(self, element: str, file: Path) -> None:
        """Chooses a file in an ``<input type=file>``."""
        handle = self.call("Runtime.evaluate", expression=element)["result"]["objectId"]
        self.call("DOM.setFileInputFiles", files=[str(file)], objectId=handle)

    def screenshot(self, file: Path, whole: bool = False) -> None:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        file.write_bytes(base64.b64decode(data))

    def _next(self, seconds: float) -> dict[str, Any]:
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._input], [], [], seconds)
            assert ready, "the browser does not answer"
            read = os.read(self._input, 1 << 20)
            assert read, "the browser has ended"
            self._unread += read
        message, self._unread = self._unread.split(b"\0", 1)
        return json.loads(message)

    def _hear(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(parameters["exceptionDetails"])[:500])
