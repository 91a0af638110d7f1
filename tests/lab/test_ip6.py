# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 from and to guests is not forwarded, not even where somebody switched forwarding on; guests
among themselves, and everybody else, have it as before."""

import ip6
import labcase
from firewalld import Firewalld

BRIDGE_NETFILTER = "net/bridge/bridge-nf-call-ip6tables"

WATCH = """
    table ip6 watch {
        counter bridged { }
        chain forward {
            type filter hook forward priority -5; policy accept;
            iifname "br-ex" oifname "br-ex" counter name bridged
        }
    }
    """


class Ip6(labcase.LabCase):

    profiles_up = True

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        self.guest, self.other = self.cec["lpar11/guest1"], self.cec["lpar11/guest2"]
        ip6.enable(self)

    def refused(self):
        return self.lpar.status()["counters"]["forward-refused"]

    def assert_not_forwarded(self):
        """Between a guest and systems on two links, in both directions; a packet gets nowhere."""
        for name, address in (("lanserver", ip6.LANSERVER), ("intraserver", ip6.INTRASERVER)):
            server = self.cec[name]
            before = self.refused()
            with self.subTest(name), \
                    server.capture("eth0", "icmp6 and src net fd00:136::/64") as there, \
                    self.guest.capture("vic_10g_2", f"icmp6 and src host {address}") as here:
                self.assertEqual(self.guest.ping(address).received, 0)
                self.assertEqual(server.ping(ip6.GUEST1).received, 0)
                self.assertGreaterEqual(self.refused() - before, 4)
            self.assertEqual(there.lines + here.lines, [])

    def assert_guests_among_themselves(self):
        self.assertTrue(self.guest.ping(ip6.GUEST2))
        self.assertTrue(self.other.ping(ip6.GUEST1))

    def test_not_forwarded(self):
        self.assert_not_forwarded()

    def test_not_forwarded_when_the_network_came_up_after_forwarding(self):
        name = next(iter(self.lpar.config["profiles"]))
        self.lpar.down(name)
        self.lpar.up(name)
        ip6.enable(self)
        self.assert_not_forwarded()

    def test_guests_among_themselves(self):
        self.assert_guests_among_themselves()

    def test_guests_among_themselves_where_the_switch_shows_frames_to_the_rules(self):
        before = self.lpar.sysctl(BRIDGE_NETFILTER)
        self.lpar.sysctl(BRIDGE_NETFILTER, 1)
        self.addCleanup(self.lpar.sysctl, BRIDGE_NETFILTER, before)
        self.lpar.run("nft", "-f", "-", input=WATCH)
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "ip6", "watch")
        self.assert_guests_among_themselves()
        seen = self.lpar.run("nft", "list", "counter", "ip6", "watch", "bridged").stdout
        self.assertNotIn("packets 0 ", seen, "no frame came to the forward hook")

    def test_others_are_forwarded(self):
        self.assertTrue(self.cec["lanserver"].ping(ip6.INTRASERVER))
        self.assertTrue(self.cec["intraserver"].ping(ip6.LANSERVER))

    def test_forwarding_is_left_as_it_is(self):
        name = next(iter(self.lpar.config["profiles"]))
        self.lpar.run("nmcli", "device", "reapply", "br-ex")
        self.lpar.wait_state(name, "active")
        self.assertEqual(self.lpar.sysctl(ip6.FORWARDING), "1")
        for link in "br-ex", "o5s_10g_1", "o5s_1g_1":
            self.assertEqual(self.lpar.sysctl(f"net/ipv6/conf/{link}/forwarding"), "1")

    def test_with_firewalld(self):
        """Its policies let guests through, for IPv6, too: it is for our table to refuse."""
        with Firewalld(self.lpar) as firewall:
            firewall.wait_zone("br-ex", "kvm-routed")
            self.assert_not_forwarded()
            self.assert_guests_among_themselves()
            self.assertTrue(self.cec["lanserver"].ping(ip6.INTRASERVER))


if __name__ == "__main__":
    labcase.main()
