# SPDX-License-Identifier: GPL-2.0-or-later
"""The base class of the tests of faults: what a network does, and what must come of it.

The service is one that was built to stop, or to fail, where it is told to (kvmr-fault.h). Which
points and operations there are is not written down anywhere: a run without faults tells.
"""

import atexit
import contextlib
import difflib
import functools
import signal
import subprocess

import labcase
from cec import Cec
from faults import Faults, product_with_faults
from hosts import LabError

NAME = "guests11"
SWITCH = "br-ex"

# What the service passes also where it has nothing to do: as often as something reminds it.
IDLE = ("reconcile.", "apply.idle")


@functools.lru_cache(None)
def shared_cec():
    cec = Cec(product=product_with_faults())
    atexit.register(cec.close)  # see labcase
    return cec.__enter__()


class FaultCase(labcase.LabCase):
    """LPAR 11 of a CEC whose service has faults; `before` is the host without any network."""

    @classmethod
    def setUpClass(cls):
        cls.maxDiff = None
        cls.cec = shared_cec()
        cls.addClassCleanup(cls.cec.reset)
        cls.lpar = cls.cec["lpar11"]
        cls.faults = Faults(cls.lpar)
        cls.profile = cls.lpar.profile(NAME).replace(
            "[connection]\n", "[connection]\nautoconnect=false\n", 1)
        # Links, a role, a peer and a subnet go, and others come.
        cls.changed = (cls.profile.replace("hipersockets=hs56k_0,hs57_0", "hipersockets=hs57_0")
                       .replace("uplinks=o5s_10g_1\n", "").replace("masquerade=", "uplinks=")
                       .replace("172.31.56.2, 10.137.12.0/24 172.31.56.2", "172.31.57.10"))
        cls.lpar.load_profile(cls.profile, NAME)
        # The ports of the guests stay up from now on.
        cls.lpar.up(NAME)
        cls.lpar.down(NAME)
        cls.kernel_before = cls.faults.kernel()
        cls.before = cls.faults.host()

    # -- what is done

    def prepare_up(self):
        self.lpar.load_profile(self.profile, NAME)
        self.kill_service()

    def start_up(self):
        self._start("connection", "up", NAME)
        self.lpar.attach_guests()

    def kill_service(self):
        """When the dispatcher has told it everything: else that would start the next one."""
        self.faults.begin()
        self.lpar.wait_for(self.faults.idle, 10, "the service is done")
        self.lpar.signal_service(signal.SIGKILL)

    def prepare_change(self):
        self.lpar.load_profile(self.profile, NAME)
        self.lpar.up(NAME)
        self.lpar.load_profile(self.changed, NAME)

    def start_change(self):
        self._start("device", "reapply", SWITCH)

    def prepare_down(self):
        self.lpar.load_profile(self.profile, NAME)
        self.lpar.up(NAME)

    def start_down(self):
        self._start("connection", "down", NAME)

    def prepare_restart(self):
        """What it finds then, others changed meanwhile."""
        self.prepare_down()
        self.kill_service()
        self.lpar.sysctl("net/ipv4/conf/hs57_0/forwarding", 0)
        self.lpar.run("ip", "route", "del", "10.136.12.0/24", "proto", "136")

    def start_restart(self):
        # As systemd does with a service that fails.
        self._start("-c", "until kvm-routedctl status; do sleep 0.2; done", program="sh")

    def _start(self, *argv, program="/usr/bin/nmcli"):
        """Without waiting: the service may stand still meanwhile."""
        self.lpar.popen(program, *argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # -- what comes of it

    def is_done(self, operation):
        """The operation has been carried out, as far as the service tells."""
        network = self.lpar.network(NAME)
        if operation == "down":
            return network is None and not self.lpar.link(SWITCH)
        peer = "172.31.57.10" if operation == "change" else "172.31.56.2"
        return (network is not None and network["state"] == "active"
                and peer in {entry["gateway"] for entry in network["peers"]})

    def wait_done(self, operation):
        self.lpar.wait_for(lambda: self.is_done(operation), 30, f"{operation} is done", 0.02)

    def assert_restored(self):
        """Down, if not yet; then the host is as it was before, byte for byte."""
        self.take_down()
        if not self._wait_equal(self.before):
            self.assert_same(self.faults.host(), self.before)
        self.lpar.wait_for(lambda: not self.faults.journal(), 5, "no file with content")

    def take_down(self):
        if not self.lpar.link(SWITCH):
            return
        if NAME in self.lpar.nmcli("-t", "-f", "NAME", "connection", "show", "--active"):
            self.lpar.down(NAME)
            return
        self.lpar.run("ip", "link", "del", SWITCH)
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")

    def assert_reached(self, operation, wanted):
        if not self._wait_equal(wanted):
            self.assert_same(self.faults.host(), wanted)

    def _wait_equal(self, wanted):
        try:
            return self.lpar.wait_for(lambda: self.faults.host() == wanted, 5, "the state", 0.05)
        except LabError:
            return False

    def assert_same(self, text, wanted):
        if text != wanted:
            difference = difflib.unified_diff(wanted.splitlines(), text.splitlines(), "wanted",
                                              "found", lineterm="", n=0)
            self.fail("the host differs:\n" + "\n".join(difference))

    def assert_safe(self, where):
        self.assertEqual(self.faults.kernel().dangers(self.kernel_before), set(), where)

    def log_size(self):
        return self.lpar.logs["dbus"].stat().st_size

    def log_since(self, size):
        with open(self.lpar.logs["dbus"], encoding="utf-8", errors="replace") as log:
            log.seek(size)
            return log.read()

    # -- runs

    @contextlib.contextmanager
    def case(self, **what):
        """A subtest that leaves a host to the next one on which it can begin."""
        with self.subTest(**what):
            try:
                yield
            except Exception:
                self.faults.begin()
                self.lpar.signal_service(signal.SIGKILL)
                self.take_down()
                raise

    def begin(self, operation, *plan):
        getattr(self, f"prepare_{operation}")()
        self.faults.begin(*plan)
        getattr(self, f"start_{operation}")()

    def explore(self, operation, *plan):
        """Do it once. Returns (name, n) of each time that a point is met, the operations met with
        their times, and the host that comes of it."""
        self.begin(operation, *plan)
        self.wait_done(operation)
        wanted = self.lpar.wait_for(self._settled, 10, "the host settles")
        points, operations = self.faults.met("point"), self.faults.operations()
        self.faults.begin()
        self.assertIn("apply.begin", points)
        self.assert_safe(operation)
        self.assert_restored()
        return [(name, n) for name, times in points.items() for n in range(1, times + 1)
                if n == 1 or not name.startswith(IDLE)], operations, wanted

    def _settled(self):
        first = self.faults.host()
        return first if self.faults.host() == first else None

    def stop_or_end(self, operation, over=lambda: False):
        """The process that stopped at a point; None if it was not met although all is done, or
        over() says that it will not be."""
        seen = self.lpar.wait_for(
            lambda: self.faults.stopped() or over() or self._is_over(operation), 30,
            f"{operation} is done, or stops", 0.005)
        return None if seen is True else seen

    def _is_over(self, operation):
        # In this order: asking starts the service, and waits for one that stands still.
        return (self.faults.met("point")["reconcile.told"] > 0 and self.faults.idle()
                and not self.faults.stopped() and self.is_done(operation))
