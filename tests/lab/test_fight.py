# SPDX-License-Identifier: GPL-2.0-or-later
"""Others that undo at once what is put back, and others that let nothing be put back: no fight, and
nothing is answered for or forwarded without its filter."""

import contextlib
import json
import signal
import subprocess

import labcase
from bus import Bus
from drifts import HIPERSOCKETS, LAN, SWITCH, UPLINK
from kernelwatch import KernelWatch

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
LINKS = (UPLINK, HIPERSOCKETS, "hs57_0", "o5s_1g_1", SWITCH)

# Undoes at once, for as long as it runs, what the kernel says was changed: not by polling, so that
# it is as quick as the service.
FOLLOW = """
import select, socket, subprocess, sys
protocol, group, argv = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
events.bind((0, 0))
events.setsockopt(270, 1, group)
print("ready", flush=True)
while True:
    subprocess.run(argv, stderr=subprocess.DEVNULL)
    select.select([events], [], [])
    while select.select([events], [], [], 0)[0]:
        events.recv(1 << 16)
"""
ROUTES, NETCONF, NFTABLES = (0, 7), (0, 24), (12, 7)

# Keeps a table of our name, which nobody else can change or delete then.
OWNER = """
add table arp kvm_routed { flags owner; }
add chain arp kvm_routed theirs
"""


