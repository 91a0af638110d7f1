# SPDX-License-Identifier: GPL-2.0-or-later
"""For whom the host answers on a LAN, how soon, and how it follows what its neighbours say."""

import configparser
import itertools
import statistics
import time

import cables
import labcase
import packets
from lpar import BUS_NAME

UPLINK = "o5s_10g_1"
OWN = "10.131.11.254"  # LPAR 11 on the LAN
LAN = "10.0.0.0/8"


class ArpCase(labcase.LabCase):

    profiles_up = True

    def setUp(self):
        self.lpar, self.other = self.cec["lpar11"], self.cec["lpar12"]
        self.server = self.cec["lanserver"]
        self.mac = self.lpar.mac(UPLINK)
        self.other_mac = self.other.mac(UPLINK)

    def who_has(self, addresses, witnesses=(OWN,)):
        """Who answers the LAN server for which address."""
        return packets.who_has(self.server, "eth0", addresses, witnesses)

    def assert_answered_at_once(self, address, what):
        """LPAR 11 answers, and nobody else; tells how long that took."""
        begin = time.monotonic()
        self.assertEqual(self.who_has([address], [address])[address], {self.mac}, what)
        self.tell(f"{what}: answered {(time.monotonic() - begin - packets.GRACE) * 1000:.0f} ms "
                  "after it was there")

    def tell(self, text):
        print(f"\n    measured: {text}", flush=True)


class Scope(ArpCase):
    """On the LAN the host answers for its guests and its own addresses, and for nothing else."""

    def test_for_its_guests(self):
        guests = [guest.address for guest in self.lpar.guests.values()]
        # Also for a guest that is not there yet: the subnet is the host's.
        answers = self.who_has([*guests, "10.136.11.99"], guests)
        self.assertEqual(set(map(frozenset, answers.values())), {frozenset({self.mac})}, answers)

    def test_for_its_own_addresses(self):
        own = [address["local"] for link in self.lpar.ip("-4", "address")
               for address in link["addr_info"] if link["ifname"] != "lo"]
        self.assertIn(OWN, own)
        answers = self.who_has(own, own)
        self.assertEqual(answers, {address: {self.mac} for address in own})

    def test_for_an_own_address_on_lo_added_later_at_once(self):
        vip = "10.131.11.77"
        self.assertEqual(self.who_has([vip])[vip], set())
        self.lpar.run("ip", "address", "add", f"{vip}/32", "dev", "lo")
        self.addCleanup(self.lpar.run, "ip", "address", "del", f"{vip}/32", "dev", "lo",
                        check=False)
        self.assert_answered_at_once(vip, "a new address on lo")
        self.assert_reaches(self.server, vip, server=self.lpar)
        self.lpar.run("ip", "address", "del", f"{vip}/32", "dev", "lo")
        self.lpar.wait_for(lambda: self.who_has([vip])[vip] == set(), 5, f"no answer for {vip}")

    def test_for_an_own_address_on_the_uplink_added_later_at_once(self):
        address = "10.131.11.78"
        self.lpar.run("ip", "address", "add", f"{address}/8", "dev", UPLINK)
        self.addCleanup(self.lpar.run, "ip", "address", "del", f"{address}/8", "dev", UPLINK)
        self.assert_answered_at_once(address, "a new address on the uplink")

    def test_for_a_proxy_entry_of_the_administrator(self):
        address = "10.8.8.8"
        self.lpar.run("ip", "route", "add", address, "dev", "hs56k_0")
        self.addCleanup(self.lpar.run, "ip", "route", "del", address, "dev", "hs56k_0")
        self.assertEqual(self.who_has([address])[address], set())
        self.lpar.run("ip", "neighbour", "add", "proxy", address, "dev", UPLINK)
        self.addCleanup(self.lpar.run, "ip", "neighbour", "del", "proxy", address, "dev", UPLINK)
        # The kernel tells nobody of such an entry: it counts from the next change, or from here.
        self.lpar.run("gdbus", "call", "--system", "--dest", BUS_NAME, "--object-path",
                      "/" + BUS_NAME.replace(".", "/"), "--method", f"{BUS_NAME}.Reapply",
                      self.lpar.network("guests11")["uuid"])
        self.assertEqual(self.who_has([address], [address])[address], {self.mac})

    def test_never_for_an_unused_address(self):
        unused = ["10.9.9.9", "10.136.13.1", "10.255.255.254"]
        self.assertEqual(self.who_has(unused), {OWN: {self.mac}, **dict.fromkeys(unused, set())})

    def test_never_for_what_it_reaches_elsewhere(self):
        """Intranet, HiperSockets, the world: proxy_arp alone answers for all that has a route."""
        self.lpar.run("ip", "route", "add", "default", "via", "172.18.0.100")
        self.addCleanup(self.lpar.run, "ip", "route", "del", "default")
        before = self.lpar.status()["counters"]["arp-refused"]
        elsewhere = ["172.18.0.100", "172.31.56.2", "172.31.57.10", "192.0.2.1"]
        answers = self.who_has(elsewhere)
        for address in elsewhere:
            self.assertNotIn(self.mac, answers[address], address)
        self.assertGreaterEqual(self.lpar.status()["counters"]["arp-refused"] - before, 4)

    def test_never_for_another_lan_host(self):
        foreign = "10.131.12.254"
        self.assertEqual(self.who_has([foreign], [OWN, foreign])[foreign], {self.other_mac})
        # It asks the other way round, too.
        answers = packets.who_has(self.other, UPLINK, ["10.10.10.10"], [OWN, "10.10.10.10"])
        self.assertEqual(answers["10.10.10.10"], {self.server.mac("eth0")})

    def test_never_for_the_other_lpars_guests(self):
        """Although there is a route to them, through HiperSockets."""
        route = self.lpar.ip("route", "get", "10.136.12.1")
        self.assertEqual(route[0]["dev"], "hs56k_0")
        guests = [guest.address for guest in self.other.guests.values()]
        answers = self.who_has(guests, [OWN, *guests])
        for address in guests:
            self.assertEqual(answers[address], {self.other_mac}, address)

    def test_never_for_guests_on_the_intranet(self):
        own = "172.18.0.11"
        guests = [guest.address for guest in self.lpar.guests.values()]
        answers = packets.who_has(self.cec["intraserver"], "eth0", guests, [own])
        self.assertEqual(answers.pop(own), {self.lpar.mac("o5s_1g_1")})
        self.assertEqual(answers, dict.fromkeys(guests, set()))


