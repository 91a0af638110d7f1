# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service cannot do: that it runs in the lab as systemd's unit would have it, and that the
unit starts it again."""

import re
import signal

import labcase
import product
import sandbox
from bus import Bus

BUILD_KIND = "plain"
SYSTEMS = "machine"

NAME = "guests11"
UNIT = product.TOP / "data/nm-kvm-routed.service.in"
NUMBERS = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13}

# Each writes "no" if it could not, else what it got. In one process, which then is confined as the
# service is; Python alone, as there may be nothing to run.
PROBES = """\
import ctypes, mmap, os, socket

libc = ctypes.CDLL(None, use_errno=True)
def no(name, action):
    try:
        print(name, action())
    except (OSError, PermissionError) as error:
        print(name, "no")
def call(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result
def proc(name):
    with open(name) as file:
        return len(file.read()) > 0
no("nothing", lambda: "yes")
no("write-etc", lambda: open("/etc/probe", "w"))
no("write-usr", lambda: open("/usr/probe", "w"))
no("write-tmp-of-others", lambda: os.path.exists("/tmp/kvmr-probe"))
no("write-state", lambda: open("/run/nm-kvm-routed/probe", "w").close())
no("write-sysctl", lambda: open("/proc/sys/net/ipv4/conf/lo/forwarding", "r+").close())
no("read-root", lambda: os.listdir("/root"))
no("others-environment", lambda: proc("/proc/1/environ"))
no("inet", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())
no("inet6", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
no("vsock", lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM))
no("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close())
no("mount", lambda: call(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None)))
no("unshare", lambda: call(libc.unshare(0x40000000)))
no("setns", lambda: call(libc.setns(0, 0)))
no("chroot", lambda: os.chroot("/"))
no("chown", lambda: os.chown("/run/nm-kvm-routed/probe", 1, 1))
no("setuid", lambda: os.setuid(1))
no("priority", lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))
no("code", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC))
no("ptrace", lambda: call(libc.ptrace(16, 1, 0, 0)))
no("bpf", lambda: call(libc.syscall(321, 0, 0, 0)))
no("module", lambda: call(libc.syscall(175, 0, 0, b"")))
no("host-name", lambda: socket.sethostname("probe"))
os.unlink("/run/nm-kvm-routed/probe")
"""
ALLOWED = {"nothing": "yes", "write-state": "None", "write-sysctl": "None", "inet": "None",
           "packet": "None", "write-tmp-of-others": "False"}


class Service(labcase.LabCase):
    """One LPAR's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.unit = sandbox.read_unit(UNIT)

    def _status(self):
        with Bus(self.lpar) as bus:
            bus.version()
        text = self.lpar.run("cat", f"/proc/{self.lpar.service_pid()}/status").stdout
        return dict(line.split(":\t", 1) for line in text.splitlines())


