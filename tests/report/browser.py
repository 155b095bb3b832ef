"""A headless Chromium driven over the DevTools protocol, with the standard library alone."""

import atexit
import base64
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

from reweigh.report.pdf import BROWSERS

ON_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def find_chromium():
    """Path of a Chromium or Chrome; without one the test is skipped, or fails where REWEIGH_CI is set."""
    found = os.environ.get("CHROME") or next((path for name in BROWSERS if (path := shutil.which(name))), None)
    found = found or (str(ON_MAC) if ON_MAC.exists() else None)
    if found is None:
        message = f"no Chromium or Chrome found (looked for {', '.join(BROWSERS)}; the variable CHROME names another)"
        pytest.fail(message) if os.environ.get("REWEIGH_CI") else pytest.skip(message)
    return found


class Socket:
    """A WebSocket client (RFC 6455): text messages in both directions."""

    def __init__(self, url):
        host, path = url.removeprefix("ws://").split("/", 1)
        name, port = host.split(":")
        self.stream = socket.create_connection((name, int(port)), timeout=60)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.stream.sendall(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.stream.recv(4096)
        answer, self.rest = self.rest.split(b"\r\n\r\n", 1)
        assert b" 101 " in answer.split(b"\r\n")[0], answer

    def send(self, text):
        body = text.encode()
        size = len(body)
        head = struct.pack("!B", 0x81)
        if size < 126:
            head += struct.pack("!B", 0x80 | size)
        elif size < 1 << 16:
            head += struct.pack("!BH", 0x80 | 126, size)
        else:
            head += struct.pack("!BQ", 0x80 | 127, size)
        # A mask of zeros is allowed and leaves the body as it is.
        self.stream.sendall(head + b"\0\0\0\0" + body)

    def _take(self, size):
        parts = [self.rest]
        have = len(self.rest)
        while have < size:
            parts.append(self.stream.recv(1 << 20))
            if not parts[-1]:
                raise ConnectionError("the browser closed the connection")
            have += len(parts[-1])
        whole = b"".join(parts)
        self.rest = whole[size:]
        return whole[:size]

    def receive(self):
        message = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size > 125:
                size = int.from_bytes(self._take(2 if size == 126 else 8), "big")
            body = self._take(size)
            if first & 0x0F in (0, 1):
                message += body
                if first & 0x80:
                    return message.decode()


class Browser:
    """One tab; `errors` and `requests` collect what the page complained of and asked for."""

    def __init__(self, executable):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = ["--headless=new", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--disable-extensions",
                 "--disable-background-networking", "--disable-component-update", "--font-render-hinting=none",
                 "--disable-dev-shm-usage", "--force-color-profile=srgb", "--remote-debugging-port=0"]  # fmt: skip
        flags += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        command = [executable, *flags, f"--user-data-dir={self.folder.name}", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        atexit.register(self.process.kill)  # nobody closes it where a script ends with a traceback
        port = self._port()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            target = next(one for one in json.load(answer) if one["type"] == "page")
        self.socket = Socket(target["webSocketDebuggerUrl"])
        self.number, self.events, self.errors, self.requests = 0, [], [], []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _port(self):
        file = Path(self.folder.name) / "DevToolsActivePort"
        for _ in range(600):
            if file.exists() and (text := file.read_text()).strip():
                return int(text.split("\n")[0])
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        pytest.fail("Chromium did not start")

    def close(self):
        self.socket.stream.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self.folder.cleanup()

    def _next(self):
        message = json.loads(self.socket.receive())
        method, given = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(given["exceptionDetails"].get("exception", {}).get("description", str(given)))
        elif method == "Log.entryAdded" and given["entry"]["level"] == "error":
            self.errors.append(given["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "assert"):
            self.errors.append(str(given["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        if method:
            self.events.append(method)
        return message

    def call(self, method, **given):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": given}))
        while True:
            message = self._next()
            if message.get("id") == self.number:
                assert "error" not in message, (method, message["error"])
                return message["result"]

    def open(self, url):
        """Go to an address and wait until it has loaded."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while "Page.loadEventFired" not in self.events:
            self._next()

    def reload(self):
        self.events.clear()
        self.call("Page.reload")
        while "Page.loadEventFired" not in self.events:
            self._next()

    def run(self, script):
        """Value of an expression or a promise."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def size(self, width, height=900):
        mobile = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def media(self, *, scheme="light", kind="screen"):
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def key(self, name, code=0, text=""):
        for kind in ("keyDown", "keyUp"):
            given = {"type": kind, "key": name, "code": name, "windowsVirtualKeyCode": code}
            if text and kind == "keyDown":
                given["text"] = text
            self.call("Input.dispatchKeyEvent", **given)

    def picture(self, box):
        """PNG of a part of the page, whether it is in view or not."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=box)
        return base64.b64decode(found["data"])
