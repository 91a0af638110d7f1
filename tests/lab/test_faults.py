# SPDX-License-Identifier: GPL-2.0-or-later
"""A crash anywhere, a failure anywhere: never unsafe, rolled back as a whole, and healed.

The service is one that was built to stop, or to fail, where it is told to (kvmr-fault.h). Which
points and operations there are is not written down here: a run without faults tells.
"""

import atexit
import collections
import contextlib
import difflib
import functools
import os
import pathlib
import re
import signal
import subprocess
import traceback
import unittest

import labcase
import product
from cec import Cec
from faults import DIRECTORY, RUNTIME, Faults, product_with_faults
from hosts import LabError

NAME = "guests11"
SWITCH = "br-ex"

# What errors an operation can really have.
ERRORS = {
    "netlink.request": ("EPERM", "ENOBUFS"),
    "netlink.send": ("EINTR", "ENOBUFS", "EPERM"),
    "netlink.receive": ("EINTR", "ENOBUFS"),
    "nft.run": ("EPERM", "ENOBUFS", "EINTR"),
    "sysctl": ("EPERM", "EINTR"),
    "file": ("ENOSPC", "EPERM", "EINTR"),
    "dbus": ("EPERM", "EIO"),
}
# The lines of a plan have numbers.
NUMBERS = {"EPERM": 1, "EINTR": 4, "EIO": 5, "ENOSPC": 28, "ENOBUFS": 105}

# What the service passes also where it has nothing to do: as often as something reminds it.
IDLE = ("reconcile.", "apply.idle")


@functools.lru_cache(None)
def shared_cec():
    cec = Cec(product=product_with_faults())
    atexit.register(cec.close)  # see labcase
    return cec.__enter__()


def errors_of(operation):
    return ERRORS.get(operation) or ERRORS[operation.split(".")[0]]


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
        self.lpar.signal_service(signal.SIGKILL)

    def start_up(self):
        self._start("connection", "up", NAME)
        self.lpar.attach_guests()

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
        self.lpar.signal_service(signal.SIGKILL)
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
                if os.environ.get("KVMR_TELL"):
                    traceback.print_exc()
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

    def stop_or_end(self, operation):
        """The process that stopped at a point; None if it was not met although all is done."""
        seen = self.lpar.wait_for(lambda: self.faults.stopped() or self._is_over(operation), 30,
                                  f"{operation} is done, or stops", 0.005)
        return None if seen is True else seen

    def _is_over(self, operation):
        # In this order: asking starts the service, and waits for one that stands still.
        return (self.faults.met("point")["reconcile.told"] > 0 and self.faults.idle()
                and not self.faults.stopped() and self.is_done(operation))


class Crash(FaultCase):
    """Killed at each point in turn."""

    def crash(self, operation, name, n, *plan):
        """Whether the point was met; then the service was killed there."""
        self.begin(operation, f"{name} {n} stop", *plan)
        pid = self.stop_or_end(operation)
        if not pid:
            self.assert_restored()
            return False
        self.assert_safe(f"killed at {name} {n}")
        self.faults.begin()
        self.faults.signal(pid, signal.SIGKILL)
        return True

    def crash_everywhere(self, operation, *plan, only=""):
        points, _, wanted = self.explore(operation, *plan)
        points = [(name, n) for name, n in points if re.match(only, name)]
        survived = 0
        for name, n in points:
            with self.case(operation=operation, point=name, n=n):
                # How often it is met may depend on what NetworkManager tells in which order.
                met = any(self.crash(operation, name, n, *plan) for _ in range(3))
                self.assertTrue(met, "this point is not reached any more")
                self.wait_done(operation)
                self.assert_reached(operation, wanted)
                self.assert_restored()
                survived += 1
        what = f"{operation}, refused" if plan else operation
        print(f"    {what:16}{len({name for name, _ in points}):4} points,{len(points):4} kills,"
              f"{survived:4} survived", flush=True)
        self.assertGreater(len(points), 3)

    def test_up(self):
        self.crash_everywhere("up")

    def test_change(self):
        self.crash_everywhere("change")

    def test_down(self):
        self.crash_everywhere("down")

    def test_restart(self):
        self.crash_everywhere("restart")

    def crash_while_undoing(self, operation):
        """The last write of a change is refused: killed on the way back; and where the way back is
        barred, too."""
        _, operations, _ = self.explore(operation)
        last = operations["sysctl.write"]
        self.crash_everywhere(operation, f"sysctl.write {last} 1", only="undo|reconcile.refused")
        self.crash_everywhere(operation, f"sysctl.write {last} 1", f"sysctl.write {last + 1} 1",
                              only="undo|close|reconcile.refused")

    def test_up_refused(self):
        self.crash_while_undoing("up")

    def test_change_refused(self):
        self.crash_while_undoing("change")

    def test_down_refused(self):
        self.crash_while_undoing("down")

    def test_restart_refused(self):
        self.crash_while_undoing("restart")


