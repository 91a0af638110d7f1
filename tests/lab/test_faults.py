# SPDX-License-Identifier: GPL-2.0-or-later
"""A crash anywhere, and a journal that cannot be used: never unsafe, and restored in the end."""

import pathlib
import re
import signal
import unittest

import labcase
import product
from faultcase import NAME, FaultCase
from faults import DIRECTORY, RUNTIME, product_with_faults


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
        self.assertGreaterEqual(len(points), 3)

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


class Journal(FaultCase):
    """What says what the host was before is lost, damaged, or not to be trusted."""

    PATH = f"{RUNTIME}/journal"

    def spoil(self, script):
        """An active network, whose journal that script changes while the service is dead."""
        self.prepare_down()
        self.kill_service()
        size = self.log_size()
        self.lpar.sh(script)
        return size

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
        traces = {pathlib.Path(name).name for name in self.traces(product_with_faults())}
        self.assertEqual(traces, {"nm-kvm-routed", "kvm-routed-networkmanager.so"})


if __name__ == "__main__":
    labcase.main()
