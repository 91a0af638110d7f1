# SPDX-License-Identifier: GPL-2.0-or-later
"""Each finding: the damage, then what is said of it, then its hint, done as it is printed."""

import json
import pathlib
import re

import cables
import labcase
from cards import make_cards
from hosts import wait_for

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
EDITOR = str(pathlib.Path(__file__).with_name("editor.py"))
UPLINK, INTRANET, HIPERSOCKETS, LAYER3 = "o5s_10g_1", "o5s_1g_1", "hs56k_0", "hs57_0"
GUEST, OTHER_GUEST = "10.136.11.1", "10.136.12.1"
LAN, INTRASERVER = "10.10.10.10", "172.18.0.100"

# A hint's commands: it begins with one, and "then" goes on to another.
COMMANDS = re.compile(r"(?:^|; then )"
                      r"((?:chzdev|ip|kvm-routedctl|nmcli|rm|sysctl|systemctl) [^;,]+)")

# What makes of our profile one of another network, which can be up beside it.
BESIDE = (("uuid=5d7a", "uuid=aaaa"), ("interface-name=br-ex", "interface-name=br-two"),
          ("id=guests11", "id=two"), ("address1=10.136.11.254/24", "address1=10.138.11.254/24"),
          ("address2=10.137.11.254/24", ""),
          ("10.136.12.0/24", "10.138.12.0/24"), ("10.137.12.0/24", "10.138.13.0/24"))
BESIDE_NAME, BESIDE_SWITCH = "two", "br-two"


class FindingCase(labcase.LabCase):
    """All profiles are up, in all classes; a test leaves it so."""

    @classmethod
    def setUpClass(cls):
        cls.cec = labcase._shared_cec(True)
        if cls.cec["lpar11"].service_state(NAME) != "active":
            cls.cec.up()

    def setUp(self):
        self.lpar, self.other = self.cec["lpar11"], self.cec["lpar12"]
        self.server, self.guest = self.cec["lanserver"], self.cec["lpar11/guest1"]
        self.profile = self.lpar.profile(NAME)
        self.lpar.wait_state(NAME, "active")
        # None of the last test is left, and none is there for nothing.
        self.lpar.wait_for(lambda: self.findings() == [], 10, "no finding")

    def findings(self):
        """None while the service, which may just have been started, does not know the network."""
        network = self.lpar.network(NAME)
        return network and network["findings"]

    def finding(self, code):
        return next((found for found in self.findings() or [] if found["code"] == code), None)

    def assert_nothing_found(self):
        self.lpar.wait_state(NAME, "active")
        self.assertEqual(self.findings(), [])

    def wait_finding(self, code, severity="warning", interface=None):
        """The finding, once it is there; check says it too, and its exit status tells how bad."""
        found = self.lpar.wait_for(lambda: self.finding(code), 10, f"finding {code}")
        self.assertEqual(found["severity"], severity, found)
        if interface:
            self.assertEqual(found["interface"], interface, found)
        status, checked = self.check(NAME)
        self.assertIn(code, [each["code"] for each in checked])
        self.assertEqual(status, 1 if severity == "error" else 2)
        self.assertIn(code, self.lpar.run("kvm-routedctl", "status", check=False).stdout)
        return found

    def wait_gone(self, code):
        def gone():
            self.assertEqual(self.findings(), [])
            return True

        self.lpar.wait_for(gone, 10, f"no finding {code}")
        self.assertEqual(self.check(NAME), (0, []))

    def check(self, profile, text=None):
        """Exit status and findings of `kvm-routedctl check`."""
        done = self.lpar.run("kvm-routedctl", "check", "--json", profile, input=text, check=False)
        findings = json.loads(done.stdout)["findings"] if done.stdout else []
        return done.returncode, findings

    def check_text(self, *changes):
        """The same of a profile that NetworkManager does not have: like ours, with changes."""
        return self.check("-", self.changed(("uuid=5d7a", "uuid=aaaa"), *changes))

    def changed(self, *changes):
        """Our profile with changes."""
        text = self.profile
        for before, after in changes:
            self.assertIn(before, text)
            text = text.replace(before, after)
        return text

    def load_beside(self, *changes):
        """A profile of another network, which is not up yet, until the end of the test."""
        self.addCleanup(self.lpar.delete_profile, BESIDE_NAME)
        text = self.changed(*BESIDE, ("[connection]", "[connection]\nautoconnect=false"), *changes)
        self.lpar.load_profile(text, BESIDE_NAME)

    def check_beside(self, code):
        """The finding of that network, an error, for which check fails."""
        status, findings = self.check(BESIDE_NAME)
        found = [finding for finding in findings if finding["code"] == code]
        self.assertTrue(found, findings)
        self.assertEqual((status, found[0]["severity"]), (1, "error"), findings)
        return found[0]

    def assert_beside_is_well(self):
        self.lpar.wait_state(BESIDE_NAME, "active")
        self.assertEqual(self.check(BESIDE_NAME), (0, []))

    def do(self, finding, host=None):
        """The commands of a finding's hint."""
        commands = COMMANDS.findall(finding["hint"])
        self.assertTrue(commands, finding["hint"])
        for command in commands:
            (host or self.lpar).run("sh", "-ec", command)
        return commands

    def assert_cut_off(self, source, address):
        """Small packets get there, large ones don't."""
        wait_for(lambda: source.ping(address, count=1), 10, f"{source.name} pings {address}")
        ping = source.ping(address, size=5000, df=False)
        self.assertEqual(ping.received, 0, ping.output)

    def assert_whole(self, source, address):
        wait_for(lambda: source.ping(address, count=1, size=5000, df=False), 10,
                 f"{source.name} pings {address} with large packets")

    def set(self, key, value):
        """A kernel setting, until the end of the test."""
        before = self.lpar.sysctl(key)
        self.addCleanup(self.lpar.sysctl, key, before)
        self.lpar.sysctl(key, value)


