# SPDX-License-Identifier: GPL-2.0-or-later
"""Who else answers for a guest, or leads to one: the damage, the finding, and its cure."""

import re
import time

import cables
import labcase
import packets

NAME = "guests11"
UPLINK, HIPERSOCKETS, SECOND = "o5s_10g_1", "hs56k_0", "o5s_10g_2"
OWN = "10.131.11.254"  # LPAR 11 on the LAN
UNUSED = "10.9.9.9"
GATEWAY, GUEST = "10.136.11.254", "10.136.11.1"
PEER_GATEWAY = "10.136.12.254"

# Seconds: a round of probes, a pause before it, and a busy machine.
PATIENCE = 60


class PathsCase(labcase.LabCase):

    def setUp(self):
        self.lpar, self.other = self.cec["lpar11"], self.cec["lpar12"]
        self.server = self.cec["lanserver"]
        self.mac, self.other_mac = self.lpar.mac(UPLINK), self.other.mac(UPLINK)
        self.server_mac = self.server.mac("eth0")

    def who_has(self, addresses, witnesses=(OWN,)):
        return packets.who_has(self.server, "eth0", addresses, witnesses)

    def findings(self, code, lpar=None, name=NAME):
        network = (lpar or self.lpar).network(name)
        return [found for found in network["findings"] if found["code"] == code]

    def wait_finding(self, code, interface, *words, lpar=None, name=NAME):
        """The finding, once it is there and has these words in its message."""
        def found():
            seen = self.findings(code, lpar, name)
            return next((finding for finding in seen if finding["interface"] == interface
                         and all(word in finding["message"] for word in words)), None)

        finding = (lpar or self.lpar).wait_for(found, PATIENCE, f"{code}: {words}", 0.2)
        self.assertEqual(finding["severity"], "warning")
        self.assertTrue(finding["hint"])
        self.assertTrue(finding["message"].isprintable())
        # It is said, and nothing stops for it.
        self.assertIn((lpar or self.lpar).service_state(name), ("active", "degraded"))
        return finding

    def wait_cured(self, code, lpar=None, name=NAME):
        (lpar or self.lpar).wait_for(lambda: self.findings(code, lpar, name) == [], PATIENCE,
                                     f"{code} is over", 0.2)

    def add_address(self, host, address, device):
        host.run("ip", "address", "add", f"{address}/32", "dev", device)
        self.addCleanup(host.run, "ip", "address", "del", f"{address}/32", "dev", device,
                        check=False)

    def proxy_by_hand(self, lpar, *devices):
        """What administrators did before there was a filter."""
        for device in devices:
            for key in ("forwarding", "proxy_arp"):
                lpar.sysctl(f"net/ipv4/conf/{device}/{key}", 1)
                self.addCleanup(lpar.sysctl, f"net/ipv4/conf/{device}/{key}", 0)

    def other_goes_its_own_way(self):
        """LPAR 12 leaves kvm-routed, and has proxy ARP and a route to our guests."""
        self.other.down("guests12")
        self.addCleanup(self.other.up, "guests12")
        self.other.run("ip", "route", "add", "10.136.11.0/24", "via", "172.31.56.1")
        self.addCleanup(self.other.run, "ip", "route", "del", "10.136.11.0/24")
        self.proxy_by_hand(self.other, UPLINK)


