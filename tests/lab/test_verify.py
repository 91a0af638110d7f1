# SPDX-License-Identifier: GPL-2.0-or-later
"""kvm-routedctl verify: nothing to complain of where all is well, and the right row where not."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import threading
import time

import labcase
import packets
from bus import Bus

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
UPLINK, HIPERSOCKETS, LAYER3, INTRANET = "o5s_10g_1", "hs56k_0", "hs57_0", "o5s_1g_1"
ZOS = "172.31.57.10"
PEER = "172.31.56.2"  # LPAR 12 on HiperSockets
PEER_GUESTS = ("10.136.12.254", "10.137.12.254")
LAN = "10.10.10.10"
SERVICES = ("10.10.10.10", "172.18.0.100", ZOS)


class Verify(labcase.LabCase):
    """Both LPARs are up, and a guest has spoken to everybody: so they are known."""

    profiles_up = True

    def setUp(self):
        self.lpar, self.other = self.cec["lpar11"], self.cec["lpar12"]
        for address in SERVICES:
            self.assertTrue(self.lpar.guests["guest1"].ping(address, count=1), address)

    def verify(self, *argv):
        """`kvm-routedctl verify --json`: (exit status, rows of guests11)."""
        done = self.lpar.run("kvm-routedctl", "verify", "--json", *argv, check=False)
        self.assertEqual(done.stderr, "")
        (network,) = json.loads(done.stdout)["networks"]
        self.assertEqual(network["id"], NAME)
        for row in network["rows"]:
            # One line each that a person can act on.
            self.assertTrue(row["detail"].isprintable(), row)
            self.assertEqual(bool(row["hint"]), row["result"] != "ok", row)
        return done.returncode, network["rows"]

    @staticmethod
    def choose(rows, check, interface=None, subject=None):
        return [row for row in rows if row["check"] == check
                and interface in (None, row["interface"]) and subject in (None, row["subject"])]

    def assert_row(self, rows, check, result, interface=None, subject=None, says=""):
        chosen = self.choose(rows, check, interface, subject)
        self.assertEqual([row["result"] for row in chosen], [result], (check, chosen or rows))
        self.assertIn(says, chosen[0]["detail"])
        return chosen[0]

    def assert_all_well(self):
        status, rows = self.verify()
        self.assertEqual([row for row in rows if row["result"] != "ok"], [])
        self.assertEqual(status, 0)
        return rows

    # -- all is well, or the service sees to it

    def test_all_is_well(self):
        for guest in self.lpar.guests.values():
            self.assertTrue(guest.ping(LAN, count=1), guest.name)
        rows = self.assert_all_well()
        for check, interface, subject in (
                ("state", "br-ex", NAME), ("rules", "", None), ("routes", "", None),
                ("values", "", None), ("interface", "br-ex", "MTU"),
                ("interface", "br-ex", "MAC"), ("peer-gateway", HIPERSOCKETS, PEER),
                ("peer-guests", HIPERSOCKETS, PEER_GUESTS[0]),
                ("peer-guests", HIPERSOCKETS, PEER_GUESTS[1]), ("partner", LAYER3, ZOS),
                ("lan", UPLINK, None), ("lan", INTRANET, "172.18.0.100"),
                ("duplicate", UPLINK, None), ("guests", "br-ex", "")):
            self.assert_row(rows, check, "ok", interface, subject)
        mtus = {row["interface"]: row["mtu"] for row in self.choose(rows, "path-mtu")}
        self.assertEqual(mtus, {UPLINK: 1500, INTRANET: 1500, HIPERSOCKETS: 57344, LAYER3: 57344})
        self.assertGreater(self.choose(rows, "peer-gateway")[0]["rtt"], 0)
        self.assertIn("4 of 4", self.choose(rows, "guests")[0]["detail"])

    def test_changes_nothing(self):
        # Counters may count the answers.
        before = self.lpar.settled_fingerprint()
        self.verify()
        self.assertEqual(self.lpar.fingerprint(), before)

    def test_table(self):
        text = self.lpar.run("kvm-routedctl", "verify", NAME).stdout
        self.assertRegex(text, r"\Aguests11 \(br-ex\): \d+ ok, 0 failed, 0 unknown\n\n"
                               r"  CHECK +SUBJECT +LINK +RESULT +FIGURE +DETAIL\n")
        self.assertRegex(text, rf"(?m)^  partner +{ZOS} +{LAYER3} +ok +\d+\.\d\d ms +answers$")
        self.assertNotIn("\033", text)

    def _service_is_quiet(self):
        """Not within the time between two of its questions."""
        with self.cec["lanserver"].capture("eth0", "arp") as seen:
            time.sleep(8)
        return not seen.matching(r"who-has .* tell 0\.0\.0\.0")

    def test_few_packets(self):
        """Each question is asked twice at most."""
        self.lpar.wait_for(self._service_is_quiet, 60, "the service asks nothing by itself")
        with self.cec["lanserver"].capture("eth0", "arp[6:2] = 1 or icmp[0] = 8") as seen:
            self.verify()
        asked = seen.matching(r"10\.131\.11\.254")
        self.assertGreater(len(asked), 2)
        # 6 guests' addresses and the server by ARP, the server by ping, small and large.
        self.assertLessEqual(len(asked), 2 * (6 + 1 + 2) + 1, asked)

    def test_the_service_answers_meanwhile(self):
        """And two at once do not disturb each other."""
        callers = [self.lpar.popen("kvm-routedctl", "verify", "--json", stdout=subprocess.DEVNULL)
                   for _ in range(2)]
        answers = []
        with Bus(self.lpar) as bus:
            while any(caller.running() for caller in callers):
                self.assertTrue(bus.version())
                answers.append(time.monotonic())
        self.assertEqual([caller.wait() for caller in callers], [0, 0])
        # The last second is one of waiting for answers to probes.
        last = [answer for answer in answers if 0.1 < answers[-1] - answer < 1]
        # One that does nothing else meanwhile answers the last question only.
        self.assertGreater(len(last), 2)

    def test_needs_a_right(self):
        done = self.lpar.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                             "kvm-routedctl", "verify", check=False)
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertRegex(done.stderr, r"\AError: Verify needs the authorization \S+\.verify, .*sudo")

    def test_killed_meanwhile(self):
        """The service that comes back answers instead; it numbers its objects anew."""
        self.lpar.down(NAME)
        self.lpar.up(NAME)
        with Bus(self.lpar) as bus:
            path = bus.networks()[UUID]["path"]
            with self.cec["lanserver"].capture("eth0", "arp") as seen:
                caller = self.lpar.popen("kvm-routedctl", "verify", "--json",
                                         stdout=subprocess.PIPE)
                # Of our guests the service asks by itself, too.
                self.lpar.wait_for(lambda: seen.matching(r"ff:ff,.*who-has 10\.10\.10\.10"),
                                   10, "the first probe")
                self.lpar.signal_service(signal.SIGKILL)
            (network,) = json.loads(caller.stdout.read())["networks"]
            self.assertIn(caller.wait(), (0, 3))
            self.assert_row(network["rows"], "peer-gateway", "ok", HIPERSOCKETS, PEER)
            self.assertNotEqual(bus.networks()[UUID]["path"], path)

    def test_unknown_network(self):
        done = self.lpar.run("kvm-routedctl", "verify", "guests99", check=False)
        self.assertEqual((done.returncode, done.stdout), (10, ""))

    def test_what_is_healed_is_well(self):
        self.lpar.run("nft", "flush", "chain", "ip", "kvm_routed", "refuse")
        self.lpar.run("ip", "route", "del", "10.136.12.0/24")
        self.lpar.wait_for(lambda: self.verify()[0] == 0, 20, "all is well again")

    def test_status_watch_draws_on_events_only(self):
        controller, terminal = pty.openpty()
        watch = self.lpar.popen("kvm-routedctl", "status", "--watch", stdin=subprocess.DEVNULL,
                                stdout=terminal)
        os.close(terminal)
        seen = []

        def read():
            with contextlib.suppress(OSError):
                while data := os.read(controller, 65536):
                    seen.append(data.decode(errors="replace"))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        self.lpar.wait_for(lambda: "arp-refused" in "".join(seen), 10, "the first screen")
        time.sleep(1)
        drawn = "".join(seen).count("\033[H\033[J")
        self.assertEqual(drawn, 1)
        self.lpar.run("ip", "link", "set", LAYER3, "down")
        self.addCleanup(self.lpar.wait_state, NAME, "active")
        self.addCleanup(self.lpar.nmcli, "connection", "up", LAYER3)
        self.lpar.wait_for(lambda: "not ready" in "".join(seen), 10, "the change is shown")
        self.assertEqual(watch.stop(signal.SIGINT), 0)
        reader.join(5)
        os.close(controller)

    # -- others are wrong, or the service cannot put it back

    def test_peer_network_down(self):
        self.other.down("guests12")
        self.addCleanup(self.other.up, "guests12")
        status, rows = self.verify()
        self.assertEqual(status, 3)
        self.assert_row(rows, "peer-gateway", "ok", HIPERSOCKETS, PEER)
        for address in PEER_GUESTS:
            self.assert_row(rows, "peer-guests", "unknown", HIPERSOCKETS, address,
                            f"though {PEER} does")

    def test_peer_gone(self):
        self.other.run("ip", "link", "set", HIPERSOCKETS, "down")
        self.addCleanup(self.other.wait_state, "guests12", "active")
        self.addCleanup(self.other.nmcli, "connection", "up", HIPERSOCKETS)
        status, rows = self.verify()
        self.assertEqual(status, 1)
        self.assert_row(rows, "peer-gateway", "failed", HIPERSOCKETS, PEER, "does not answer")
        self.assert_row(rows, "peer-guests", "unknown", HIPERSOCKETS, PEER_GUESTS[0],
                        f"nor does {PEER}")

    def test_own_hipersockets_link_down(self):
        self.lpar.run("ip", "link", "set", HIPERSOCKETS, "down")
        self.addCleanup(self.lpar.wait_state, NAME, "active")
        self.addCleanup(self.lpar.nmcli, "connection", "up", HIPERSOCKETS)
        self.lpar.wait_state(NAME, "degraded")
        status, rows = self.verify()
        self.assertEqual(status, 1)
        self.assert_row(rows, "state", "failed", "br-ex", NAME, HIPERSOCKETS)
        self.assert_row(rows, "peer-gateway", "failed", "", PEER, "waits")
        self.assertEqual(self.choose(rows, "path-mtu", HIPERSOCKETS), [])

    def test_zos_gone(self):
        zos = self.cec["zos"]
        zos.run("ip", "address", "del", f"{ZOS}/32", "dev", "hs57_11")
        zos.run("ip", "address", "del", f"{ZOS}/32", "dev", "hs57_12")
        self.addCleanup(self._restore, zos)
        status, rows = self.verify()
        self.assertEqual(status, 3)
        self.assert_row(rows, "partner", "unknown", LAYER3, ZOS, "neighbour table")
        # Whom a route names must answer.
        self.lpar.run("ip", "route", "add", "192.0.2.0/24", "via", ZOS, "dev", LAYER3)
        self.addCleanup(self.lpar.run, "ip", "route", "del", "192.0.2.0/24")
        status, rows = self.verify()
        self.assertEqual(status, 1)
        self.assert_row(rows, "partner", "failed", LAYER3, ZOS, "a route goes through it")

    @staticmethod
    def _restore(zos):
        for link in zos.links:
            zos.ip_batch([f"address add {address} dev {link['name']}"
                          for address in link["addresses"]]
                         + [f"route replace {route} dev {link['name']}"
                            for route in link["routes"]])

    def test_somebody_else_answers_for_our_guests(self):
        """LPAR 12 goes out of kvm-routed's hands, and has proxy_arp without a filter; it has a
        route to our guests through HiperSockets."""
        self.other.down("guests12")
        self.addCleanup(self.other.up, "guests12")
        self.other.run("ip", "route", "add", "10.136.11.0/24", "via", "172.31.56.1")
        self.addCleanup(self.other.run, "ip", "route", "del", "10.136.11.0/24")
        for key in ("forwarding", "proxy_arp"):
            self.other.sysctl(f"net/ipv4/conf/{UPLINK}/{key}", 1)
            self.addCleanup(self.other.sysctl, f"net/ipv4/conf/{UPLINK}/{key}", 0)
        # With the kernel's own proxy_delay of up to 0.8 s.
        self.assertEqual(self.other.sysctl(f"net/ipv4/neigh/{UPLINK}/proxy_delay"), "80")
        status, rows = self.verify()
        self.assertEqual(status, 1)
        for address in ("10.136.11.254", "10.136.11.1"):
            self.assert_row(rows, "duplicate", "failed", UPLINK, address, self.other.mac(UPLINK))

    def test_router_gone(self):
        self.lpar.run("ip", "route", "add", "192.0.2.0/24", "via", "10.0.0.77", "dev", UPLINK)
        self.addCleanup(self.lpar.run, "ip", "route", "del", "192.0.2.0/24")
        status, rows = self.verify()
        self.assertEqual(status, 1)
        self.assert_row(rows, "lan", "failed", UPLINK, "10.0.0.77", "next hop")

    def test_smaller_mtu_on_the_way(self):
        """Frames that are too large for somebody are lost, and nobody says so."""
        self.other.run("ip", "link", "set", HIPERSOCKETS, "mtu", "8192")
        self.addCleanup(self.other.run, "ip", "link", "set", HIPERSOCKETS, "mtu", "57344")
        segment = self.cec.segments["hs"]
        port = next(link["ifname"] for link in segment.ip("link", "show", "master", "segment")
                    if link["ifname"].startswith("lpar12"))
        segment.run("ip", "link", "set", port, "mtu", "8192")
        self.addCleanup(segment.run, "ip", "link", "set", port, "mtu", "57344")
        status, rows = self.verify()
        self.assertEqual(status, 1)
        row = self.assert_row(rows, "path-mtu", "failed", HIPERSOCKETS, PEER, "8192")
        self.assertEqual(row["mtu"], 8192)
        self.assert_row(rows, "peer-gateway", "ok", HIPERSOCKETS, PEER)

    def test_guests_gone(self):
        guest = self.lpar.guests["guest2"]
        self.assertTrue(guest.ping(LAN, count=1))
        guest.run("ip", "link", "set", guest.nic, "down")
        self.addCleanup(guest.ip_batch, [f"link set {guest.nic} up"] + [
            f"route replace {route} dev {guest.nic}" for route in guest.links[0]["routes"]])
        status, rows = self.verify()
        self.assertEqual(status, 0)
        self.assert_row(rows, "guests", "ok", says=guest.address)

    @contextlib.contextmanager
    def _outside(self):
        """The service heals what it hears of. Here /proc/sys is read-only for it, and not for
        us."""
        self.lpar.run("mount", "-o", "bind", "/proc/sys", "/proc/sys")
        try:
            self.lpar.run("mount", "-o", "remount,ro,bind", "/proc/sys")
            yield
        finally:
            self.lpar.run("umount", "/proc/sys")

    def _write(self, key, value):
        subprocess.run(["nsenter", "-t", str(self.lpar.holder), "-n", "sysctl", "-q", "-w",
                        f"net/ipv4/{key}={value}"], check=True, timeout=30)

    def test_a_sysctl(self):
        with self._outside():
            self._write(f"conf/{UPLINK}/proxy_arp", 0)
            self.lpar.wait_state(NAME, "degraded")
            status, rows = self.verify()
            self.assertEqual(status, 1)
            self.assert_row(rows, "state", "failed", "br-ex", NAME, "Read-only file system")
            self.assert_row(rows, "values", "failed", UPLINK, "proxy_arp",
                            "is 0 and should be 1")
        self._write(f"conf/{UPLINK}/proxy_arp", 1)
        self.lpar.wait_state(NAME, "active")
        self.assert_all_well()

    def test_mtu_and_mac_of_the_guest_interface(self):
        """They are NetworkManager's: the service does not set them."""
        mac = self.lpar.mac("br-ex")
        guest = self.lpar.guests["guest1"]
        # It may have learned the other MAC, and would keep it for a while.
        self.addCleanup(guest.run, "ip", "neigh", "flush", "dev", guest.nic)
        self.lpar.run("ip", "link", "set", "br-ex", "mtu", "1500", "address", "02:00:00:00:00:66")
        # Guests that were asked from the other MAC have that now.
        self.addCleanup(packets.announce, self.lpar, "br-ex", "10.136.11.254")
        self.addCleanup(self.lpar.run, "ip", "link", "set", "br-ex", "mtu", "57344", "address", mac)
        status, rows = self.verify()
        self.assertEqual(status, 1)
        self.assert_row(rows, "interface", "failed", "br-ex", "MTU", "is 1500")
        self.assert_row(rows, "interface", "failed", "br-ex", "MAC", f"should be {mac}")


class Unrouted(labcase.LabCase):

    def test_nothing_is_up(self):
        done = self.cec["lpar11"].run("kvm-routedctl", "verify")
        self.assertEqual(done.stdout, "No kvm-routed network is up: there is nothing to verify\n")

    def test_not_routed(self):
        """A network that failed: one row says so, and nobody is asked."""
        lpar = self.cec["lpar11"]
        profile = lpar.profile(NAME).replace(f"uplinks={UPLINK}", f"uplinks={LAYER3}").replace(
            f"hipersockets={HIPERSOCKETS},{LAYER3}", f"hipersockets={HIPERSOCKETS}")
        lpar.load_profile(profile, NAME)
        self.addCleanup(lpar.delete_profile, NAME)
        lpar.up(NAME, state="failed")
        done = lpar.run("kvm-routedctl", "verify", "--json", check=False)
        (network,) = json.loads(done.stdout)["networks"]
        self.assertEqual(done.returncode, 1)
        self.assertEqual([(row["check"], row["result"]) for row in network["rows"]],
                         [("state", "failed")])
        self.assertIn(LAYER3, network["rows"][0]["detail"])


if __name__ == "__main__":
    labcase.main()