class MtuMismatch(FindingCase):
    """Guests with MTU 57344, and a port of their switch with 1500, as a card that is attached."""

    PORT, AT_PORT = "vnet2", "10.136.11.2"

    def shrink(self):
        self.addCleanup(self.lpar.run, "ip", "link", "set", self.PORT, "mtu", "57344")
        self.lpar.run("ip", "link", "set", self.PORT, "mtu", "1500")

    def test_without_us(self):
        """A plain bridge: what is too large for a port is gone, and nobody is told."""
        ports = ("vnet1", self.PORT)
        self.addCleanup(self.lpar.attach_guests)
        self.addCleanup(self.lpar.run, "ip", "link", "del", "plain0")
        self.lpar.ip_batch(["link add plain0 type bridge", "link set plain0 mtu 57344 up",
                            *(f"link set {port} master plain0" for port in ports)])
        self.assert_whole(self.guest, self.AT_PORT)
        self.shrink()
        self.assert_cut_off(self.guest, self.AT_PORT)

    def test_finding(self):
        self.assert_whole(self.guest, self.AT_PORT)
        self.shrink()
        self.assert_cut_off(self.guest, self.AT_PORT)
        found = self.wait_finding("mtu-mismatch", interface=self.PORT)
        self.assertIn("MTU 1500", found["message"])
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.do(found)
        self.wait_gone("mtu-mismatch")
        self.assert_whole(self.guest, self.AT_PORT)

    def test_port_comes_and_goes(self):
        """A tap as somebody makes it: MTU 1500."""
        self.addCleanup(self.lpar.run, "ip", "link", "del", "vnet99", check=False)
        self.lpar.ip_batch(["tuntap add vnet99 mode tap", "link set vnet99 master br-ex"])
        self.wait_finding("mtu-mismatch", interface="vnet99")
        self.lpar.run("ip", "link", "del", "vnet99")
        self.wait_gone("mtu-mismatch")


class MtuTooBig(FindingCase):
    """More than a link has does no harm; more than a port can have does."""

    def test_larger_than_the_links(self):
        """Measured: 57344 in the guests, 1500 on the LAN."""
        self.assertEqual(self.lpar.link("br-ex")["mtu"], 57344)
        self.assert_reaches(self.guest, LAN, server=self.server, size=1_000_000)
        self.assert_reaches(self.server, GUEST, server=self.guest, size=1_000_000)
        self.assert_whole(self.guest, LAN)
        # Who forbids to fragment is told how much is too much.
        refused = self.guest.ping(LAN, size=5000, df=True)
        self.assertEqual(refused.received, 0)
        self.assertRegex(refused.output, r"(?i)mtu ?= ?1500")
        self.assertIsNone(self.finding("mtu-too-big"))

    def test_larger_than_a_tap(self):
        restore = ("connection", "modify", NAME, "802-3-ethernet.mtu", "57344")
        self.addCleanup(self.lpar.attach_guests)
        self.addCleanup(self.lpar.nmcli, *restore)
        self.lpar.nmcli(*restore[:-1], "65535")
        self.lpar.nmcli("connection", "up", NAME)
        self.addCleanup(self.lpar.run, "ip", "link", "del", "vnet99")
        self.lpar.run("ip", "tuntap", "add", "vnet99", "mode", "tap")
        too_big = self.lpar.run("ip", "link", "set", "vnet99", "mtu", "65535", check=False)
        self.assertNotEqual(too_big.returncode, 0, "a tap takes it: then it is not too big")
        found = self.wait_finding("mtu-too-big", interface="br-ex")
        limit = re.search(r"at most (\d+)", found["message"]).group(1)
        self.lpar.run("ip", "link", "set", "vnet99", "mtu", limit)
        more = self.lpar.run("ip", "link", "set", "vnet99", "mtu", str(int(limit) + 1), check=False)
        self.assertNotEqual(more.returncode, 0)
        self.do(found)
        self.wait_gone("mtu-too-big")
        self.lpar.run("ip", "link", "set", "vnet99", "mtu", "57344")


