# SPDX-License-Identifier: GPL-2.0-or-later
"""Cockpit in an LPAR, in a browser that runs there, too.

    with Cockpit(lpar) as cockpit:
        cockpit.open("network", "/br-ex")
        cockpit.click("#networking-edit-mtu")

The browser is driven by the W3C's WebDriver protocol; elements are found by CSS selectors.
"""

import base64
import contextlib
import http.client
import json
import subprocess

import product
from hosts import LabError, wait_for

COCKPIT_PORT = 9090
DRIVER_PORT = 9515
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's key of an element
SELECT_ALL = "\ue009a\ue000"  # ctrl-a
# No GPU, no sandbox (it is root's browser), and nothing that calls home.
BROWSER_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--window-size=1400,1600")


class Cockpit:
    """A context manager: one login, without a password, as root. A failure leaves a screenshot."""

    SCREENSHOT = product.BUILD / "cockpit.png"

    def __init__(self, lpar):
        self._lpar = lpar
        self._home = lpar.directory / "browser"
        self._session = None
        self._processes = []

    def __enter__(self):
        self._home.mkdir(exist_ok=True)
        try:
            self._start("/usr/lib/cockpit/cockpit-ws", "--no-tls", "-a", "127.0.0.1", "-p",
                        str(COCKPIT_PORT), "--local-session=cockpit-bridge")
            self._start("chromedriver", f"--port={DRIVER_PORT}", "--silent")
            for port in COCKPIT_PORT, DRIVER_PORT:
                self._lpar.wait_for(lambda: self._connect(port), 30, f"somebody at port {port}")
            options = [*BROWSER_OPTIONS, f"--user-data-dir={self._home}/profile"]
            session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "goog:chromeOptions": {"args": options}}}})
            self._session = f"/session/{session['sessionId']}"
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            with contextlib.suppress(OSError, LabError):
                picture = self._call("GET", f"{self._session}/screenshot")
                self.SCREENSHOT.write_bytes(base64.b64decode(picture))
        with contextlib.suppress(OSError, LabError):
            self._call("DELETE", self._session)
        self._stop()

    def _start(self, *argv):
        # Neither leaves anything in root's own files, nor in /tmp.
        with open(self._home / "log", "ab") as log:
            process = self._lpar.popen("env", f"HOME={self._home}", f"TMPDIR={self._home}", *argv,
                                       stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=subprocess.STDOUT)
        self._processes.append(process)

    def _stop(self):
        for process in reversed(self._processes):
            process.stop()

    # -- the protocol

    def _connect(self, port):
        connection = self._lpar.socket()
        connection.settimeout(120)
        try:
            connection.connect(("127.0.0.1", port))
        except OSError:
            connection.close()
            raise
        return connection

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", DRIVER_PORT)
        with contextlib.closing(connection):
            connection.sock = self._connect(DRIVER_PORT)
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise LabError(f"{self._lpar.name}: the browser: {value['error']}: {value['message']}")
        return value

    # -- what a person does

    def open(self, page, place):
        """Open a page of Cockpit, without the frame around it."""
        url = f"http://127.0.0.1:{COCKPIT_PORT}/cockpit/@localhost/{page}/index.html#{place}"
        self._call("POST", f"{self._session}/url", {"url": url})

    def find(self, selector, timeout=60):
        """The first element of a selector, once it is there; its URL in the protocol."""
        def found():
            elements = self._call("POST", f"{self._session}/elements",
                                  {"using": "css selector", "value": selector})
            return elements and elements[0][ELEMENT]

        element = wait_for(found, timeout, f"{selector} in the browser; see {self.SCREENSHOT}", 0.1,
                           self._lpar.diagnosis)
        return f"{self._session}/element/{element}"

    def click(self, selector):
        self._call("POST", f"{self.find(selector)}/click", {})

    def text(self, selector):
        return self._call("GET", f"{self.find(selector)}/text")

    def fill_in(self, selector, text):
        """Put another text into an input field."""
        self._call("POST", f"{self.find(selector)}/value", {"text": SELECT_ALL + text})

    def wait_until_gone(self, selector, timeout=60):
        wait_for(lambda: not self._call("POST", f"{self._session}/elements",
                                        {"using": "css selector", "value": selector}),
                 timeout, f"the end of {selector} in the browser; see {self.SCREENSHOT}", 0.1,
                 self._lpar.diagnosis)
