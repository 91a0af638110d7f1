# SPDX-License-Identifier: GPL-2.0-or-later
"""What comes and goes: activation, change, restart, loss. Nothing may be left behind or get lost."""

import contextlib
import re
import signal

import labcase

ROUTED = ("10.10.10.10", "10.136.12.1", "172.18.0.100")  # from guest1 of LPAR 11: II, IIIa, IV

# A second network of LPAR 11 that shares links with the first one.
SECOND = """\
[connection]
id=more11
uuid=5d7a1e40-0000-4000-8000-000000000111
type=kvm-routed
interface-name=br-more
autoconnect=false

[kvm-routed]
uplinks=o5s_10g_1
masquerade=o5s_1g_1

[ipv4]
method=manual
address1=10.139.11.254/24
"""


class Pinging(contextlib.AbstractContextManager):
    """`ping -i 0.01` from a host for as long as the block runs; then `lost` and `sent`."""

    def __init__(self, host, address):
        self.host, self.address = host, address

    def __enter__(self):
        self.process = self.host.popen("ping", "-n", "-q", "-i", "0.01", "-W", "1", self.address,
                                       stdout=-1, text=True)
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        output = self.process.stdout.read()
        self.sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received",
                                                 output).groups())
        # The last one may have been under way when ping was stopped.
        self.lost = max(0, self.sent - received - 1)


class Lifecycle(labcase.LabCase):
    def setUp(self):
        self.maxDiff = None
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]

    def load(self, text, name):
        """Load a profile that goes away with the test; its network must be down before it is up."""
        self.lpar.load_profile(text, name)
        self.addCleanup(self.lpar.nmcli, "connection", "delete", name, check=False)

    def profile(self):
        """The LPAR's profile, which does not come up before it is told to."""
        return self.lpar.profile("guests11").replace("[connection]\n",
                                                     "[connection]\nautoconnect=false\n", 1)

    def up(self):
        self.load(self.profile(), "guests11")
        self.lpar.up("guests11")
        for address in ROUTED[:1]:
            self.assertTrue(self.guest.ping(address), address)

    def state_of_host(self):
        """The fingerprint without what packets count."""
        state = self.lpar.settled_fingerprint()
        state["nft list ruleset"] = re.sub(r"packets \d+ bytes \d+", "", state["nft list ruleset"])
        return state

    def assert_routes_everything(self):
        if self.lpar.nm_writes_forwarding():  # whenever a port or a link comes; it is put back
            self.guest.ping("10.10.10.10")
        for address in ("10.10.10.10", "172.18.0.100"):
            ping = self.guest.ping(address)
            self.assertTrue(ping, f"{address}: {ping.output}")


class Restoration(Lifecycle):
    """Down, delete and a failed activation leave the host exactly as it was."""

    def test_down(self):
        before = self.lpar.settled_fingerprint()
        self.up()
        self.assertIn("kvm_routed", self.lpar.fingerprint()["nft list ruleset"])
        self.lpar.down("guests11")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_delete(self):
        before = self.lpar.settled_fingerprint()
        self.up()
        self.lpar.delete_profile("guests11")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "the network ended")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_failed_activation(self):
        """NetworkManager gives up after the network was routed already: with IPv6 still pending,
        the guest interface goes away."""
        before = self.lpar.settled_fingerprint()
        native = self.lpar.expand(self.profile())
        native, changes = re.subn(r"\[ipv6\]\nmethod=\w+", "[ipv6]\nmethod=auto\nmay-fail=false",
                                  native)
        self.assertEqual(changes, 1)
        self.load(native, "guests11")
        self.lpar.begin_up("guests11")
        self.lpar.wait_state("guests11", "active")
        self.assertTrue(self.guest.ping("10.10.10.10"))
        self.assertIn("connecting", self.lpar.devices()["br-ex"])
        self.lpar.run("ip", "link", "del", "br-ex")
        self.lpar.wait_for(lambda: "guests11" not in self.lpar.nmcli(
            "-t", "-f", "NAME", "connection", "show", "--active"), 20, "the activation failed")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "the network ended")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_refused_network(self):
        """A network that fails changes nothing on the host but NetworkManager's own bridge."""
        before = self.lpar.settled_fingerprint()
        bad = self.profile().replace("172.31.56.2", "172.31.99.2")
        self.load(bad, "guests11")
        self.lpar.up("guests11", state="failed")
        during = self.lpar.fingerprint()
        self.assertEqual(during["nft list ruleset"], before["nft list ruleset"])
        self.assertNotIn("/forwarding:1\n", during["sysctl net.ipv4"])
        self.assertIn("172.31.99.2", self.lpar.network("guests11")["state-reason"])
        self.lpar.down("guests11")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_values_of_others_come_back(self):
        """What somebody had set before is there again, be it what we want or not."""
        values = {"net/ipv4/conf/o5s_10g_1/proxy_arp": "1",
                  "net/ipv4/neigh/o5s_10g_1/proxy_delay": "37",
                  "net/ipv4/conf/o5s_1g_1/forwarding": "1"}
        for key, value in values.items():
            self.addCleanup(self.lpar.sysctl, key, self.lpar.sysctl(key))
            self.lpar.sysctl(key, value)
        before = self.lpar.settled_fingerprint()
        self.up()
        self.assertEqual(self.lpar.sysctl("net/ipv4/neigh/o5s_10g_1/proxy_delay"), "0")
        self.lpar.down("guests11")
        self.assertEqual(self.lpar.settled_fingerprint(), before)