class Layer3Uplink(FindingCase):
    """Nobody on the LAN finds a guest behind a card without ARP."""

    def test_without_us(self):
        self.addCleanup(self.lpar.up, NAME)
        self.lpar.down(NAME)
        self.addCleanup(self.lpar.run, "ip", "link", "del", "plain0")
        self.lpar.ip_batch(["link add plain0 type bridge",
                            "address add 10.136.11.254/24 dev plain0", "link set plain0 up",
                            "link set vnet1 master plain0"])
        for link in "plain0", UPLINK:
            self.set(f"net/ipv4/conf/{link}/forwarding", 1)
            self.set(f"net/ipv4/conf/{link}/proxy_arp", 1)
        wait_for(lambda: self.server.ping(GUEST, count=1), 20, "the LAN reaches a guest")
        self.addCleanup(self.lpar.run, "ip", "link", "set", UPLINK, "arp", "on")
        self.lpar.run("ip", "link", "set", UPLINK, "arp", "off")
        self.server.run("ip", "neighbour", "flush", "all")
        self.assertEqual(self.server.ping(GUEST).received, 0)

    def test_finding(self):
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.addCleanup(self.lpar.run, "ip", "link", "set", UPLINK, "arp", "on")
        self.lpar.run("ip", "link", "set", UPLINK, "arp", "off")
        self.server.run("ip", "neighbour", "flush", "all")
        found = self.wait_finding("layer3-uplink", "error", UPLINK)
        self.assertEqual(self.lpar.service_state(NAME), "failed")
        self.assertEqual(self.lpar.sysctl(f"net/ipv4/conf/{UPLINK}/forwarding"), "0")
        self.assertEqual(self.server.ping(GUEST).received, 0)
        self.do(found)
        self.wait_gone("layer3-uplink")
        self.assert_reaches(self.server, GUEST, server=self.guest)

    def test_card(self):
        """The same, of what sysfs tells of an OSA card."""
        make_cards(self, self.lpar, {UPLINK: {"layer2": 0, "card_type": "OSD_10GIG",
                                              "route4": "no"}})
        found = self.wait_finding("layer3-uplink", "error", UPLINK)
        self.assertEqual(self.lpar.service_state(NAME), "failed")
        self.do(found)
        self.wait_gone("layer3-uplink")
        self.assert_reaches(self.server, GUEST, server=self.guest)


class HipersocketsLayer(FindingCase):
    """z/OS has its end in layer 3."""

    ZOS, SUBNET = "172.31.57.10", "10.140.0.0/24"

    def test_finding(self):
        self.assertTrue(self.guest.ping(self.ZOS))
        peers = f"{self.SUBNET} {self.ZOS}"
        self.addCleanup(self.lpar.nmcli, "device", "reapply", "br-ex")
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.lpar.run("nmcli", "connection", "modify", NAME, "+kvm-routed.peers", peers)
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.lpar.wait_for(lambda: self.lpar.ip("route", "show", self.SUBNET), 10, "the route")
        self.assertEqual(self.check(NAME), (0, []))

        self.addCleanup(self.lpar.run, "ip", "link", "set", LAYER3, "arp", "off")
        self.lpar.run("ip", "link", "set", LAYER3, "arp", "on")
        self.lpar.run("ip", "neighbour", "flush", "dev", LAYER3)
        # Nothing is asked but what somebody sends there.
        self.assertEqual(self.guest.ping("10.140.0.1", count=5, interval=1).received, 0)
        self.assertEqual(self.guest.ping(self.ZOS).received, 0)
        found = self.wait_finding("hipersockets-layer", interface=LAYER3)
        self.assertIn(self.ZOS, found["message"])
        self.do(found)
        self.wait_gone("hipersockets-layer")
        wait_for(lambda: self.guest.ping(self.ZOS, count=1), 10, "z/OS is reached again")

    def test_other_end_is_away(self):
        """It comes back by itself; and the finding says that it may be so."""
        gateway = "172.31.56.2"
        self.assertTrue(self.guest.ping(OTHER_GUEST))
        self.addCleanup(self.other.run, "ip", "link", "set", HIPERSOCKETS, "arp", "on")
        self.other.run("ip", "link", "set", HIPERSOCKETS, "arp", "off")
        self.lpar.run("ip", "neighbour", "flush", "dev", HIPERSOCKETS)
        self.assertEqual(self.guest.ping(OTHER_GUEST, count=5, interval=1).received, 0)
        found = self.wait_finding("hipersockets-layer", interface=HIPERSOCKETS)
        self.assertIn(gateway, found["message"])
        self.other.run("ip", "link", "set", HIPERSOCKETS, "arp", "on")
        wait_for(lambda: self.guest.ping(OTHER_GUEST, count=1), 20, "the peer is reached again")
        self.wait_gone("hipersockets-layer")


