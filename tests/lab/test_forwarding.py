# SPDX-License-Identifier: GPL-2.0-or-later
"""What a routed host does with the traffic of others, and what others' rules do with its own."""

import itertools
import re

import cables
import labcase
import packets
from hosts import wait_for
from reachability import first_address

PROFILE = "guests11"
UPLINK_FORWARDING = "net/ipv4/conf/o5s_10g_1/forwarding"
LAN_SERVER, FOREIGN, INTRASERVER = "10.10.10.10", "192.0.2.2", "172.18.0.100"


class ForwardingCase(labcase.LabCase):
    """Tests bring the network of LPAR 11 up and down themselves."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        lpar = cls.cec["lpar11"]
        text = lpar.profile(PROFILE).replace("[connection]", "[connection]\nautoconnect=false", 1)
        lpar.load_profile(text, PROFILE)

    def setUp(self):
        self.lpar, self.guest = self.cec["lpar11"], self.cec["lpar11/guest1"]
        self.server = self.cec["lanserver"]
        self.addCleanup(self.take_down)

    def up(self):
        self.lpar.up(PROFILE)

    def take_down(self):
        if self.lpar.link(self.lpar.switch):
            self.lpar.down(PROFILE)

    def add_route(self, host, route):
        host.run("ip", "route", "replace", *route.split())
        self.addCleanup(host.run, "ip", "route", "del", *route.split())

    def add_table(self, text):
        """Rules of the administrator, in a table of their own; a call removes it."""
        family, name = re.search(r"table (\w+) (\w+)", text).groups()
        self.lpar.run("nft", "-f", "-", input=text)

        def remove():
            self.lpar.run("nft", "delete", "table", family, name, check=False)

        self.addCleanup(remove)
        return remove


class OtherTraffic(ForwardingCase):
    """A LAN host and a system behind an interface that no profile names, through the LPAR."""

    def setUp(self):
        super().setUp()
        self.foreign = cables.add_foreign_host(self, self.lpar)
        self.add_route(self.server, "192.0.2.0/24 via 10.131.11.254")

    def assert_forwarded(self):
        self.assert_reaches(self.server, FOREIGN, server=self.foreign)
        self.assert_reaches(self.foreign, LAN_SERVER, server=self.server)

    def assert_not_forwarded(self):
        self.assert_refused(self.server, FOREIGN, server=self.foreign)
        self.assert_refused(self.foreign, LAN_SERVER, server=self.server)

    def test_a_link_that_forwarded_before_still_does_and_is_still_1_after_down(self):
        self.lpar.sysctl(UPLINK_FORWARDING, 1)
        self.addCleanup(self.lpar.sysctl, UPLINK_FORWARDING, 0)
        self.addCleanup(self.take_down)
        self.assert_forwarded()
        self.up()
        self.assert_reaches(self.guest, LAN_SERVER, server=self.server)
        self.assert_forwarded()
        self.lpar.down(PROFILE)
        self.assertEqual(self.lpar.sysctl(UPLINK_FORWARDING), "1")
        self.assert_forwarded()

    def test_a_link_that_did_not_forward_before_does_not_while_we_are_up(self):
        self.up()
        self.assertEqual(self.lpar.sysctl(UPLINK_FORWARDING), "1")
        self.assert_reaches(self.guest, LAN_SERVER, server=self.server)
        self.assert_not_forwarded()
        self.lpar.down(PROFILE)
        self.assertEqual(self.lpar.sysctl(UPLINK_FORWARDING), "0")
        self.assert_not_forwarded()

    def test_ip_forward_written_while_we_are_up_is_not_undone_by_our_down(self):
        """As docker does; from then on the host forwards for others, too."""
        links = [link["name"] for link in self.lpar.links]

        def forwarding():
            return [self.lpar.sysctl(f"net/ipv4/conf/{link}/forwarding") for link in links]

        self.addCleanup(self.lpar.sysctl, "net/ipv4/ip_forward", 0)
        self.addCleanup(self.take_down)
        self.up()
        self.lpar.sysctl("net/ipv4/ip_forward", 1)
        wait_for(lambda: self.server.ping(FOREIGN, count=1), 10, "the LAN reaches foreign0")
        self.assert_forwarded()

        # Transit between the network's own links stays refused, and so does the way to its guests.
        self.add_route(self.server, "172.31.56.0/24 via 10.131.11.254")
        self.add_route(self.cec["lpar12"], f"{LAN_SERVER} via 172.31.56.1 src 172.31.56.2")
        self.add_route(self.cec["zos"], f"{LAN_SERVER} via 172.31.57.1 src 172.31.57.10")
        self.assert_refused(self.server, "172.31.56.2", server="lpar12")
        self.assert_refused("lpar12", LAN_SERVER, server=self.server)
        self.assert_refused("zos", LAN_SERVER, server=self.server)
        self.assert_refused(self.foreign, self.guest.address, server=self.guest)

        self.lpar.down(PROFILE)
        self.assertEqual(forwarding(), ["1"] * len(links))
        self.assertEqual(self.lpar.sysctl("net/ipv4/ip_forward"), "1")
        self.assert_forwarded()


class PortForward(ForwardingCase):
    """The administrator's own port forward: an address of the host leads others to a guest."""

    HOST, LAN_HOST, PORT = "172.18.0.11", "10.131.11.254", 8080
    TABLE = f"""
        table ip admin {{
            chain prerouting {{
                type nat hook prerouting priority dstnat; policy accept;
                ip daddr {{ {HOST}, {LAN_HOST} }} tcp dport {PORT} dnat to 10.136.11.1:7000
            }}
        }}
        """

    def setUp(self):
        super().setUp()
        self.client = self.cec["intraserver"]
        self.guest.serve(7000)

    def assert_works(self):
        """It may take a moment until the service knows of the table."""
        reply = wait_for(lambda: self.client.tcp(self.HOST, self.PORT), 10,
                         "the port forward works")
        self.assertEqual(reply.source, INTRASERVER)
        self.assertEqual(self.client.tcp(self.HOST, self.PORT, size=100_000).received, 100_000)
        # It opens that port, and nothing else.
        self.assertIsNone(self.client.tcp(self.HOST, 7000))
        self.assertTrue(self.guest.ping(INTRASERVER))

    def assert_gone(self):
        self.assertIsNone(self.client.tcp(self.HOST, self.PORT))

    def test_set_before_up(self):
        remove = self.add_table(self.TABLE)
        self.up()
        self.assert_works()
        remove()
        self.assert_gone()

    def test_set_after_up(self):
        self.up()
        self.assert_gone()
        remove = self.add_table(self.TABLE)
        self.assert_works()
        remove()
        self.assert_gone()

    def test_from_the_lan_whose_other_flows_are_not_tracked(self):
        self.up()
        self.add_table(self.TABLE)
        wait_for(lambda: self.server.tcp(self.LAN_HOST, self.PORT), 10, "the port forward works")

    def test_from_another_interface(self):
        foreign = cables.add_foreign_host(self, self.lpar)
        self.up()
        self.add_table(self.TABLE)
        wait_for(lambda: foreign.tcp(self.HOST, self.PORT), 10, "the port forward works")