class SharedLinks(Lifecycle):
    """Two networks that share links: the first to go takes nothing from the second."""

    def test_first_goes(self):
        before = self.lpar.settled_fingerprint()
        self.up()
        self.load(SECOND, "more11")
        self.lpar.nmcli("connection", "up", "more11")
        self.lpar.wait_state("more11", "active")

        self.lpar.attach_guests()
        with Pinging(self.guest, "10.10.10.10") as lan, \
                Pinging(self.guest, "172.18.0.100") as intranet:
            self.lpar.nmcli("connection", "down", "more11")
            self.lpar.wait_for(lambda: self.lpar.service_state("more11") is None, 10, "more11 ended")
            self.guest.ping("10.10.10.10", count=20, interval=0.02)
        self.assertEqual((lan.lost, intranet.lost), (0, 0))
        self.assertNotIn("10.139.11.0", self.lpar.fingerprint()["nft list ruleset"])

        self.lpar.down("guests11")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_first_up_goes_first(self):
        """The one that found the values goes first; the other still knows what was there."""
        before = self.lpar.settled_fingerprint()
        self.load(SECOND, "more11")
        self.lpar.nmcli("connection", "up", "more11")
        self.lpar.wait_state("more11", "active")
        self.up()
        self.lpar.nmcli("connection", "down", "more11")
        self.lpar.wait_for(lambda: self.lpar.service_state("more11") is None, 10, "more11 ended")
        self.assert_routes_everything()
        self.lpar.down("guests11")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_no_way_between_them(self):
        self.up()
        self.load(SECOND, "more11")
        self.lpar.nmcli("connection", "up", "more11")
        self.lpar.wait_state("more11", "active")
        self.lpar.run("ip", "link", "set", "vnet2", "master", "br-more")
        self.addCleanup(self.lpar.attach_guests)
        other = self.cec["lpar11/guest2"]
        other.run("ip", "address", "add", "10.139.11.1/24", "dev", "vic_10g_2")
        self.addCleanup(other.run, "ip", "address", "del", "10.139.11.1/24", "dev", "vic_10g_2")
        other.run("ip", "route", "replace", "10.136.11.1", "via", "10.139.11.254", "src",
                  "10.139.11.1")
        self.addCleanup(other.run, "ip", "route", "del", "10.136.11.1", check=False)
        self.assertFalse(other.ping("10.136.11.1", source="10.139.11.1").received)
        self.assertFalse(self.guest.ping("10.139.11.1").received)


