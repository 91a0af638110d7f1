# SPDX-License-Identifier: GPL-2.0-or-later
"""The dispatcher program under the real nm-dispatcher, and called by hand."""

import signal
import time

import labcase
from bus import Bus
from lpar import BUS_NAME

SYSTEMS = "all"

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
PROGRAM = "/usr/lib/NetworkManager/dispatcher.d/90-kvm-routed"
SCRIPTS = "/etc/NetworkManager/dispatcher.d"
TIMEOUT = 10  # seconds that the program waits for the service
AT_ONCE = 2  # seconds, on a machine that has other things to do

# Tells of every event after our program, which it sorts behind.
LOG_EVENT = """\
#!/bin/sh
echo "$2 $1" >>/run/events
"""

# Keeps what is applied at this moment.
SNAPSHOT = """\
#!/bin/sh
[ "$1" = br-ex ] || exit 0
nft list ruleset >/run/snapshot.nft
ip route show proto kvm-routed >/run/snapshot.routes
cd /proc/sys/net/ipv4/conf
grep . */forwarding */proxy_arp >/run/snapshot.sysctl
"""


class Dispatcher(labcase.LabCase):
    """What the classes below share: an LPAR with a profile that is down."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)

    def load(self, text=None):
        """Let NetworkManager have the profile, not up."""
        text = text or self.lpar.profile(NAME)
        self.lpar.load_profile(text.replace("[connection]\n", "[connection]\nautoconnect=false\n"),
                               NAME)
        self.addCleanup(self.lpar.delete_profile, NAME)

    def script(self, name, text):
        self.lpar.write_file(f"{SCRIPTS}/{name}", text, "755")
        self.addCleanup(self.lpar.run, "rm", f"{SCRIPTS}/{name}")

    def events(self):
        """(action, interface) of all events that nm-dispatcher is done with."""
        return [tuple(line.split()) for line in
                self.lpar.sh("cat /run/events 2>/dev/null || true").stdout.splitlines()]

    def log_events(self):
        """From now on (again)."""
        self.lpar.sh("rm -f /run/events")
        self.lpar.write_file(f"{SCRIPTS}/99-log", LOG_EVENT, "755")

    def drain(self):
        """No event is under way any more."""
        self.log_events()
        self.lpar.nmcli("device", "reapply", "o5s_1g_1")
        self.lpar.wait_for(lambda: ("reapply", "o5s_1g_1") in self.events(), 20,
                           "nm-dispatcher is done with what was before")

    def stop_service(self):
        """No service runs, none is about to, and the last one left nothing to undo."""
        self.drain()
        self.lpar.signal_service(signal.SIGTERM)
        left = self.lpar.run("find", "/run/nm-kvm-routed", "-size", "+0", "-type", "f", check=False)
        self.assertEqual(left.stdout, "")

    def by_hand(self, *argv, uuid=UUID, program=PROGRAM, **environment):
        """Run the program as nm-dispatcher does: (exit status, standard error, seconds)."""
        if uuid is not None:
            environment["CONNECTION_UUID"] = uuid
        begin = time.monotonic()
        variables = [f"{key}={value}" for key, value in environment.items()]
        result = self.lpar.run("env", "-i", *variables, program, *argv, check=False)
        self.assertEqual(result.stdout, "")
        return result.returncode, result.stderr, time.monotonic() - begin


class Events(Dispatcher):
    """Under NetworkManager's own nm-dispatcher."""

    def test_pre_up_waits_until_all_is_applied(self):
        self.script("pre-up.d/99-snapshot", SNAPSHOT)
        self.load()
        self.lpar.up(NAME)
        files = {end: self.lpar.run("cat", f"/run/snapshot.{end}").stdout
                 for end in ("nft", "routes", "sysctl")}
        for table in ("arp", "ip", "ip6"):
            self.assertIn(f"table {table} kvm_routed", files["nft"])
        self.assertIn('"br-ex" . "o5s_10g_1" : accept', files["nft"])
        self.assertIn("10.136.12.0/24 via 172.31.56.2 dev hs56k_0", files["routes"])
        self.assertIn("10.137.12.0/24 via 172.31.56.2 dev hs56k_0", files["routes"])
        for device in ("br-ex", "o5s_10g_1", "hs56k_0", "hs57_0", "o5s_1g_1"):
            self.assertIn(f"{device}/forwarding:1", files["sysctl"])
        for device in ("br-ex", "o5s_10g_1"):
            self.assertIn(f"{device}/proxy_arp:1", files["sysctl"])

    def test_pre_down_waits_until_all_is_undone(self):
        before = self.lpar.settled_fingerprint()
        self.load()
        self.lpar.up(NAME)
        self.script("pre-down.d/99-snapshot", SNAPSHOT)
        self.lpar.nmcli("connection", "down", NAME)
        files = {end: self.lpar.run("cat", f"/run/snapshot.{end}").stdout
                 for end in ("nft", "routes", "sysctl")}
        self.assertEqual((files["nft"], files["routes"]), ("", ""))
        self.assertNotIn(":1", files["sysctl"])
        self.lpar.wait_for(lambda: not self.lpar.link("br-ex"), 10, "no br-ex")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_events_of_others_do_not_start_the_service(self):
        self.stop_service()
        self.load()  # a profile that is down is no reason either
        changes = self.bus.name_changes()
        self.log_events()
        self.lpar.nmcli("device", "disconnect", "o5s_10g_1")
        self.lpar.nmcli("connection", "up", "o5s_10g_1")
        self.lpar.nmcli("device", "reapply", "o5s_1g_1")
        wanted = {("down", "o5s_10g_1"), ("up", "o5s_10g_1"), ("reapply", "o5s_1g_1")}
        self.lpar.wait_for(lambda: wanted <= set(self.events()), 20, "all events")
        self.bus.settle(0.2)
        self.assertEqual(changes, [])
        self.assertIsNone(self.lpar.service_pid())

    def test_our_event_starts_the_service(self):
        self.stop_service()
        self.load()
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.wait_for(self.lpar.service_pid, 20, "the service")
        self.lpar.wait_state(NAME, "active", 10)

    def test_hung_service_delays_no_longer_than_it_may(self):
        self.load()
        self.drain()
        self.bus.version()
        pid = self.lpar.service_pid()
        self.lpar.run("kill", "-STOP", str(pid))
        self.addCleanup(self.lpar.run, "kill", "-CONT", str(pid))
        begin = time.monotonic()
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.wait_for(lambda: self.lpar.devices().get("br-ex") == "connected", 30,
                           "br-ex connected", interval=0.1)
        # NetworkManager itself waits 2 s for ports of the bridge.
        self.assertGreater(time.monotonic() - begin, TIMEOUT - 1)
        self.assertLess(time.monotonic() - begin, TIMEOUT + 6)
        self.lpar.run("kill", "-CONT", str(pid))
        self.lpar.wait_state(NAME, "active", 10)
        self.lpar.wait_for(lambda: ("up", "br-ex") in self.events(), 15, "the dispatcher is free")
        said = f"pre-up of br-ex: the service nm-kvm-routed did not answer within {TIMEOUT} s"
        self.assertIn(said, self._log())

    def test_dead_service_is_started_by_the_next_event(self):
        self.load()
        self.lpar.up(NAME)
        before = self.lpar.settled_fingerprint()
        network = self.lpar.network(NAME)
        pid = self.lpar.service_pid()
        self.lpar.signal_service(signal.SIGKILL)
        self.assertEqual(self.lpar.fingerprint(), before)
        self.lpar.nmcli("device", "reapply", "o5s_1g_1")
        self.lpar.wait_for(self.lpar.service_pid, 10, "the service")
        self.assertNotEqual(self.lpar.service_pid(), pid)
        self.assertEqual(self.lpar.network(NAME), network)
        self.assertEqual(self.lpar.fingerprint(), before)

    def test_down_while_the_service_is_dead(self):
        """What the dead one left is undone all the same."""
        before = self.lpar.settled_fingerprint()
        self.load()
        self.lpar.up(NAME)
        self.lpar.signal_service(signal.SIGKILL)
        self.lpar.nmcli("connection", "down", NAME)
        self.lpar.wait_for(lambda: not self.lpar.link("br-ex"), 20, "no br-ex")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_failed_network_is_told(self):
        self.load(self.lpar.profile(NAME).replace("172.31.56.2", "192.0.2.1"))
        self.log_events()
        self.lpar.up(NAME, state="failed")
        self.lpar.wait_for(lambda: ("up", "br-ex") in self.events(), 10, "all events")
        self.assertRegex(self._log(), r"(?m)^kvm-routed: .*br-ex.* failed: gateway 192\.0\.2\.1 of "
                                      r"peer 10\.136\.12\.0/24")

    def _log(self):
        """What programs of nm-dispatcher, which the bus started, wrote to standard error."""
        return self.lpar.logs["dbus"].read_text(encoding="utf-8")


