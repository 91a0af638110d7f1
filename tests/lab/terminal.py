# SPDX-License-Identifier: GPL-2.0-or-later
"""A program on a terminal of a host, with somebody who types.

    with Terminal(lpar, "nmtui", "edit", "guests11") as terminal:
        terminal.wait_for("<OK>")
        terminal.type(Terminal.TAB, "text", Terminal.ENTER)
        assert terminal.end() == 0
"""

import fcntl
import os
import pty
import re
import selectors
import struct
import termios
import time

from hosts import LabError

# CSI sequences, those that select a character set, and other short ones.
CONTROL = rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78]"


class Terminal:
    """A context manager; `text` is all that the program wrote, without the control sequences."""

    TAB, BACK_TAB, ENTER, SPACE = "\t", "\x1b[Z", "\r", " "

    def __init__(self, host, *argv, kind="linux", rows=60, columns=100):
        self._host = host
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._process = host.popen("env", f"TERM={kind}", *argv, stdin=slave, stdout=slave,
                                   stderr=slave)
        os.close(slave)
        self._raw = b""
        self._seen = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        os.close(self._master)

    @property
    def text(self):
        return re.sub(CONTROL, b"", self._raw).decode(errors="replace")

    def _read(self, seconds):
        """More of what the program writes; false at its end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._master, selectors.EVENT_READ)
            if not selector.select(seconds):
                return True
        try:
            chunk = os.read(self._master, 65536)
        except OSError:  # nobody has the other side any more
            return False
        self._raw += chunk
        return bool(chunk)

    def wait_for(self, wanted, timeout=30):
        """Wait until the program has written a text that was not waited for before."""
        deadline = time.monotonic() + timeout
        while (at := self.text.find(wanted, self._seen)) < 0:
            if time.monotonic() > deadline or not self._read(0.2):
                raise self._error(f"waited in vain for {wanted!r}")
        self._seen = at + len(wanted)

    def type(self, *keys):
        os.write(self._master, "".join(keys).encode())

    def end(self, timeout=30):
        """Wait until the program ends by itself; its exit status."""
        deadline = time.monotonic() + timeout
        while self._read(0.2):
            if time.monotonic() > deadline:
                raise self._error("it does not end")
        return self._process.wait()

    def _error(self, what):
        return LabError(f"{self._host.name}: {' '.join(self._process.argv)}: {what}\n"
                        f"It wrote:\n{self.text}", self._host.diagnosis())