class Damage(PathsCase):
    """What the talk warns of, done by hand, without us; then the same hosts with us."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.cec.reset)

    def load_plain(self):
        """The profile of LPAR 11's guest interface as NetworkManager has it, without our keys."""
        text = self.lpar.expand(self.lpar.profile(NAME))
        plain = re.sub(r"\[user\]\n(?:.+\n)*", "", text)
        plain = plain.replace(f"id={NAME}", "id=plain11").replace("000000000011", "000000000099")
        self.assertNotIn("kvm-routed", plain)
        self.lpar.load_profile(plain, "plain11")
        self.lpar.up("plain11", state=None)

    @staticmethod
    def no_proxy(lpar):
        for key in "forwarding", "proxy_arp":
            lpar.sysctl(f"net/ipv4/conf/{UPLINK}/{key}", 0)

    def routed(self):
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.lpar.up(NAME)

    def test_dead_lan(self):
        cables.add_uplink(self, self.lpar, self.cec.segments["lan"], SECOND, "10.131.11.253/8",
                          metric=10)
        macs = {self.mac, self.lpar.mac(SECOND)}
        self.proxy_by_hand(self.lpar, UPLINK)
        answers = self.who_has([UNUSED], [UNUSED])[UNUSED]
        self.assertTrue(answers and answers <= macs, "the LAN is not dead: no damage to prevent")
        self.no_proxy(self.lpar)

        self.routed()
        self.assertEqual(self.who_has([UNUSED])[UNUSED], set())
        finding = self.wait_finding("shared-subnet", SECOND, UPLINK, "10.0.0.0/8")
        self.assertIn(f"take the address from {SECOND}", finding["hint"])
        # Its own second interface is nobody else.
        self.assertEqual(self.findings("duplicate-address"), [])

        self.lpar.run("ip", "address", "del", "10.131.11.253/8", "dev", SECOND)
        self.wait_cured("shared-subnet")
        self.assertEqual(self.who_has([UNUSED])[UNUSED], set())

    def test_two_lpars_answer_for_one_guest(self):
        self.load_plain()
        self.other.run("ip", "route", "add", "10.136.11.0/24", "via", "172.31.56.1")
        self.addCleanup(self.other.run, "ip", "route", "del", "10.136.11.0/24", check=False)
        self.proxy_by_hand(self.lpar, UPLINK)
        self.proxy_by_hand(self.other, UPLINK)
        self.lpar.wait_for(lambda: self.who_has([GUEST], [GUEST])[GUEST]
                           == {self.mac, self.other_mac}, 20, "both answer")

        self.lpar.delete_profile("plain11")
        self.lpar.wait_for(lambda: not self.lpar.link("br-ex"), 10, "no br-ex")
        for lpar in self.lpar, self.other:
            self.no_proxy(lpar)
        self.other.run("ip", "route", "del", "10.136.11.0/24")
        self.cec.up()
        for address, mac in (GUEST, self.mac), ("10.136.12.1", self.other_mac):
            self.assertEqual(self.who_has([address], [address])[address], {mac})