class ConnectionTracking(ForwardingCase):
    """Routed flows are not tracked, masqueraded ones are; where another table on the host needs
    tracking, all are."""

    OTHER_NAT = """
        table ip other {
            chain postrouting {
                type nat hook postrouting priority srcnat; policy accept;
                oifname "other0" masquerade
            }
        }
        """
    ROUTED = (("lpar11/guest1", "lanserver"), ("lpar11/guest4", "lanserver"),
              ("lpar11/guest1", "lpar11/guest4"), ("lpar11/guest1", "lpar12/guest1"),
              ("lpar11/guest1", "zos"), ("lanserver", "lpar11/guest1"), ("zos", "lpar11/guest2"))
    MASQUERADED = (("lpar11/guest1", "intraserver"), ("lpar11/guest4", "intraserver"))

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        other = cls.cec["lpar12"]
        other.load_profile(other.profile("guests12"), "guests12")
        other.up("guests12")
        # What was tracked once stays in the table for a while: a port is used once.
        cls.ports = itertools.count(20000)

    def tracked(self, flow):
        """Whether a new flow shows in the host's table."""
        source, target = (self.cec[name] for name in flow)
        addresses = [first_address(host) for host in (source, target)]
        port = next(self.ports)
        with packets.Mailbox(target, port) as mailbox:
            packets.send_udp(source, *addresses, port, b"flow")
            wait_for(lambda: mailbox.holds(b"flow"), 2, "the datagram of {} to {}".format(*flow),
                     interval=0.01)
        return f" dport={port} " in self.lpar.run("cat", "/proc/net/nf_conntrack").stdout

    def assert_tracked(self, flows, expected):
        for flow in flows:
            with self.subTest("{} to {}".format(*flow)):
                self.assertIs(self.tracked(flow), expected)

    def assert_switched(self, expected):
        """The service has seen what another table does."""
        wait_for(lambda: self.tracked(self.ROUTED[0]) is expected, 10,
                 f"routed flows are {'' if expected else 'not '}tracked")

    def test_routed_flows_are_not_tracked_masqueraded_ones_are(self):
        self.up()
        self.assert_tracked(self.ROUTED, False)
        self.assert_tracked(self.MASQUERADED, True)

    def test_all_are_with_a_foreign_nat_table_there_before(self):
        remove = self.add_table(self.OTHER_NAT)
        self.up()
        self.assert_tracked(self.ROUTED + self.MASQUERADED, True)
        remove()
        self.assert_switched(False)
        self.assert_tracked(self.ROUTED, False)
        self.assert_tracked(self.MASQUERADED, True)

    def test_all_are_with_a_foreign_nat_table_that_comes_later(self):
        self.up()
        self.assert_tracked(self.ROUTED, False)
        self.add_table(self.OTHER_NAT)
        self.assert_switched(True)
        self.assert_tracked(self.ROUTED + self.MASQUERADED, True)


if __name__ == "__main__":
    labcase.main()