class ByHand(Dispatcher):
    """The program itself: exit status and what it says."""

    def test_events_that_are_not_ours(self):
        self.stop_service()
        cases = [
            (("br-ex", "hostname"), {}), (("br-ex", "connectivity-change"), {}),
            (("none", "hostname"), {"uuid": None}), (("br-ex", "dhcp4-change"), {}),
            (("br-ex", "vpn-up"), {}), (("br-ex", "UP"), {}), (("br-ex", ""), {}),
            (("br-ex", "%s%n"), {}), (("br-ex", "up\n"), {}),
            (("br-ex", "up"), {"uuid": None}), (("br-ex", "up"), {"uuid": ""}),
            (("", "up"), {}), (("br-ex-that-is-too-long", "up"), {}), (("../br-ex", "up"), {}),
            (("br-ex;reboot", "up"), {}), (("%n%n", "up"), {}), (("br\nex", "up"), {}),
            # nobody has such a profile, and nothing is left to undo
            (("br-ex", "pre-up"), {}), (("br-ex", "up"), {}), (("br-ex", "pre-down"), {}),
            (("br-ex", "down"), {}), (("br-ex", "reapply"), {}),
            (("o5s_10g_1", "up"), {"uuid": self._uuid("o5s_10g_1")}),
        ]
        for argv, options in cases:
            with self.subTest(argv, **options):
                status, said, seconds = self.by_hand(*argv, **options)
                self.assertEqual((status, said), (0, ""))
                self.assertLess(seconds, AT_ONCE)
        self.assertIsNone(self.lpar.service_pid())

    def _uuid(self, name):
        return self.lpar.nmcli("-g", "connection.uuid", "connection", "show", name).strip()

    def test_hostile_uuids(self):
        self.stop_service()
        for uuid in ("x", UUID + " ", UUID + "\n", "../" + UUID, "%s%n%s%n", "a" * 100_000,
                     "0" * 41, "b\u00e4d", "\x7f", '" ; reboot'):
            with self.subTest(uuid[:60]):
                status, said, seconds = self.by_hand("br-ex", "up", uuid=uuid)
                self.assertNotEqual(status, 0)
                self.assertRegex(said, r"\Akvm-routed: [^\n]*CONNECTION_UUID[^\n]*\n\Z")
                self.assertLess(len(said), 300)
                self.assertLess(seconds, AT_ONCE)
        self.assertIsNone(self.lpar.service_pid())

    def test_wrong_arguments(self):
        for argv in ((), ("br-ex",), ("br-ex", "up", "more"), ("--help",)):
            with self.subTest(argv):
                status, said, seconds = self.by_hand(*argv)
                self.assertNotEqual(status, 0)
                self.assertRegex(said, r"\Akvm-routed: [^\n]*dispatcher[^\n]*\n\Z")
                self.assertLess(seconds, AT_ONCE)

    def test_the_environment_decides_nothing_else(self):
        """NetworkManager's other variables, and some that programs are known to heed."""
        self.stop_service()
        environment = {"CONNECTION_ID": "guests11; reboot", "CONNECTION_FILENAME": "/etc/shadow",
                       "DEVICE_IFACE": "../..", "PATH": "/nowhere", "LC_ALL": "xx_XX",
                       "TMPDIR": "/nowhere", "RUNTIME_DIRECTORY": "/etc"}
        status, said, seconds = self.by_hand("br-ex", "up", **environment)
        self.assertEqual((status, said), (0, ""))
        self.assertLess(seconds, AT_ONCE)
        self.assertIsNone(self.lpar.service_pid())

    def test_no_bus(self):
        status, said, seconds = self.by_hand("br-ex", "up",
                                             DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nowhere")
        self.assertNotEqual(status, 0)
        self.assertRegex(said, r"\Akvm-routed: up of br-ex: [^\n]+\n\Z")
        self.assertLess(seconds, AT_ONCE)

    def test_networks_of_ours(self):
        self.load()
        self.lpar.up(NAME)
        for action in ("pre-up", "up", "reapply"):
            for program in (PROGRAM, PROGRAM.replace(".d/", ".d/pre-up.d/")):
                self.assertEqual(self.by_hand("br-ex", action, program=program)[:2], (0, ""))
        # A degraded network is up; what it lacks is said.
        self.lpar.nmcli("device", "disconnect", "hs56k_0")
        self.addCleanup(self.lpar.nmcli, "connection", "up", "hs56k_0")
        self.lpar.wait_state(NAME, "degraded", 10)
        status, said, _ = self.by_hand("br-ex", "up")
        self.assertEqual(status, 0)
        self.assertRegex(said, r"\Akvm-routed: [^\n]*br-ex[^\n]* degraded: [^\n]*hs56k_0[^\n]*\n\Z")

    def test_service_that_cannot_start(self):
        self.stop_service()
        self.load()
        path = f"/usr/share/dbus-1/system-services/{BUS_NAME}.service"
        file = self.lpar.run("cat", path).stdout
        self.lpar.write_file(path, file.replace("Exec=", "Exec=/nowhere"))
        self.addCleanup(self._reload_bus)
        self.addCleanup(self.lpar.write_file, path, file)
        self._reload_bus()
        status, said, seconds = self.by_hand("br-ex", "up")
        self.assertNotEqual(status, 0)
        self.assertRegex(said, r"\Akvm-routed: up of br-ex: [^\n]+\n\Z")
        self.assertIn("nm-kvm-routed", said)
        self.assertLess(seconds, AT_ONCE)

    def _reload_bus(self):
        self.bus.call("ReloadConfig", path="/org/freedesktop/DBus",
                      interface="org.freedesktop.DBus", name="org.freedesktop.DBus")


if __name__ == "__main__":
    labcase.main()