class Change(Lifecycle):
    """A changed profile takes effect by `nmcli device reapply`, without one lost packet."""

    def reapply(self, text):
        self.lpar.load_profile(text, "guests11")
        self.lpar.nmcli("device", "reapply", "br-ex")

    def test_peers(self):
        self.up()
        fewer = self.profile().replace(", 10.137.12.0/24 172.31.56.2", "")
        more = self.profile().replace("peers=", "peers=10.136.13.0/24 172.31.56.2, ")
        self.assertNotEqual(fewer, more)
        with Pinging(self.guest, "10.10.10.10") as lan, \
                Pinging(self.guest, "172.18.0.100") as intranet, \
                Pinging(self.guest, "172.31.57.10") as zos:
            for text, peers in ((fewer, 1), (more, 3), (fewer, 1), (self.profile(), 2)):
                self.reapply(text)
                self.lpar.wait_for(
                    lambda: len(self.lpar.network("guests11")["peers"]) == peers, 10,
                    f"{peers} peers")
                routes = self.lpar.run("ip", "route", "show", "proto", "136").stdout
                self.assertEqual(len(routes.splitlines()), peers, routes)
        self.assertGreater(lan.sent, 4)  # one for each change at least
        # NetworkManager 1.54 and later switch forwarding off at each of the four.
        most = 4 * 3 if self.lpar.nm_writes_forwarding() else 0
        for flow in lan, intranet, zos:
            self.assertLessEqual(flow.lost, most)

    def test_new_profile_waits(self):
        """A stored profile that nobody applied changes nothing."""
        self.up()
        rules = self.lpar.fingerprint()
        self.lpar.load_profile(self.profile().replace("masquerade=o5s_1g_1\n", ""), "guests11")
        self.assertEqual(self.lpar.settled_fingerprint(), rules)
        self.assertEqual(self.lpar.service_state("guests11"), "active")
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.lpar.wait_for(lambda: not self.guest.ping("172.18.0.100", count=1), 10,
                           "no masquerading any more")
        self.assertTrue(self.guest.ping("10.10.10.10"))

    def test_setting_lost(self):
        """Another editor drops our keys: the running network goes on, and says so."""
        self.up()
        native = self.lpar.expand(self.profile())
        self.lpar.load_profile(re.sub(r"^kvm-routed\..*\n", "", native, flags=re.MULTILINE),
                               "guests11")
        network = self.lpar.wait_for(
            lambda: self.lpar.network("guests11") if self.lpar.network("guests11")["findings"]
            else None, 10, "a finding")
        self.assertEqual([finding["code"] for finding in network["findings"]], ["setting-lost"])
        self.assert_routes_everything()
        self.lpar.load_profile(native, "guests11")
        self.lpar.wait_for(lambda: not self.lpar.network("guests11")["findings"], 10, "no finding")


class Waiting(Lifecycle):
    """`active` only when packets flow; `degraded` with the reason; it heals by itself."""

    def assert_degraded_by(self, interface):
        network = self.lpar.wait_state("guests11", "degraded")
        finding = network["findings"][0]
        self.assertEqual((finding["code"], finding["interface"]), ("link-missing", interface))
        self.assertIn(interface, network["state-reason"])

    def assert_heals(self):
        self.lpar.wait_state("guests11", "active")
        self.assert_routes_everything()

    def test_uplink_down_and_up(self):
        self.up()
        self.lpar.nmcli("device", "disconnect", "o5s_10g_1")
        self.addCleanup(self.lpar.nmcli, "connection", "up", "o5s_10g_1")
        self.assert_degraded_by("o5s_10g_1")
        self.assertTrue(self.guest.ping("172.18.0.100"), "the rest works meanwhile")
        self.lpar.nmcli("connection", "up", "o5s_10g_1")
        self.assert_heals()

    def test_link_reactivated(self):
        """NetworkManager then drops the routes that we put on it."""
        self.up()
        self.lpar.nmcli("connection", "up", "hs56k_0")
        self.lpar.wait_state("guests11", "active")
        self.lpar.wait_for(
            lambda: self.lpar.run("ip", "route", "show", "proto", "136").stdout.count("hs56k_0") == 2,
            10, "the routes are back")
        self.lpar.nmcli("connection", "up", "o5s_10g_1")
        self.assert_heals()

    def test_carrier(self):
        self.up()
        self.cec.segments["lan"].run("sh", "-c", "ip link set lpar11 down 2>/dev/null || "
                                     "for p in /sys/class/net/segment/brif/*; do "
                                     "ip link set ${p##*/} down; done")
        self.addCleanup(self.cec.segments["lan"].run, "sh", "-c",
                        "for p in /sys/class/net/*; do ip link set ${p##*/} up; done")
        self.assert_degraded_by("o5s_10g_1")
        self.cec.segments["lan"].run("sh", "-c",
                                     "for p in /sys/class/net/*; do ip link set ${p##*/} up; done")
        self.assert_heals()

    def test_renamed(self):
        self.up()
        self.lpar.run("ip", "link", "set", "o5s_1g_1", "down")
        self.lpar.run("ip", "link", "set", "o5s_1g_1", "name", "other0")
        self.assert_degraded_by("o5s_1g_1")
        self.assertEqual(self.lpar.sysctl("net/ipv4/conf/other0/forwarding"), "0")
        self.lpar.run("ip", "link", "set", "other0", "name", "o5s_1g_1")
        self.lpar.run("ip", "link", "set", "o5s_1g_1", "up")
        self.lpar.nmcli("connection", "up", "o5s_1g_1")
        self.assert_heals()

    def test_up_before_its_uplink(self):
        """As at boot, when the guests' network is quicker than the cards."""
        self.lpar.nmcli("device", "disconnect", "o5s_10g_1")
        self.addCleanup(self.lpar.nmcli, "connection", "up", "o5s_10g_1")
        self.load(self.profile(), "guests11")
        self.lpar.up("guests11", state="degraded")
        self.assert_degraded_by("o5s_10g_1")
        self.lpar.nmcli("connection", "up", "o5s_10g_1")
        self.assert_heals()

    def test_bridge_without_a_port(self):
        self.lpar.detach_guests()
        self.addCleanup(self.lpar.detach_guests)
        self.load(self.profile(), "guests11")
        self.lpar.nmcli("connection", "up", "guests11")
        self.lpar.wait_state("guests11", "active")
        self.lpar.attach_guests()
        self.assert_routes_everything()