class Layer3Route4(FindingCase):
    """An OSA card in layer 3 as the way to peers. There is none here that would drop packets."""

    def test_finding(self):
        make_cards(self, self.lpar, {LAYER3: {"layer2": 0, "card_type": "OSD_10GIG",
                                              "route4": "no"}})
        found = self.wait_finding("layer3-route4", interface=LAYER3)
        self.do(found)
        self.wait_gone("layer3-route4")

    def test_set_back(self):
        make_cards(self, self.lpar, {LAYER3: {"layer2": 0, "card_type": "OSD_10GIG",
                                              "route4": "primary router"}})
        self.assert_nothing_found()
        self.lpar.run("chzdev", "qeth", "--by-interface", LAYER3, "route4=no")
        self.wait_finding("layer3-route4", interface=LAYER3)

    def test_hipersockets_need_none(self):
        make_cards(self, self.lpar, {LAYER3: {"layer2": 0, "card_type": "HiperSockets",
                                              "route4": "no"}})
        self.assert_nothing_found()


class CardDropsFrames(FindingCase):

    def test_no_broadcasts(self):
        make_cards(self, self.lpar, {HIPERSOCKETS: {
            "layer2": 1, "card_type": "HiperSockets", "bridge_role": "n/a (VNIC characteristics)",
            "vnicc/flooding": 0, "vnicc/learning": 0, "vnicc/rx_bcast": 1}})
        self.assert_nothing_found()
        self.lpar.run("chzdev", "qeth", "--by-interface", HIPERSOCKETS, "vnicc/rx_bcast=0")
        found = self.wait_finding("card-drops-frames", interface=HIPERSOCKETS)
        self.do(found)
        self.wait_gone("card-drops-frames")


class HsciMember(FindingCase):
    """HiperSockets that hsci(8) made part of a converged interface."""

    ADDRESS = "172.31.56.1/24"

    def converge(self):
        """As hsci(8) does: a bridge with the card, and a veth in it that is the interface."""
        self.lpar.nmcli("device", "set", HIPERSOCKETS, "managed", "no")
        self.addCleanup(self.lpar.nmcli, "connection", "up", HIPERSOCKETS)
        self.addCleanup(self.lpar.nmcli, "device", "set", HIPERSOCKETS, "managed", "yes")
        self.addCleanup(self.lpar.run, "ip", "link", "del", "hsci0600-br")
        self.addCleanup(self.lpar.run, "ip", "link", "del", "hsci0600")
        self.lpar.ip_batch(["link add hsci0600-br type bridge stp_state 0",
                            "link add hsci0600 type veth peer hsci0600-bp",
                            f"link set {HIPERSOCKETS} master hsci0600-br",
                            "link set hsci0600-bp master hsci0600-br",
                            f"address replace {self.ADDRESS} dev {HIPERSOCKETS}"])
        for link in "hsci0600", "hsci0600-bp", "hsci0600-br":
            self.lpar.wait_for(lambda name=link: name in self.lpar.devices(), 10, f"{link} known")
            self.lpar.nmcli("device", "set", link, "managed", "no")
        self.lpar.ip_batch([f"link set {link} up" for link in
                            ("hsci0600-br", "hsci0600-bp", HIPERSOCKETS)])

    def test_finding(self):
        self.assert_reaches(self.guest, OTHER_GUEST, server="lpar12/guest1")
        self.converge()
        self.assertEqual(self.guest.ping(OTHER_GUEST).received, 0)
        found = self.wait_finding("hsci-member", interface=HIPERSOCKETS)
        # The interface is who has the address.
        self.lpar.ip_batch([f"address del {self.ADDRESS} dev {HIPERSOCKETS}",
                            f"address add {self.ADDRESS} dev hsci0600", "link set hsci0600 up"])
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.addCleanup(self.lpar.nmcli, "device", "reapply", "br-ex")
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.do(found)
        self.wait_gone("hsci-member")
        wait_for(lambda: self.guest.ping(OTHER_GUEST, count=1), 10, "peers are reached again")
        self.assert_reaches(self.guest, OTHER_GUEST, server="lpar12/guest1")