class Duplicate(PathsCase):
    """duplicate-address in all variants. Each begins and ends without one."""

    profiles_up = True

    def setUp(self):
        super().setUp()
        self.assertEqual(self.findings("duplicate-address"), [])

    def meet(self, guest):
        """The guest is in the neighbour table from now on, at the latest."""
        self.assertTrue(self.lpar.guests[guest].ping(OWN, count=1))

    def again(self):
        self.lpar.down(NAME)
        self.lpar.up(NAME)

    def log(self):
        return self.lpar.logs["dbus"].read_text(errors="replace")

    def test_gateway_taken_on_the_lan(self):
        self.lpar.down(NAME)
        self.add_address(self.server, GATEWAY, "eth0")
        before = len(self.log())
        self.lpar.up(NAME)
        finding = self.wait_finding("duplicate-address", UPLINK, GATEWAY, self.server_mac)
        self.assertNotIn("proxy", finding["message"])
        # The activation did not wait for it.
        said = self.log()[before:]
        self.assertLess(said.index(f"{NAME} (br-ex): active"), said.index("duplicate-address"))
        # What has it on file says so, too.
        check = self.lpar.run("kvm-routedctl", "check", NAME, check=False)
        self.assertIn(self.server_mac, check.stdout)

        self.server.run("ip", "address", "del", f"{GATEWAY}/32", "dev", "eth0")
        self.wait_cured("duplicate-address")
        self.assertIn("duplicate-address [o5s_10g_1] is over", self.log()[before:])

    def test_gateway_taken_by_a_guest(self):
        guest = self.lpar.guests["guest2"]
        self.add_address(guest, GATEWAY, guest.nic)
        packets.announce(guest, guest.nic, GATEWAY)
        finding = self.wait_finding("duplicate-address", "br-ex", GATEWAY, guest.mac(guest.nic))
        self.assertIn("guest", finding["hint"])
        guest.run("ip", "address", "del", f"{GATEWAY}/32", "dev", guest.nic)
        self.wait_cured("duplicate-address")

    def test_gateway_taken_by_a_guest_that_is_plugged_in_later(self):
        guest = self.lpar.guests["guest2"]
        self.lpar.run("ip", "link", "set", guest.port, "nomaster", "down")
        self.addCleanup(self.lpar.attach_guests)
        self.add_address(guest, GATEWAY, guest.nic)
        self.lpar.run("ip", "link", "set", guest.port, "master", "br-ex", "up")
        self.wait_finding("duplicate-address", "br-ex", GATEWAY, guest.mac(guest.nic))
        guest.run("ip", "address", "del", f"{GATEWAY}/32", "dev", guest.nic)
        self.wait_cured("duplicate-address")

    def test_guest_taken_by_a_lan_host(self):
        """Of a silent one, as soon as the guest speaks to us."""
        guest = self.lpar.guests["guest2"]
        self.lpar.run("ip", "neighbour", "flush", "dev", "br-ex")
        self.again()
        self.lpar.run("ip", "neighbour", "flush", "dev", "br-ex")
        self.add_address(self.server, guest.address, "eth0")
        self.meet("guest2")
        self.wait_finding("duplicate-address", UPLINK, guest.address, self.server_mac)
        self.server.run("ip", "address", "del", f"{guest.address}/32", "dev", "eth0")
        self.wait_cured("duplicate-address")

    def test_lan_host_in_the_guest_subnet(self):
        """No guest has its address. It is noticed when it speaks."""
        address = "10.136.11.77"
        self.add_address(self.server, address, "eth0")
        packets.announce(self.server, "eth0", address)
        self.wait_finding("duplicate-address", UPLINK, address, self.server_mac)
        self.server.run("ip", "address", "del", f"{address}/32", "dev", "eth0")
        self.wait_cured("duplicate-address")

    def test_whoever_speaks_and_has_nothing(self):
        """A forged announcement is looked into, and is no finding."""
        with self.server.capture("eth0", "arp") as seen:
            packets.announce(self.server, "eth0", "10.136.11.78")
            asked = r"who-has 10\.136\.11\.78 tell 0\.0\.0\.0"
            self.lpar.wait_for(lambda: len(seen.matching(asked)) >= 3, PATIENCE, "it is asked for")
            time.sleep(4)
        self.assertEqual(self.findings("duplicate-address"), [])

    def test_guest_taken_by_the_proxy_of_another_lpar(self):
        self.meet("guest1")
        self.other_goes_its_own_way()
        # What was quiet is asked for after the cable was moved, for example.
        self.lpar.run("ip", "link", "set", UPLINK, "down")
        self.lpar.nmcli("connection", "up", UPLINK)
        self.meet("guest1")
        finding = self.wait_finding("duplicate-address", UPLINK, GUEST, GATEWAY, self.other_mac)
        self.assertIn("proxy", finding["message"])
        self.assertIn("proxy_arp=0", finding["hint"])
        # One for all addresses of one MAC.
        self.assertEqual(len(self.findings("duplicate-address")), 1)

        self.other.sysctl(f"net/ipv4/conf/{UPLINK}/proxy_arp", 0)
        self.wait_cured("duplicate-address")

    def test_silence_when_all_was_asked(self):
        """Each address three times in both ways at most, and then nothing."""
        for guest in self.lpar.guests:
            self.meet(guest)
        self.lpar.down(NAME)
        with self.server.capture("eth0", "arp") as seen:
            self.lpar.up(NAME)
            for guest in self.lpar.guests:
                self.meet(guest)
            asked = r"who-has 10\.13[67]\.\d+\.\d+ (\(\S+\) )?tell"
            mine = f"{self.mac} .*{asked}"
            self.lpar.wait_for(lambda: len(seen.matching(rf"{mine} 0\.0\.0\.0")) >= 3, PATIENCE,
                               "probes")
            count = -1
            while count != len(seen.matching(mine)):
                count = len(seen.matching(mine))
                time.sleep(12)
        # Two gateways, four guests; two peers, of which it is not asked who has them. Activation
        # may take the network away for a moment when the first question is out.
        for address in (GATEWAY, "10.137.11.254",
                        *(guest.address for guest in self.lpar.guests.values())):
            about = rf"{self.mac} .*who-has {re.escape(address)} (\(\S+\) )?tell"
            self.assertIn(len(seen.matching(rf"{about} 0\.0\.0\.0")), (3, 4), address)
            self.assertIn(len(seen.matching(rf"{about} {re.escape(OWN)}")), (3, 4), address)
        print(f"\n    measured: {count} ARP requests for 8 addresses, then none", flush=True)

    def test_killed_meanwhile(self):
        """The one that comes back asks again; nothing of the killed one is left."""
        self.again()
        self.lpar.signal_service(9)
        with self.server.capture("eth0", "arp") as seen:
            time.sleep(2)
            self.assertEqual(seen.matching(rf"{self.mac} .*tell 0\.0\.0\.0"), [])
            self.assertEqual(self.lpar.service_state(NAME), "active")
            asked = rf"{self.mac} .*who-has {re.escape(GATEWAY)} .*tell 0\.0\.0\.0"
            self.lpar.wait_for(lambda: len(seen.matching(asked)) >= 3, PATIENCE,
                               "the next one asks")