class Failure(FaultCase):
    """Each operation fails, once, at each time that it is done in turn."""

    def whole_states(self, operation):
        """What the host has before and after each change that the operation consists of."""
        self.begin(operation, "apply.begin 1+ stop", "apply.taken 1+ stop")
        states = set()
        while pid := self.stop_or_end(operation):
            states.add(self.faults.kernel().text())
            self.faults.resume(pid)
        self.faults.begin()
        self.assert_restored()
        return states

    def inject(self, operation, name, n, error, states):
        """What came of a failure: "not met", "passed over", "said", or "rolled back"."""
        size = self.log_size()
        self.begin(operation, f"{name} {n} {NUMBERS[error]}", "undo.done 1+ stop")
        undone = False
        while pid := self.stop_or_end(operation):
            undone = True
            self.assert_safe(f"{name} {n} {error}")
            self.assertIn(self.faults.kernel().text(), states, "rolled back as a whole")
            self.faults.resume(pid)
        met, fired = self.faults.met("point"), self.faults.fired()
        said = self.log_since(size)
        if not any(action != "stop" for _, action, _ in fired):
            return "not met"
        if met["reconcile.refused"] or met["reconcile.unread"]:
            self.assertIn("tried again within", said)
        if met["reconcile.refused"] and operation != "down":
            # What was routed before still is.
            state = "(failed|degraded)" if operation == "up" else "degraded"
            self.assertRegex(said, rf"{NAME} \({SWITCH}\): {state}: ")
            self.assertIn(os.strerror(NUMBERS[error]), said)
        if undone:
            return "rolled back"
        return "said" if "tried again within" in said else "passed over"

    def fail_everywhere(self, operation):
        _, operations, wanted = self.explore(operation)
        states = self.whole_states(operation)
        total = collections.Counter()
        for name, times in sorted(operations.items()):
            if not re.match(os.environ.get("KVMR_ONLY", ""), name):
                continue
            outcomes = collections.Counter()
            for n in range(1, times + 1):
                errors = errors_of(name)
                # The first time with each error, the others with one after the other.
                for error in errors if n == 1 else (errors[n % len(errors)],):
                    with self.case(operation=operation, fails=name, n=n, error=error):
                        outcome = "not survived"
                        outcomes[outcome] += 1
                        seen = self.inject(operation, name, n, error, states)
                        self.assert_reached(operation, wanted)
                        self.assert_restored()
                        outcomes[outcome] -= 1
                        outcomes[seen] += 1
            self.assertGreater(outcomes.total(), outcomes["not met"], f"{name} is never met")
            self.tell(operation, name, outcomes)
            total += outcomes
        self.tell(operation, "all", total)

    @staticmethod
    def tell(operation, name, outcomes):
        words = ", ".join(f"{number} {word}" for word, number in sorted(outcomes.items()) if number)
        injected = outcomes.total() - outcomes["not met"]
        print(f"    {operation:8}{name:26}{injected:4} injected: {words}", flush=True)

    def test_up(self):
        self.fail_everywhere("up")

    def test_change(self):
        self.fail_everywhere("change")

    def test_down(self):
        self.fail_everywhere("down")

    def test_restart(self):
        self.fail_everywhere("restart")