class SharedSubnet(ArpCase):
    """Two host interfaces in one subnet: with proxy ARP alone the host answers for the whole LAN,
    and takes it down."""

    SECOND = "o5s_10g_2"
    FOREIGN = ("10.9.9.9", "10.131.12.254", "10.136.12.1")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.profile = cls.cec["lpar11"].profile("guests11")

    def check(self):
        network = self.lpar.wait_state("guests11", "active")
        finding = next(found for found in network["findings"] if found["code"] == "shared-subnet")
        for word in UPLINK, self.SECOND, LAN:
            self.assertIn(word, finding["message"])

        before = self.lpar.status()["counters"]["arp-refused"]
        macs = {self.mac, self.lpar.mac(self.SECOND)}
        for address, answers in self.who_has(self.FOREIGN, [OWN, *self.FOREIGN[1:]]).items():
            if address == OWN:
                self.assertLessEqual(answers, macs)
            else:
                self.assertFalse(answers & macs, f"LPAR 11 answers for {address}")
        self.assertGreater(self.lpar.status()["counters"]["arp-refused"], before,
                           "the kernel would not have answered anyway")

        self.server.run("ip", "neighbour", "flush", "all")
        self.assert_reaches(self.server, "10.131.12.254", server=self.other)
        self.assert_reaches(self.other, "10.10.10.10", server=self.server)

    def test_second_interface_is_none_of_ours(self):
        """The routes to the LAN go through it, so that the kernel sees the LAN behind it."""
        cables.add_uplink(self, self.lpar, self.cec.segments["lan"], self.SECOND, "10.131.11.253/8",
                          metric=10)
        self.check()

    def test_second_interface_is_an_uplink_too(self):
        cables.add_uplink(self, self.lpar, self.cec.segments["lan"], self.SECOND, "10.131.11.253/8",
                          metric=2000)
        self.lpar.load_profile(self.profile.replace(f"uplinks={UPLINK}",
                                                    f"uplinks={UPLINK},{self.SECOND}"), "guests11")
        self.addCleanup(self.lpar.up, "guests11")
        self.addCleanup(self.lpar.load_profile, self.profile, "guests11")
        self.lpar.up("guests11")
        self.check()
        self.assert_reaches(self.server, "10.136.11.1", server="lpar11/guest1")
        self.assert_reaches("lpar11/guest1", "10.10.10.10", server=self.server)