class Restart(Lifecycle):
    """Restarts of NetworkManager, of the service, of both: nothing is lost meanwhile."""

    def test_service_killed(self):
        self.up()
        before = self.state_of_host()
        with Pinging(self.guest, "10.10.10.10") as lan, \
                Pinging(self.guest, "172.18.0.100") as intranet:
            self.assertTrue(self.lpar.signal_service(signal.SIGKILL))
            self.guest.ping("10.10.10.10", count=10, interval=0.02)
            self.lpar.wait_state("guests11", "active")  # asking starts it
        self.assertEqual((lan.lost, intranet.lost), (0, 0))
        self.assertEqual(self.state_of_host(), before)

    def test_service_stopped_then_down(self):
        """Taken down while the service does not run: the dispatcher starts it for that."""
        before = self.state_of_host()
        self.up()
        self.lpar.signal_service(signal.SIGTERM)
        self.lpar.down("guests11")
        self.assertEqual(self.state_of_host(), before)

    def test_network_manager(self):
        self.up()
        before = self.state_of_host()
        with Pinging(self.guest, "10.10.10.10") as lan, \
                Pinging(self.guest, "172.18.0.100") as intranet:
            self.lpar.stop_nm()
            self.assertEqual(self.lpar.service_state("guests11"), "active")
            self.lpar.start_nm()
            self.lpar.connected()
            self.lpar.wait_for(lambda: self.lpar.devices().get("br-ex") == "connected", 20,
                               "br-ex connected")
            self.lpar.wait_state("guests11", "active")
        self.assertEqual((lan.lost, intranet.lost), (0, 0))
        self.assertEqual(self.state_of_host(), before)

    def test_both(self):
        self.up()
        before = self.state_of_host()
        with Pinging(self.guest, "10.10.10.10") as lan:
            self.lpar.stop_nm()
            self.lpar.signal_service(signal.SIGKILL)
            self.assertEqual(self.lpar.service_state("guests11"), "active", "from its memory")
            self.lpar.start_nm()
            self.lpar.connected()
            self.lpar.wait_for(lambda: self.lpar.devices().get("br-ex") == "connected", 20,
                               "br-ex connected")
            self.lpar.wait_state("guests11", "active")
        self.assertEqual(lan.lost, 0)
        self.assertEqual(self.state_of_host(), before)
        self.lpar.down("guests11")

    def test_down_while_the_service_was_away(self):
        """Profile and bridge vanish while nobody looks; the next life puts the host in order."""
        before = self.state_of_host()
        self.up()
        self.lpar.stop_nm()
        self.lpar.signal_service(signal.SIGKILL)
        self.lpar.run("ip", "link", "del", "br-ex")
        self.lpar.start_nm()
        self.lpar.connected()
        self.lpar.nmcli("connection", "delete", "guests11")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")
        self.assertEqual(self.state_of_host(), before)

    def test_reboot(self):
        text = self.lpar.profile("guests11")  # comes up by itself
        self.load(text, "guests11")
        self.lpar.up("guests11")
        self.cec.reboot(self.lpar)
        self.lpar.attach_guests()
        self.lpar.wait_state("guests11", "active")
        self.assert_routes_everything()
        routes = self.lpar.run("ip", "route", "show", "proto", "136").stdout.splitlines()
        self.assertEqual(len(routes), 2, routes)


if __name__ == "__main__":
    labcase.main()