class Barred(FaultCase):
    """From some time on an operation fails for good, on the way back too: nothing unsafe is left,
    and it heals when the kernel lets it."""

    OPERATIONS = ("sysctl.write", "sysctl.open-to-write", "nft.run", "netlink.request",
                  "file.create", "file.rename")
    # Most requests only ask.
    STEPS = {"netlink.request": 3}

    def bar(self, operation, name, n, error):
        self.begin(operation, f"{name} {n}+ {NUMBERS[error]}", "undo.done 1+ stop",
                   "reconcile.unread 1+ stop")
        for _ in range(2):  # at once, and at a later try
            pid = self.stop_or_end(operation)
            if not pid:
                break
            self.assert_safe(f"{name} {n}+ {error}")
            self.faults.resume(pid)
        self.faults.begin()
        if pid:
            self.assert_safe(f"{name} {n}+ {error}, later")
        # An event that makes it look at once.
        self.lpar.sh("nft add table inet nudge; nft delete table inet nudge")

    def bar_everywhere(self, operation):
        _, operations, wanted = self.explore(operation)
        for name in self.OPERATIONS:
            times = range(1, operations[name] + 1, self.STEPS.get(name, 1))
            survived = 0
            for n in times:
                error = errors_of(name)[0]
                with self.case(operation=operation, barred=name, n=n, error=error):
                    self.bar(operation, name, n, error)
                    self.wait_done(operation)
                    self.assert_reached(operation, wanted)
                    self.assert_restored()
                    survived += 1
            print(f"    {operation:8}{name:22}{len(times):4} barred,{survived:4} survived",
                  flush=True)

    def test_up(self):
        self.bar_everywhere("up")

    def test_change(self):
        self.bar_everywhere("change")

    def test_down(self):
        self.bar_everywhere("down")

    def test_restart(self):
        self.bar_everywhere("restart")


class Gone(FaultCase):
    """NetworkManager, or the bus, dies while the service is at work."""

    POINTS = ("apply.begin", "apply.rules", "apply.taken")

    def at_points(self, kill):
        for operation in ("up", "change", "down"):
            for point in self.POINTS:
                with self.case(operation=operation, point=point):
                    self.begin(operation, f"{point} 1 stop")
                    pid = self.stop_or_end(operation)
                    self.assertTrue(pid, "this point is not reached any more")
                    kill(pid)
                    self.assert_safe("alone")
                    self.lpar.connected()
                    self.faults.begin()
                    # The profile that was to be, whatever NetworkManager made of it.
                    self.lpar.up(NAME)
                    self.assertEqual(self.lpar.service_state(NAME), "active")
                    self.assert_restored()
                    print(f"    {operation:8}{point:14} survived", flush=True)

    def without_nm(self, pid):
        self.lpar.kill_nm()
        self.faults.resume(pid)
        self.lpar.wait_for(self.faults.idle, 10, "the service is done")
        self.assert_safe("without NetworkManager")
        self.lpar.start_nm()

    def test_networkmanager(self):
        self.at_points(self.without_nm)

    def without_bus(self, pid):
        self.lpar.kill_nm()
        self.lpar.kill_bus()
        self.faults.resume(pid)
        self.lpar.wait_for(lambda: not self.faults.lives(pid), 10, "the service ends")
        self.assert_safe("without a bus")
        self.lpar.start_daemons()

    def test_bus(self):
        self.at_points(self.without_bus)