class RpFilter(FindingCase):
    """A strict reverse path filter, where the way back is another."""

    def test_no_harm(self):
        for link in UPLINK, INTRANET, HIPERSOCKETS, LAYER3, "br-ex":
            self.set(f"net/ipv4/conf/{link}/rp_filter", 1)
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.assert_reaches(self.guest, INTRASERVER, server="intraserver")
        self.assert_reaches(self.guest, OTHER_GUEST, server="lpar12/guest1")
        self.assertEqual(self.check(NAME), (0, []))

    def test_second_link_in_the_lan(self):
        """Two uplinks in one subnet: shared-subnet, of which this is another consequence."""
        second = "o5s_10g_2"
        cables.add_uplink(self, self.lpar, self.cec.segments["lan"], second, "10.131.11.253/8",
                          metric=10)
        self.addCleanup(self.reapply, self.profile)
        self.reapply(self.profile.replace(f"uplinks={UPLINK}", f"uplinks={UPLINK},{second}"))
        self.lpar.wait_for(lambda: self.finding("shared-subnet"), 10, "finding shared-subnet")
        # The LAN asks anew, on which link ever: both answer for guests.
        self.server.run("ip", "neighbour", "flush", "all")
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.assertIsNone(self.finding("rp-filter"))
        self.server.run("ip", "neighbour", "replace", GUEST, "lladdr", self.lpar.mac(UPLINK), "dev",
                        "eth0")
        self.addCleanup(self.server.run, "ip", "neighbour", "flush", "all")
        self.assertTrue(self.server.ping(GUEST))
        self.set(f"net/ipv4/conf/{UPLINK}/rp_filter", 1)
        self.assertEqual(self.server.ping(GUEST).received, 0)
        found = self.wait_finding("rp-filter", interface=UPLINK)
        self.assertIn(second, found["message"])
        self.do(found)
        self.lpar.wait_for(lambda: not self.finding("rp-filter"), 10, "no finding rp-filter")
        self.assert_reaches(self.server, GUEST, server=self.guest)

    def reapply(self, profile):
        self.lpar.load_profile(profile, NAME)
        self.lpar.nmcli("device", "reapply", "br-ex")

    def test_masquerade_by_a_rule(self):
        """Guests' default way is the intranet, by a rule that goes by a mark; the host's own is
        another."""
        far = "192.0.2.50"
        intraserver = self.cec["intraserver"]
        intraserver.run("ip", "address", "add", f"{far}/32", "dev", "lo")
        self.addCleanup(intraserver.run, "ip", "address", "del", f"{far}/32", "dev", "lo")
        for route in (("default", "via", INTRASERVER, "table", "100"),
                      ("default", "via", LAN, "metric", "900")):
            self.lpar.run("ip", "route", "add", *route)
            self.addCleanup(self.lpar.run, "ip", "route", "del", *route)
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "ip", "marks")
        self.lpar.run("nft", "-f", "-", input="table ip marks { chain pre { type filter hook "
                      "prerouting priority mangle; iifname br-ex meta mark set 7; }; }")
        # Before the main table, for its default route only.
        for rule in (("priority", "100", "fwmark", "7", "lookup", "main",
                      "suppress_prefixlength", "0"),
                     ("priority", "101", "fwmark", "7", "lookup", "100")):
            self.addCleanup(self.lpar.run, "ip", "rule", "del", "priority", rule[1])
            self.lpar.run("ip", "rule", "add", *rule)
        wait_for(lambda: self.guest.ping(far, count=1), 10, "the guest reaches what is far")
        self.set(f"net/ipv4/conf/{INTRANET}/rp_filter", 1)
        self.assertEqual(self.guest.ping(far).received, 0)
        found = self.wait_finding("rp-filter", interface=INTRANET)
        self.do(found)
        self.wait_gone("rp-filter")
        self.assertTrue(self.guest.ping(far))


class GlobalForwarding(FindingCase):
    """The host as everybody's router."""

    def setUp(self):
        super().setUp()
        self.foreign = cables.add_foreign_host(self, self.lpar)
        self.server.run("ip", "route", "add", "192.0.2.0/24", "via", "10.131.11.254")
        self.addCleanup(self.server.run, "ip", "route", "del", "192.0.2.0/24")
        self.addCleanup(self.lpar.sysctl, "net/ipv4/ip_forward", 0)

    def assert_cured(self):
        self.do(self.wait_finding("global-forwarding"))
        self.wait_gone("global-forwarding")
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.assert_reaches(self.guest, INTRASERVER, server="intraserver")
        self.assertEqual(self.server.ping("192.0.2.2").received, 0)

    def test_switched_on_later(self):
        self.assertEqual(self.server.ping("192.0.2.2").received, 0)
        self.lpar.sysctl("net/ipv4/ip_forward", 1)
        wait_for(lambda: self.server.ping("192.0.2.2", count=1), 10, "the host routes for all")
        self.assert_cured()

    def test_switched_on_before(self):
        self.lpar.down(NAME)
        self.lpar.sysctl("net/ipv4/ip_forward", 1)
        self.assertTrue(self.server.ping("192.0.2.2"))
        self.lpar.up(NAME)
        self.assertTrue(self.server.ping("192.0.2.2"))
        self.assert_cured()
        self.lpar.down(NAME)
        self.addCleanup(self.lpar.up, NAME)
        for link in UPLINK, INTRANET, HIPERSOCKETS:
            self.assertEqual(self.lpar.sysctl(f"net/ipv4/conf/{link}/forwarding"), "0", link)