class SecondPath(PathsCase):
    """second-path: another route, and another answer."""

    profiles_up = True

    def route(self, *words):
        self.lpar.run("ip", "route", "add", *words)
        self.addCleanup(self.lpar.run, "ip", "route", "del", *words, check=False)

    def way(self, address):
        return self.lpar.ip("route", "get", address)[0]["dev"]

    def cure(self, finding):
        command = finding["hint"].split(";")[0]
        self.assertRegex(command, r"\Aip route del ")
        self.lpar.run(*command.split())
        self.wait_cured("second-path")

    def test_a_longer_route_wins(self):
        self.assertEqual(self.findings("second-path"), [])
        self.route("10.136.12.0/25", "via", "10.131.12.254")
        self.assertEqual(self.way("10.136.12.1"), UPLINK)
        finding = self.wait_finding("second-path", UPLINK, "10.136.12.0/24", HIPERSOCKETS, "wins")
        self.cure(finding)
        self.assertEqual(self.way("10.136.12.1"), HIPERSOCKETS)

    def test_an_equal_route_waits_for_its_time(self):
        self.route("10.136.12.0/24", "via", "10.131.12.254", "metric", "300")
        self.assertEqual(self.way("10.136.12.1"), HIPERSOCKETS)
        finding = self.wait_finding("second-path", UPLINK, "10.136.12.0/24", "takes over")
        self.cure(finding)

    def test_routes_that_are_no_second_path(self):
        self.route("10.136.12.0/22", "via", "10.131.12.254")
        self.route("10.136.15.0/24", "via", "10.131.12.254")
        self.lpar.settled_fingerprint()
        self.assertEqual(self.findings("second-path"), [])

    def test_two_answer_for_a_peers_guests(self):
        """That LPAR 12 does is as it should be."""
        self.lpar.down(NAME)
        self.add_address(self.server, PEER_GATEWAY, "eth0")
        self.lpar.up(NAME)
        self.wait_finding("second-path", UPLINK, "10.136.12.0/24", self.other_mac,
                          self.server_mac)
        self.server.run("ip", "address", "del", f"{PEER_GATEWAY}/32", "dev", "eth0")
        self.wait_cured("second-path")
        self.assertEqual(self.findings("duplicate-address"), [])

    def test_one_answers_for_a_peers_guests(self):
        self.lpar.down(NAME)
        with self.server.capture("eth0", "arp") as seen:
            self.lpar.up(NAME)
            asked = rf"{self.mac} .*who-has {re.escape(PEER_GATEWAY)}"
            self.lpar.wait_for(lambda: len(seen.matching(asked)) >= 1, PATIENCE, "it is asked")
            time.sleep(8)
        self.assertEqual(self.findings("second-path"), [])
        self.assertEqual(self.findings("duplicate-address"), [])


if __name__ == "__main__":
    labcase.main()