class Confined(Service):
    """As in all tests of the lab."""

    def test_the_service_is_as_the_unit_has_it(self):
        status = self._status()
        mask = sum(1 << NUMBERS[name] for name in self.unit["CapabilityBoundingSet"][0].split())
        for name in ("CapEff", "CapPrm", "CapBnd"):
            self.assertEqual(int(status[name], 16), mask, name)
        for name in ("CapInh", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        self.assertGreaterEqual(int(status["Seccomp_filters"]), 3)
        self.assertEqual(status["Umask"], self.unit["UMask"][0])
        self.assertEqual(status["Name"], "nm-kvm-routed")
        environment = self.lpar.run("cat", f"/proc/{self.lpar.service_pid()}/environ").stdout
        for assignment in self.unit["Environment"]:
            self.assertIn(assignment, environment.split("\0"))

    def test_also_in_its_next_life(self):
        self._status()
        self.lpar.signal_service(signal.SIGKILL)
        self.assertEqual(self._status()["Seccomp"], "2")

    def test_systemd_starts_it_again(self):
        """Whatever ended it but itself, and however often."""
        text = UNIT.read_text(encoding="utf-8")
        self.assertEqual(self.unit["Restart"], ["on-failure"])
        self.assertEqual(self.unit["RestartSec"], ["1s"])
        self.assertIn("\nStartLimitIntervalSec=0\n", text)
        for key in ("RestartPreventExitStatus", "SuccessExitStatus", "RestartForceExitStatus"):
            self.assertNotIn(key, text)


class WithMounts(Service):
    """Where it also sees the host read-only, as in no other test of the lab."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._set(mounts=True)
        cls.addClassCleanup(cls._set)

    @classmethod
    def _set(cls, **options):
        cls.lpar.set_service_command("/usr/libexec/nm-kvm-routed", **options)
        with Bus(cls.lpar) as bus:
            bus.call("ReloadConfig", path="/org/freedesktop/DBus",
                     interface="org.freedesktop.DBus", name="org.freedesktop.DBus")
        cls.lpar.signal_service()

    def test_it_sees_a_host_that_it_cannot_write(self):
        self._status()
        lines = self.lpar.run("cat", f"/proc/{self.lpar.service_pid()}/mountinfo").stdout
        options = {line.split()[4]: line.split()[5].split(",") for line in lines.splitlines()}
        writable = {path for path, words in options.items() if "ro" not in words}
        for path in ("/", "/usr", "/etc", "/etc/NetworkManager", "/run", "/sys"):
            self.assertIn("ro", options[path], path)
        self.assertIn("/run/nm-kvm-routed", writable)
        # /proc twice: the LPAR's lies below the one that hides other users' processes.
        self.assertLessEqual({path for path in writable if not path.startswith("/dev")},
                             {"/run/nm-kvm-routed", "/proc", "/tmp", "/var/tmp", "/home", "/root"})

    def test_what_it_cannot_do(self):
        """By another program in its place."""
        self.lpar.sh("mkdir -p /run/nm-kvm-routed; touch /tmp/kvmr-probe")
        self.addCleanup(self.lpar.run, "rm", "/tmp/kvmr-probe")
        command = self.lpar.run("cat", "/usr/share/dbus-1/system-services/"
                                "org.freedesktop.NetworkManager.KvmRouted.service").stdout
        argv = re.search(r"Exec=(.*) /usr/libexec/nm-kvm-routed\n", command)[1].split()
        done = self.lpar.run(*argv, "/usr/bin/python3", "-c", PROBES)
        found = dict(line.split(" ", 1) for line in done.stdout.splitlines())
        probed = re.findall(r'no\("([-a-z0-9]+)"', PROBES)
        self.assertEqual(set(found), set(probed))
        self.assertEqual(found, {name: ALLOWED.get(name, "no") for name in probed})
        # What is refused here is there without.
        free = self.lpar.run("/usr/bin/python3", "-c", "import os; os.listdir('/root'); "
                             "open('/etc/probe', 'w'); os.chroot('/')")
        self.assertEqual(free.stderr, "")

    def test_it_does_all_it_is_for(self):
        """Up, healing, the tool's commands, another life, down: as without."""
        before = self.lpar.settled_fingerprint()
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.addCleanup(self.lpar.delete_profile, NAME)
        self.lpar.up(NAME)
        self.assertIn("hidepid", self.lpar.run(
            "cat", f"/proc/{self.lpar.service_pid()}/mountinfo").stdout)
        self.assert_reaches("lpar11/guest1", "10.10.10.10", server="lanserver")
        rules = self.lpar.run("nft", "list", "tables").stdout
        self.lpar.sh("nft flush ruleset; echo 0 >/proc/sys/net/ipv4/conf/br-ex/proxy_arp")
        self.lpar.wait_for(lambda: self.lpar.run("nft", "list", "tables").stdout == rules and
                           self.lpar.sysctl("net/ipv4/conf/br-ex/proxy_arp") == "1", 10,
                           "all is as it was")
        verified = self.lpar.run("kvm-routedctl", "verify", check=False)
        self.assertIn(" 0 failed", verified.stdout, verified)
        explained = self.lpar.run("kvm-routedctl", "explain", "10.136.11.1", "10.10.10.10")
        self.assertIn("10.10.10.10", explained.stdout)
        self.lpar.signal_service(signal.SIGKILL)
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.lpar.down(NAME)
        self.lpar.wait_for(lambda: self.lpar.fingerprint() == before, 10, "nothing is left")


if __name__ == "__main__":
    labcase.main()