class SubnetNotInLan(FindingCase):
    """Guests with addresses that the LAN has no route to."""

    ADDRESS, SUBNET = "192.168.77.1", "192.168.77.0/24"

    def test_finding(self):
        self.guest.run("ip", "address", "add", f"{self.ADDRESS}/24", "dev", "vic_10g_2")
        self.addCleanup(self.guest.run, "ip", "address", "del", f"{self.ADDRESS}/24", "dev",
                        "vic_10g_2")
        self.addCleanup(self.lpar.nmcli, "device", "reapply", "br-ex")
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.lpar.nmcli("connection", "modify", NAME, "+ipv4.addresses", "192.168.77.254/24")
        self.lpar.nmcli("device", "reapply", "br-ex")
        found = self.wait_finding("subnet-not-in-lan", interface=UPLINK)
        self.assertIn(self.SUBNET, found["message"])
        self.assertEqual(self.server.ping(self.ADDRESS).received, 0)
        self.assertEqual(self.guest.ping(LAN, source=self.ADDRESS).received, 0)
        # What helps those who cannot move: the LAN's systems learn the way.
        route = re.search(r"ip route add \S+ via \S+", found["hint"]).group(0)
        self.addCleanup(self.server.run, "ip", "route", "del", self.SUBNET)
        self.server.run(*route.split())
        self.assert_reaches(self.server, self.ADDRESS, server=self.guest)
        self.assertTrue(self.guest.ping(LAN, source=self.ADDRESS))
        # And what cures: a subnet of the LAN's own.
        self.assertIn("10.0.0.0/8", found["hint"])
        self.lpar.nmcli("connection", "modify", NAME, "-ipv4.addresses", "192.168.77.254/24")
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.wait_gone("subnet-not-in-lan")


class DispatcherDisabled(FindingCase):
    """NetworkManager's dispatcher starts the service; who takes it away finds out after a boot."""

    OVERRIDES = [f"/etc/NetworkManager/dispatcher.d/{folder}90-kvm-routed"
                 for folder in ("", "pre-up.d/")]

    def test_overridden(self):
        self.addCleanup(self.lpar.run, "rm", "-f", *self.OVERRIDES)
        for path in self.OVERRIDES:
            self.assertIsNone(self.finding("dispatcher-disabled"), "the other one is enough")
            self.lpar.run("ln", "-s", "/dev/null", path)
        found = self.wait_finding("dispatcher-disabled")
        self.assert_reaches(self.server, GUEST, server=self.guest)

        # As after a boot: nobody is there, and the profile comes up.
        self.lpar.down(NAME)
        self.lpar.signal_service()
        self.addCleanup(self.lpar.up, NAME)
        self.lpar.up(NAME, state=None)
        self.assertEqual(self.server.ping(GUEST).received, 0)
        self.assertIsNone(self.lpar.service_pid(), "something else started the service")

        # Whoever asks starts it: that is how the administrator learns why.
        found = self.wait_finding("dispatcher-disabled")
        self.do(found)
        self.wait_gone("dispatcher-disabled")
        self.lpar.down(NAME)
        self.lpar.signal_service()
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.attach_guests()
        self.lpar.wait_for(lambda: self.lpar.service_pid(), 20, "the dispatcher starts the service")
        self.lpar.wait_state(NAME, "active")

    def test_masked(self):
        """As systemctl mask does, on a host that systemd runs."""
        unit = "/etc/systemd/system/NetworkManager-dispatcher.service"
        alias = "/etc/systemd/system/dbus-org.freedesktop.nm-dispatcher.service"
        target = "/lib/systemd/system/NetworkManager-dispatcher.service"
        self.addCleanup(self.lpar.run, "rm", "-rf", "/run/systemd/system", unit)
        self.addCleanup(self.lpar.run, "ln", "-sf", target, alias)
        self.lpar.sh(f"ln -sf {target} {alias}; mkdir -p /run/systemd/system")
        self.assertIsNone(self.finding("dispatcher-disabled"))
        self.lpar.run("ln", "-s", "/dev/null", unit)
        found = self.wait_finding("dispatcher-disabled")
        self.assertIn("masked", found["message"])
        self.assertIn("systemctl unmask", found["hint"])
        self.lpar.sh(f"rm {alias} {unit}")
        self.lpar.wait_for(lambda: "disabled" in (self.finding("dispatcher-disabled") or found)[
            "message"], 10, "the unit is disabled")
        self.lpar.run("ln", "-s", target, alias)
        self.wait_gone("dispatcher-disabled")


class LinkMissing(FindingCase):

    def test_finding(self):
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.lpar.nmcli("device", "disconnect", UPLINK)
        self.addCleanup(self.lpar.nmcli, "device", "up", UPLINK)
        found = self.wait_finding("link-missing", interface=UPLINK)
        self.assertEqual(self.lpar.service_state(NAME), "degraded")
        self.assertEqual(self.server.ping(GUEST).received, 0)
        self.assertTrue(self.guest.ping(OTHER_GUEST), "the rest works")
        self.do(found)
        self.wait_gone("link-missing")
        wait_for(lambda: self.server.ping(GUEST, count=1), 10, "the LAN reaches guests again")