class Journal(FaultCase):
    """What says what the host was before is lost, damaged, or not to be trusted."""

    PATH = f"{RUNTIME}/journal"

    def spoil(self, script):
        """An active network, whose journal that script changes while the service is dead."""
        self.prepare_down()
        self.lpar.signal_service(signal.SIGKILL)
        self.lpar.sh(script)
        return self.log_size()

    def assert_goes_on(self):
        self.lpar.wait_state(NAME, "active")
        self.assertTrue(self.lpar.guests["guest1"].ping("10.10.10.10"))
        self.assert_restored()

    def refuse(self, why, script):
        size = self.spoil(script)
        # Others must not start the service for ever for the sake of what is set aside.
        self.addCleanup(self.lpar.run, "rm", "-rf", f"{self.PATH}.refused")
        self.lpar.wait_state(NAME, "active")
        said = self.log_since(size)
        self.assertIn(f"{self.PATH} is not used: {why}; it must be a file of root", said)
        self.assertIn(f"it is called {self.PATH}.refused now", said)
        self.assertIn("what o5s_10g_1 had before kvm-routed is not known any more: it will get "
                      "the defaults back, proxy_delay=80, proxy_arp=0, forwarding=0", said)
        self.lpar.run("test", "-e", f"{self.PATH}.refused")
        self.lpar.run("rm", "-rf", f"{self.PATH}.refused")
        self.assert_goes_on()

    def test_of_another_user(self):
        self.refuse("it belongs to another user", f"chown 65534 {self.PATH}")

    def test_written_by_others(self):
        self.refuse("others may write to it", f"chmod 622 {self.PATH}")

    def test_a_link_to_elsewhere(self):
        """What lies there stays as it is."""
        elsewhere = "/run/elsewhere"
        self.refuse("it is a symbolic link",
                    f"mv {self.PATH} {elsewhere}; ln -s {elsewhere} {self.PATH}")
        self.assertIn("forwarding=0", self.lpar.run("cat", elsewhere).stdout)

    def test_no_file(self):
        self.refuse("it is no regular file", f"rm {self.PATH}; mkdir {self.PATH}")

    def test_truncated(self):
        """Wherever it was cut: in a line, or between two."""
        self.prepare_down()
        text = self.faults.journal()["journal"]
        ends = [match.end() for match in re.finditer("\n", text)][:-1]
        self.assertGreater(len(ends), 15)
        for kept in (0, *ends[::2], *(end - 1 for end in ends[1::2])):
            with self.subTest(kept=kept):
                self.spoil(f"truncate -s {kept} {self.PATH}")
                self.assert_goes_on()

    def test_removed(self):
        self.spoil(f"rm {self.PATH}")
        self.assert_goes_on()

    def test_lost_before_down(self):
        """Nothing but our own rules tells which interfaces are ours."""
        for script in (f"truncate -s 0 {self.PATH}", f"rm {self.PATH}"):
            with self.subTest(script):
                self.spoil(script)
                self.assert_restored()

    def test_complete_is_believed(self):
        """What is not in a sound journal is not ours: it stays as the administrator set it."""
        key = "net/ipv4/conf/o5s_1g_1/forwarding"
        self.lpar.sysctl(key, 1)
        self.addCleanup(self.lpar.sysctl, key, 0)
        size = self.spoil("true")
        self.lpar.wait_state(NAME, "active")
        self.lpar.down(NAME)
        self.assertEqual(self.lpar.sysctl(key), "1")
        self.assertNotIn("not known any more", self.log_since(size))

    def test_nobody(self):
        """Who is not root can neither write it nor be the service."""
        self.prepare_down()
        host, journal = self.faults.host(), self.faults.journal()
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        for script in (f"echo > {self.PATH}", f"rm -f {self.PATH}", f"cat {self.PATH}",
                       f"ln -s /dev/null {self.PATH}.new", f"mv {self.PATH} /tmp/journal"):
            result = self.lpar.run(*nobody, "sh", "-c", script, check=False)
            self.assertNotEqual(result.returncode, 0, script)
            self.assertIn("Permission denied", result.stderr)
        result = self.lpar.run(*nobody, "/usr/libexec/nm-kvm-routed", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(RUNTIME, result.stderr)
        self.assertEqual((self.faults.host(), self.faults.journal()), (host, journal))
        self.assert_goes_on()


class NoTrace(unittest.TestCase):
    """Who installs the product has nothing of all this."""

    @staticmethod
    def traces(root):
        return {str(path.relative_to(root)) for path in pathlib.Path(root).rglob("*")
                if path.is_file() and not path.is_symlink()
                and any(word in path.read_bytes() for word in (DIRECTORY.encode(), b"kvmr_fault"))}

    def test_normal_build(self):
        self.assertEqual(self.traces(product.installed()), set())

    def test_lab_build(self):
        self.assertEqual(self.traces(product_with_faults()), {"usr/libexec/nm-kvm-routed"})


if __name__ == "__main__":
    labcase.main()
