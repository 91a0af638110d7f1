# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of `kvm-routedctl try` share: commands with a terminal and without, the tries."""

import contextlib
import os
import pty
import re
import subprocess
import time

import labcase
from bus import Bus, BusError
from test_dbus import GONE

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
FILE = "/run/guests11.kvm-routed"
STORED = "/etc/NetworkManager/system-connections"
IN_MEMORY = "/run/NetworkManager/system-connections"
ENDED = ("kept", "taken-back")
LONG = 300  # seconds: more than any test takes
KEPT, NOT_KEPT, USAGE, LEFT, NOT_FOUND = 0, 1, 2, 3, 10


def boot_time():
    """Microseconds, as the times of tries are told."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


class Terminal:
    """A command at a terminal of its own, whose session it leads."""

    def __init__(self, lpar, *argv):
        self._lpar = lpar
        self._master, slave = pty.openpty()
        os.set_blocking(self._master, False)
        self.process = lpar.popen("setsid", "--ctty", "--wait", *argv,
                                  stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        self.process.kill()

    def read(self):
        with contextlib.suppress(BlockingIOError, OSError):
            while data := os.read(self._master, 4096):
                self.text += data.decode(errors="replace")
        self.text = re.sub(r"\033\[[\d;]*m", "", self.text)  # colours
        return self.text

    def wait_for(self, pattern, timeout=20):
        return self._lpar.wait_for(lambda: re.search(pattern, self.read()), timeout,
                                   f"{pattern} at the terminal; it has {self.text!r}")

    def type(self, text):
        os.write(self._master, text.encode())

    def close(self):
        """The terminal goes away, as when its window is closed or its connection breaks."""
        if self._master is not None:
            os.close(self._master)
            self._master = None

    def ended(self, timeout=20):
        self._lpar.wait_for(lambda: self.read() is not None and not self.process.running(), timeout,
                            f"the end of the command; it has {self.text!r}")
        self.read()
        return self.process.wait()


class Command:
    """A command without a terminal."""

    def __init__(self, lpar, *argv):
        self.process = lpar.popen(*argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)

    def ended(self, timeout=30):
        status = self.process.wait(timeout)
        self.out, self.err = self.process.stdout.read(), self.process.stderr.read()
        return status


class Try(labcase.LabCase):
    """What the classes below share."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.guest = cls.cec["lpar11/guest1"]
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)

    def setUp(self):
        self.addCleanup(self.end_all)

    def end_all(self):
        """Nothing is left of a test that failed, either."""
        for subject in self.live():
            self.end("--revert", subject["interface"])
        self.lpar.nmcli("connection", "delete", UUID, check=False)
        self.lpar.wait_for(lambda: not self.lpar.link("br-ex"), 20, "no br-ex")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")

    # -- profiles

    def profile(self):
        return self.lpar.profile(NAME).replace("[connection]\n",
                                               "[connection]\nautoconnect=false\n", 1)

    def changed(self):
        """The profile with one peer less."""
        text = self.profile().replace(", 10.137.12.0/24 172.31.56.2", "")
        self.assertNotEqual(text, self.profile())
        return text

    def write(self, text):
        self.lpar.write_file(FILE, text)
        return FILE

    def bring_up(self):
        self.lpar.load_profile(self.profile(), NAME)
        self.lpar.up(NAME)
        self.lpar.settled_fingerprint(0.2)

    # -- tries

    def tries(self):
        """As the service has them, or its next life if it dies just then."""
        try:
            return self.bus.get("Tries")
        except BusError as error:
            if error.name not in GONE:
                raise
        return self.bus.get("Tries")

    def live(self):
        return [subject for subject in self.tries() if subject["state"] not in ENDED]

    def wait_state(self, *states, timeout=20, uuid=UUID, since=0):
        """A try in one of these states that began since some time."""
        def reached():
            tries = self.tries()
            found = [subject for subject in tries if subject["uuid"] == uuid
                     and subject["state"] in states and subject["started"] >= since]
            assert found, tries
            return found[0]

        return self.lpar.wait_for(reached, timeout, f"a try that is {' or '.join(states)}")

    def begin(self, text, timeout=LONG, state="running"):
        """A try without a terminal; its Command."""
        argument = text if text in (NAME, UUID, "br-ex") else self.write(text)
        command = Command(self.lpar, "kvm-routedctl", "try", argument, "--timeout", str(timeout))
        if state:
            self.lpar.attach_guests()  # a bridge with a port is up in no time
            self.wait_state(state)
        return command

    def end(self, *argv):
        return self.lpar.run("kvm-routedctl", "try", *argv, check=False)

    # -- the host

    def fingerprint(self):
        """Of the LPAR, its profiles and their files, without what packets count."""
        state = self.lpar.fingerprint()
        state["nft list ruleset"] = re.sub(r"packets \d+ bytes \d+", "", state["nft list ruleset"])
        state["profiles"] = self.lpar.nmcli("-f", "NAME,UUID,FILENAME,DEVICE", "connection")
        state["files"] = self.lpar.sh(
            f"cd /; find {STORED[1:]} {IN_MEMORY[1:]} -type f | sort | xargs sha256sum").stdout
        return state

    def assert_back(self, before):
        """Everything is as it was; what NetworkManager does last may come a moment later."""
        deadline = time.monotonic() + 10
        while (after := self.fingerprint()) != before and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(after, before)

    def peers(self):
        return [peer["subnet"] for peer in self.lpar.network(NAME)["peers"]]