class Fight(labcase.LabCase):
    profiles_up = False

    def setUp(self):
        self.maxDiff = None
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]
        self.before = self.lpar.settled_fingerprint()
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.addCleanup(self.lpar.nmcli, "connection", "delete", NAME, check=False)
        self.lpar.up(NAME)

    @contextlib.contextmanager
    def opponent(self, events, *argv):
        """Somebody who runs a command whenever such events come."""
        process = self.lpar.popen("/usr/bin/python3", "-c", FOLLOW, *map(str, events), *argv,
                                  stdout=subprocess.PIPE, text=True)
        try:
            self.assertEqual(process.stdout.readline(), "ready\n")
            yield
        finally:
            process.kill()

    def fight(self):
        """The finding, once there is one."""
        def found():
            network = self.lpar.network(NAME)
            return [finding for finding in network["findings"] if finding["code"] == "fight"]

        return self.lpar.wait_for(found, 20, "a finding: fight", interval=0.1)

    def assert_quiet(self, watch, *what):
        """It is given up: no more of these events come."""
        self.lpar.settled_fingerprint(1)
        before = len(watch.happened(*what))
        self.lpar.run("ip", "address", "add", "192.0.2.99/32", "dev", "lo")
        self.lpar.run("ip", "address", "del", "192.0.2.99/32", "dev", "lo")
        self.lpar.settled_fingerprint(0.5)
        self.assertEqual(watch.happened(*what)[before:], [])

    def value(self, link, key):
        return self.lpar.sysctl(f"net/ipv4/conf/{link}/{key}")

    def assert_heals(self, reapply=True):
        if reapply:
            self.lpar.nmcli("device", "reapply", SWITCH)
        self.lpar.wait_state(NAME, "active", 40)
        self.assertEqual(self.lpar.network(NAME)["findings"], [])
        self.assertTrue(self.guest.ping(LAN))

    def assert_goes_down(self):
        self.lpar.down(NAME)
        self.assertEqual(self.lpar.settled_fingerprint(), self.before)

    # -- what is undone at once

    def test_value(self):
        with KernelWatch(self.lpar) as watch, \
                self.opponent(NETCONF, "sysctl", "-q", "-w", f"net.ipv4.conf.{UPLINK}.forwarding=0"):
            finding, = self.fight()
            self.assertEqual((finding["severity"], finding["interface"]), ("warning", UPLINK))
            self.assertIn(f"forwarding of {UPLINK}", finding["message"])
            self.assertEqual(self.lpar.service_state(NAME), "degraded")
            self.assert_quiet(watch, "value", UPLINK)
            self.assertTrue(self.guest.ping("172.18.0.100"), "the rest works")
            link = next(link for link in self.lpar.network(NAME)["links"]
                        if link["name"] == UPLINK)
            self.assertFalse(link["forwarding"])
        self.assert_heals()
        self.assert_goes_down()

    def test_tried_again_by_itself(self):
        with self.opponent(NETCONF, "sysctl", "-q", "-w", f"net.ipv4.conf.{UPLINK}.forwarding=0"):
            self.fight()
        self.assert_heals(reapply=False)

    def test_taken_up_by_the_bus(self):
        with self.opponent(NETCONF, "sysctl", "-q", "-w", f"net.ipv4.conf.{UPLINK}.proxy_arp=0"):
            self.fight()
        with Bus(self.lpar) as bus:
            bus.call("Reapply", "(s)", UUID)
        self.assertEqual(self.value(UPLINK, "proxy_arp"), "1")
        self.assertEqual(self.lpar.service_state(NAME), "active")

    def test_routes(self):
        with KernelWatch(self.lpar) as watch, \
                self.opponent(ROUTES, "ip", "route", "flush", "proto", "136"):
            finding, = self.fight()
            self.assertEqual((finding["severity"], finding["interface"]),
                             ("warning", HIPERSOCKETS))
            network = self.lpar.wait_state(NAME, "degraded")
            self.assertFalse(any(peer["installed"] for peer in network["peers"]))
            self.assert_quiet(watch, "route", "new")
            self.assertTrue(self.guest.ping(LAN))
        self.assert_heals()
        self.assert_goes_down()

    def assert_closed(self):
        for link in LINKS:
            self.assertEqual(self.value(link, "forwarding"), "0", link)
            self.assertEqual(self.value(link, "proxy_arp"), "0", link)

    def assert_closed_in_order(self, watch):
        """From the kernel's events: when the last proxy_arp went off forwarding was still on."""
        def off(key):
            return [event for event in watch.happened("value")
                    if event.what[2:] == (key, 0) and event.what[1] in LINKS]

        watch.wait(lambda: len(off("forwarding")) == len(LINKS), 20, "forwarding is off")
        events = watch.events
        proxies = [events.index(event) for event in off("proxy_arp")]
        forwarding = [events.index(event) for event in off("forwarding")]
        self.assertEqual(len(proxies), 2, off("proxy_arp"))  # the uplink and the guests
        self.assertLess(max(proxies), min(forwarding))

    def _tables(self, *argv):
        with KernelWatch(self.lpar) as watch, self.opponent(NFTABLES, *argv):
            finding, = self.fight()
            self.assertEqual(finding["severity"], "error")
            self.lpar.wait_state(NAME, "failed")
            self.assert_closed_in_order(watch)
            self.assert_closed()
            self.assert_quiet(watch, "rules", "nm-kvm-routed")
            self.assertFalse(self.guest.ping(LAN).received)
            self.assertTrue(self.guest.ping("10.136.11.2"), "scenario I works")
        with KernelWatch(self.lpar) as watch:
            self.assert_heals()
            self.assert_opened_in_order(watch)
        self.assert_goes_down()

    def assert_opened_in_order(self, watch):
        """The tables are there before anything is answered for or forwarded."""
        whole = {"arp", "ip", "ip6"}
        first = next(event.time for event in watch.happened("rules")
                     if set(event.what[2]) == whole)
        on = [event for event in watch.happened("value") if event.what[3] == 1]
        self.assertTrue(on)
        # Two sockets: of the same moment the order is not known, but of a transaction it is.
        self.assertLessEqual(first, min(event.time for event in on) + 0.05)

    def test_rule_set_flushed(self):
        self._tables("nft", "flush", "ruleset")

    def test_arp_filter_deleted(self):
        self._tables("nft", "delete", "table", "arp", "kvm_routed")

    def test_forward_chain_flushed(self):
        self._tables("nft", "flush", "chain", "ip", "kvm_routed", "forward")

    def test_cannot_be_allowed(self):
        text = self.lpar.profile(NAME).replace("[kvm-routed]\n", "[kvm-routed]\nallow=fight\n")
        result = self.lpar.run("kvm-routedctl", "check", "-", input=text, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("fight", result.stdout + result.stderr)

    def test_down_during_the_fight(self):
        with self.opponent(NFTABLES, "nft", "flush", "chain", "ip", "kvm_routed", "forward"):
            self.fight()
            self.lpar.down(NAME)
        self.assertEqual(self.lpar.settled_fingerprint(), self.before)

    def test_service_killed_during_the_fight(self):
        """Its next life fights anew, gives up anew, and restores what its first life found."""
        with self.opponent(NETCONF, "sysctl", "-q", "-w", f"net.ipv4.conf.{UPLINK}.proxy_arp=0"):
            self.fight()
            self.lpar.signal_service(signal.SIGKILL)
            self.lpar.wait_for(lambda: self.lpar.service_state(NAME) == "degraded", 20, "degraded")
            self.fight()
        self.assert_heals()
        self.assert_goes_down()

    # -- what cannot be put back

    @contextlib.contextmanager
    def owner(self):
        """Somebody flushes everything and then owns a table of our name, as long as it lives."""
        process = self.lpar.popen("nft", "-i", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, text=True)
        try:
            process.stdin.write("flush ruleset; " + "; ".join(OWNER.strip().split("\n")) + "\n")
            process.stdin.flush()
            self.lpar.wait_for(lambda: "theirs" in self.lpar.run(
                "nft", "list", "ruleset").stdout, 10, "their table")
            yield
        finally:
            process.kill()

    def test_refused(self):
        with KernelWatch(self.lpar) as watch:
            # One transaction: nothing of ours can come between.
            self.lpar.run("nft", "-f", "-", input="flush ruleset\n")
            watch.healed()
        with KernelWatch(self.lpar) as watch:
            with self.owner():
                network = self.lpar.wait_state(NAME, "failed")
                self.assertIn("proxy ARP and forwarding are off", network["state-reason"])
                self.assert_closed_in_order(watch)
                self.assert_closed()
                self.assertFalse(self.guest.ping(LAN).received)
        # With its owner the table goes; the kernel says so, and everything is put back.
        with Bus(self.lpar) as bus:
            self.assertTrue(bus.owned())
        self.assert_heals(reapply=False)
        tables = json.loads(self.lpar.run("nft", "-j", "list", "tables").stdout)["nftables"]
        self.assertEqual({item["table"]["family"] for item in tables if "table" in item},
                         {"arp", "ip", "ip6"})
        self.assert_goes_down()

    def test_down_while_refused(self):
        with self.owner():
            self.lpar.wait_state(NAME, "failed")
            self.lpar.nmcli("connection", "down", NAME)
            self.lpar.wait_for(lambda: not self.lpar.link(SWITCH), 20, f"no {SWITCH}")
        self.lpar.wait_for(lambda: self.lpar.settled_fingerprint() == self.before, 20,
                           "the host is as before")


if __name__ == "__main__":
    labcase.main()