class GatewayUnreachable(FindingCase):
    """A peer whose gateway is on no link, for a slip of the pen."""

    SUBNET, WRONG, RIGHT = "10.138.13.0/24", "172.31.99.2", "172.31.56.2"

    def test_finding(self):
        # What comes of such a route without us: nothing, and the kernel does not say why.
        refused = self.lpar.run("ip", "route", "add", self.SUBNET, "via", self.WRONG, "dev",
                                HIPERSOCKETS, check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.addCleanup(self.lpar.nmcli, "device", "reapply", "br-ex")
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.set_peer("+", self.WRONG)
        found = self.wait_finding("gateway-unreachable", "error")
        for word in self.WRONG, self.SUBNET:
            self.assertIn(word, found["message"])
        self.assertIn("kvm-routed.peers", found["hint"])
        self.assertEqual(self.lpar.service_state(NAME), "failed")
        self.assertEqual(self.server.ping(GUEST).received, 0)
        self.set_peer("-", self.WRONG, reapply=False)
        self.set_peer("+", self.RIGHT)
        self.wait_gone("gateway-unreachable")
        self.assertTrue(self.lpar.ip("route", "show", self.SUBNET))
        self.assert_reaches(self.server, GUEST, server=self.guest)

    def set_peer(self, sign, gateway, reapply=True):
        self.lpar.run("nmcli", "connection", "modify", NAME, f"{sign}kvm-routed.peers",
                      f"{self.SUBNET} {gateway}")
        if reapply:
            self.lpar.nmcli("device", "reapply", "br-ex")


class SubnetOverlap(FindingCase):
    """The same addresses twice on one host."""

    def test_another_interface(self):
        """It leads packets for guests elsewhere; the network is not taken down for it."""
        address, guest = "10.136.11.200/25", "10.136.11.201"
        self.assertEqual(self.way(guest), "br-ex")
        self.addCleanup(self.lpar.run, "ip", "link", "del", "vnetover0")
        self.lpar.ip_batch(["link add vnetover0 type veth peer vnetover1",
                            f"address add {address} dev vnetover0",
                            "link set vnetover1 up", "link set vnetover0 up"])
        self.lpar.wait_for(lambda: self.way(guest) == "vnetover0", 5, "damage")
        found = self.wait_finding("subnet-overlap")
        for word in "10.136.11.0/24", "10.136.11.128/25", "vnetover0":
            self.assertIn(word, found["message"])
        self.assertIn("subnets of its own", found["hint"])
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.lpar.run("ip", "address", "del", address, "dev", "vnetover0")
        self.wait_gone("subnet-overlap")
        self.assertEqual(self.way(guest), "br-ex")

    def way(self, address):
        return self.lpar.ip("route", "get", address)[0]["dev"]

    def test_another_network(self):
        """The one that was there first goes on; the other one is not routed."""
        wide = "10.136.0.1/16"
        self.load_beside(("10.138.11.254/24", wide))
        self.check_beside("subnet-overlap")
        self.lpar.nmcli("connection", "up", BESIDE_NAME)
        self.lpar.wait_state(BESIDE_NAME, "failed")
        found = self.check_beside("subnet-overlap")
        self.assertIn("subnets of its own", found["hint"])
        self.assert_nothing_found()
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.lpar.nmcli("connection", "modify", BESIDE_NAME, "ipv4.addresses", "10.138.11.254/24")
        self.lpar.nmcli("device", "reapply", BESIDE_SWITCH)
        self.assert_beside_is_well()
        self.assert_nothing_found()


class GuestInterface(FindingCase):
    """The name of the guest interface is taken."""

    def test_finding(self):
        self.addCleanup(self.lpar.run, "ip", "link", "del", "taken0")
        self.lpar.run("ip", "link", "add", "taken0", "type", "veth", "peer", "taken1")
        self.load_beside((BESIDE_SWITCH, "taken0"))
        refused = self.lpar.run("/usr/bin/nmcli", "connection", "up", BESIDE_NAME, check=False)
        self.assertNotEqual(refused.returncode, 0, "NetworkManager makes a bridge of it")
        found = self.check_beside("guest-interface")
        self.assertEqual(found["interface"], "taken0")
        command, = COMMANDS.findall(found["hint"])
        self.assertRegex(command, r" NAME\Z")
        self.lpar.run("sh", "-ec", re.sub(r" NAME\Z", f" {BESIDE_SWITCH}", command))
        self.assertEqual(self.check(BESIDE_NAME), (0, []))
        self.lpar.nmcli("connection", "up", BESIDE_NAME)
        self.assert_beside_is_well()
        self.assertEqual(self.lpar.link("taken0")["linkinfo"]["info_kind"], "veth")


class ReachUnknown(FindingCase):
    """Guests may talk to those of a network that is not there."""

    def test_finding(self):
        self.load_beside()
        self.addCleanup(self.lpar.nmcli, "device", "reapply", "br-ex")
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.lpar.run("nmcli", "connection", "modify", NAME, "kvm-routed.reach", BESIDE_NAME)
        self.lpar.nmcli("device", "reapply", "br-ex")
        found = self.wait_finding("reach-unknown")
        self.assertIn(BESIDE_NAME, found["message"])
        self.assertIn("bring it up", found["hint"])
        self.assert_reaches(self.server, GUEST, server=self.guest)
        self.lpar.nmcli("connection", "up", BESIDE_NAME)
        self.wait_gone("reach-unknown")
        self.lpar.nmcli("connection", "down", BESIDE_NAME)
        # Or without the name of what is gone.
        self.wait_finding("reach-unknown")
        self.lpar.run("nmcli", "connection", "modify", NAME, "kvm-routed.reach", "")
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.wait_gone("reach-unknown")


class SettingOfTheProfile(FindingCase):
    """Other editors took it, or spoiled it. What comes of that is in test_editors."""

    def spoil(self, code, says, *words):
        """What was found then. check is asked of the stored profile, which cannot be used."""
        self.addCleanup(self.lpar.load_profile, self.profile, NAME)
        self.lpar.run("python3", "-B", EDITOR, "Update", UUID, *words)
        found = self.lpar.wait_for(lambda: self.finding(code), 10, f"finding {code}")
        self.assertEqual(found["severity"], "warning")
        self.assertEqual(self.lpar.service_state(NAME), "active")
        done = self.lpar.run("kvm-routedctl", "check", NAME, check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(says, done.stderr)
        return found

    def test_lost(self):
        self.do(self.spoil("setting-lost", "no kvm-routed profile", "-user"))
        self.wait_gone("setting-lost")

    def test_invalid(self):
        found = self.spoil("setting-invalid", "kvm-routed.peers: “rubbish”",
                           "user.data={'kvm-routed.peers': 'rubbish'}")
        self.lpar.sh(re.search(r"kvm-routedctl restore \S+", found["hint"]).group(0))
        self.wait_gone("setting-invalid")


class Check(FindingCase):
    """What is wrong with a profile that is not up, and what `check` exits with."""

    def assert_checked(self, code, status, *changes):
        got, findings = self.check_text(*changes)
        found = [finding for finding in findings if finding["code"] == code]
        self.assertTrue(found, findings)
        self.assertEqual(got, status, findings)
        return found[0]

    BESIDE = BESIDE[1:]

    def test_nothing(self):
        before = self.host_state()
        self.assertEqual(self.check_text(*self.BESIDE), (0, []))
        self.assertEqual(self.host_state(), before)

    def host_state(self):
        """Without what packets count: neighbours ask whenever they like."""
        state = self.lpar.settled_fingerprint()
        state["nft list ruleset"] = re.sub(r"packets \d+ bytes \d+", "", state["nft list ruleset"])
        return state

    def test_gateway_unreachable(self):
        finding = self.assert_checked("gateway-unreachable", 1, *self.BESIDE,
                                      ("10.138.13.0/24 172.31.56.2", "10.138.13.0/24 172.31.99.2"))
        self.assertIn("172.31.99.2", finding["message"])

    def test_subnet_overlap(self):
        self.assert_checked("subnet-overlap", 1, *self.BESIDE[:2],
                            ("address1=10.136.11.254/24", "address1=10.136.0.1/16"),
                            ("address2=10.137.11.254/24", ""),
                            *self.BESIDE[4:])

    def test_own_address(self):
        finding = self.assert_checked("subnet-overlap", 2, *self.BESIDE,
                                      ("10.138.11.254/24", "10.131.11.1/24"))
        for word in "10.131.11.254", UPLINK:
            self.assertIn(word, finding["message"])

    def test_guest_interface(self):
        self.addCleanup(self.lpar.run, "ip", "link", "del", "taken0")
        self.lpar.run("ip", "link", "add", "taken0", "type", "veth", "peer", "taken1")
        changes = (("interface-name=br-ex", "interface-name=taken0"), *self.BESIDE[1:])
        finding = self.assert_checked("guest-interface", 1, *changes)
        self.assertIn("a veth", finding["message"])

    def test_guest_interface_that_is_a_bridge(self):
        self.addCleanup(self.lpar.run, "ip", "link", "del", "taken0")
        self.lpar.run("ip", "link", "add", "taken0", "type", "bridge")
        changes = (("interface-name=br-ex", "interface-name=taken0"), *self.BESIDE[1:])
        self.assertEqual(self.check_text(*changes), (0, []))

    def test_reach_unknown(self):
        finding = self.assert_checked("reach-unknown", 2, *self.BESIDE,
                                      ("[kvm-routed]", "[kvm-routed]\nreach=nobody"))
        self.assertIn("nobody", finding["message"])
        known = ("[kvm-routed]", "[kvm-routed]\nreach=guests11")
        self.assertEqual(self.check_text(*self.BESIDE, known), (0, []))

    def test_layer3_uplink(self):
        self.assert_checked("layer3-uplink", 1, *self.BESIDE,
                            (f"uplinks={UPLINK}\n", "uplinks=hs57_0\n"),
                            ("hs56k_0,hs57_0", "hs56k_0"))

    def test_accepted(self):
        """An error that is accepted is a warning."""
        self.assert_checked("layer3-uplink", 2, *self.BESIDE,
                            (f"uplinks={UPLINK}\n", "uplinks=hs57_0\nallow=layer3-uplink\n"),
                            ("hs56k_0,hs57_0", "hs56k_0"))

    def test_unusable(self):
        self.assertEqual(self.check_text(("uplinks=", "no-such-key="))[0], 1)


if __name__ == "__main__":
    labcase.main()