class Neighbours(ArpCase):
    """Received ARP is never filtered: neighbours may tell what is new."""

    def test_a_peer_that_changes_its_mac_and_announces_it_is_reached_at_once(self):
        guest, address = self.cec["lpar11/guest1"], "10.10.10.10"
        old = self.server.mac("eth0")
        self.addCleanup(packets.announce, self.server, "eth0", address)
        self.addCleanup(self.server.run, "ip", "link", "set", "eth0", "address", old)

        for number, source in enumerate((guest, self.lpar), 1):
            self.assertTrue(source.ping(address))
            new = f"02:ab:00:00:00:{number:02x}"
            self.server.run("ip", "link", "set", "eth0", "address", new)
            packets.announce(self.server, "eth0", address)
            # A packet to the old MAC would be lost.
            ping = source.ping(address, count=1, wait=5)
            self.assertTrue(ping, f"{source.name}: {ping.output}")
            self.tell(f"{source.name} to a peer with a new MAC: {ping.times_ms[0]:.2f} ms")
            self.assertEqual(self.lpar.ip("neighbour", "show", address)[0]["lladdr"], new)


class FirstPacket(ArpCase):
    """The first packet from the LAN to a guest is not queued behind the kernel's proxy delay."""

    DELAYS = [f"net/ipv4/neigh/{link}/proxy_delay" for link in (UPLINK, "br-ex")]

    def first_packets(self):
        """The times of first packets to guests whom nobody knows, in ms."""
        times = []
        for guest in [*self.lpar.guests.values()] * 2:
            for host in self.server, self.lpar, guest:
                host.run("ip", "neighbour", "flush", "all")
            ping = self.server.ping(guest.address, count=1, wait=5)
            self.assertTrue(ping, ping.output)
            times += ping.times_ms
        return times

    def delays(self):
        return [self.lpar.sysctl(key) for key in self.DELAYS]

    def test_first_packet_is_not_queued_behind_the_proxy_delay(self):
        self.assertEqual(self.delays(), ["0", "0"])
        ours = self.first_packets()

        # For comparison the kernel's default, while the service cannot put it right.
        service = self.lpar.service_pid()
        self.addCleanup(self.lpar.run, "kill", "-CONT", str(service))
        self.lpar.run("kill", "-STOP", str(service))
        for key in self.DELAYS:
            self.lpar.sysctl(key, 80)
        default = self.first_packets()
        self.lpar.run("kill", "-CONT", str(service))
        self.lpar.wait_for(lambda: self.delays() == ["0", "0"], 5, "proxy_delay is 0 again")

        for what, times in ("proxy_delay 0", ours), ("the kernel's 80", default):
            self.tell(f"first packet with {what}: median {statistics.median(times):.2f} ms "
                      f"({min(times):.2f} to {max(times):.2f})")


class GatewayMac(ArpCase):
    """The gateway's MAC never changes while guests come and go."""

    def test_gateway_mac_never_changes_while_guests_come_and_go(self):
        keyfile = configparser.ConfigParser(delimiters="=", interpolation=None)
        keyfile.read_string(self.lpar.expand(self.lpar.profile("guests11")))
        pinned = keyfile["bridge"]["mac-address"].lower()
        guests = list(self.lpar.guests.values())
        self.addCleanup(self.lpar.attach_guests)

        # A bridge whose MAC is not pinned takes the lowest of its ports'.
        first = guests[0].port
        self.addCleanup(self.lpar.run, "ip", "link", "set", first, "address", self.lpar.mac(first))
        self.lpar.run("ip", "link", "set", first, "address", "02:00:00:00:00:01")

        seen = {self.lpar.mac("br-ex")}
        self.lpar.detach_guests()
        seen.add(self.lpar.mac("br-ex"))
        for order in itertools.islice(itertools.permutations(guests), 0, None, 7):
            for state in "master br-ex", "nomaster":
                for guest in order:
                    self.lpar.run("ip", "link", "set", guest.port, *state.split(), "up")
                    link = self.lpar.link("br-ex")
                    seen.add(link["address"])
                    self.assertEqual(link["mtu"], 57344)
        self.assertEqual(seen, {pinned})


if __name__ == "__main__":
    labcase.main()
