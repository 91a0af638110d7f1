# SPDX-License-Identifier: GPL-2.0-or-later
"""What must not get through a routed host."""

import contextlib
import subprocess

import cables
import labcase
import packets
from hosts import wait_for
from reachability import first_address

GUEST_SOURCE = r" 10\.13[67]\.\d+\.\d+(\.\d+)? > "


class RefusedCase(labcase.LabCase):

    profiles_up = True

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]

    def counter(self, name):
        return self.lpar.status()["counters"][name]

    @contextlib.contextmanager
    def counted(self, name, at_least):
        """The block makes a counter of the LPAR grow."""
        before = self.counter(name)
        yield
        self.assertGreaterEqual(self.counter(name) - before, at_least, f"counter {name}")

    def add_route(self, host, route):
        """A route that exists until the end of the test."""
        self._host(host).run("ip", "route", "replace", *route.split())
        self.addCleanup(self._host(host).run, "ip", "route", "del", *route.split(), check=False)

    def assert_stopped(self, source, address, target, as_source=None):
        """Our LPAR refuses what a host sends, and nothing of it arrives at the target."""
        source, target = self._host(source), self._host(target)
        sender = as_source or first_address(source)
        before = self.counter("forward-refused")
        with target.capture("any", f"src host {sender} and dst host {address}") as seen:
            packets.send_echo(source, sender, address, packets.ECHO_REQUEST)
            packets.send_tcp(source, sender, address, packets.SYN)
            packets.send_udp(source, sender, address, 7500, b"anybody there?")
            wait_for(lambda: self.counter("forward-refused") >= before + 3, 10,
                     f"{self.lpar.name} refuses {source.name} to {address}")
        self.assertEqual(seen.lines, [], f"{source.name} to {address}: arrived at {target.name}")

class IntoTheGuestNetwork(RefusedCase):
    """Anything else into br-ex."""

    def test_intranet_to_guest_even_with_a_route_added_there(self):
        self.add_route("intraserver", "10.136.11.0/24 via 172.18.0.11")
        self.add_route("intraserver", "10.137.11.0/24 via 172.18.0.11")
        self.assert_stopped("intraserver", "10.136.11.1", "lpar11/guest1")
        self.assert_stopped("intraserver", "10.137.11.1", "lpar11/guest4")

    def test_another_interface_to_guest_and_back(self):
        foreign = cables.add_foreign_host(self, self.lpar)
        self.assertTrue(foreign.ping("192.0.2.1"))
        self.assert_stopped(foreign, "10.136.11.1", self.guest)
        self.assert_stopped(self.guest, "192.0.2.2", foreign)


class Transit(RefusedCase):
    """LAN to HiperSockets and back through the host."""

    def test_lan_to_hipersockets(self):
        self.add_route("lanserver", "172.31.56.0/24 via 10.131.11.254")
        self.assert_stopped("lanserver", "172.31.56.2", "lpar12")

    def test_lan_to_zos(self):
        self.add_route("lanserver", "172.31.57.0/24 via 10.131.11.254")
        self.assert_stopped("lanserver", "172.31.57.10", "zos")

    def test_lan_to_guests_of_the_other_lpar(self):
        self.add_route("lanserver", "10.136.12.1 via 10.131.11.254")
        self.assert_stopped("lanserver", "10.136.12.1", "lpar12/guest1")

    def test_hipersockets_to_lan(self):
        self.add_route("lpar12", "10.10.10.10 via 172.31.56.1 src 172.31.56.2")
        self.assert_stopped("lpar12", "10.10.10.10", "lanserver", as_source="172.31.56.2")

    def test_zos_to_lan(self):
        self.add_route("zos", "10.10.10.10 via 172.31.57.1 src 172.31.57.10")
        self.assert_stopped("zos", "10.10.10.10", "lanserver")

    def test_zos_to_guests_of_the_other_lpar(self):
        self.add_route("zos", "10.136.12.1 via 172.31.57.1 src 172.31.57.10")
        self.assert_stopped("zos", "10.136.12.1", "lpar12/guest1")

    def test_lan_to_intranet_and_back(self):
        self.add_route("lanserver", "172.18.0.0/15 via 10.131.11.254")
        self.add_route("intraserver", "10.10.10.10 via 172.18.0.11")
        self.assert_stopped("lanserver", "172.18.0.100", "intraserver")
        self.assert_stopped("intraserver", "10.10.10.10", "lanserver")


class ForgedSource(RefusedCase):
    """A guest with a source outside its subnets."""

    # On the LAN, a guest of the other LPAR, the host's own, on the intranet, on HiperSockets,
    # nowhere.
    SOURCES = ("10.99.99.99", "10.136.12.77", "10.131.11.254", "172.18.5.5", "172.31.57.10",
               "192.0.2.77")

    def check(self, targets):
        """(host, address) pairs: nothing forged arrives there, what is honest does."""
        for target, address in targets:
            target = self._host(target)
            with self.subTest(f"to {target.name}, {address}"), packets.Mailbox(target) as mailbox, \
                    self.counted("spoofed", at_least=len(self.SOURCES)):
                for source in self.SOURCES:
                    packets.send_udp(self.guest, source, address, mailbox.port, b"forged")
                self.wait_for_honest(mailbox, address)
                self.assertNotIn(b"forged", mailbox.datagrams)

    def wait_for_honest(self, mailbox, address):
        """What was sent before has had its time when this arrives."""
        def arrived():
            packets.send_udp(self.guest, self.guest.address, address, mailbox.port, b"honest")
            return wait_for(lambda: mailbox.holds(b"honest"), 0.5, "", interval=0.01)

        wait_for(arrived, 10, f"a datagram from {self.guest.name} to {address}")

    def test_towards_others(self):
        self.check([("lanserver", "10.10.10.10"), ("zos", "172.31.57.10"),
                    ("intraserver", "172.18.0.100"), ("lpar12/guest1", "10.136.12.1"),
                    ("lpar11/guest4", "10.137.11.1")])

    def test_towards_the_host_itself(self):
        self.check([("lpar11", address) for address in
                    ("10.136.11.254", "10.137.11.254", "10.131.11.254", "172.31.56.1")])

    def test_towards_the_other_lpar_itself(self):
        self.check([("lpar12", "172.31.56.2")])


class Intranet(RefusedCase):
    """Nothing with a guest's source address is ever seen on the intranet."""

    INTRASERVER = "172.18.0.100"

    @contextlib.contextmanager
    def watched(self):
        """What the block does shows no guest on the segment; its last word does get there."""
        with self.cec.segments["intranet"].capture("segment", "ip") as seen:
            yield
            self.assertTrue(self.guest.ping(self.INTRASERVER))
        self.assertTrue(seen.matching(r" 172\.18\.0\.11 > 172\.18\.0\.100: ICMP echo request"),
                        "the capture does not see the segment")
        self.assertEqual(seen.matching(GUEST_SOURCE), [])

    def test_unsolicited_rst(self):
        with self.watched(), self.counted("forward-refused", at_least=1):
            packets.send_tcp(self.guest, self.guest.address, self.INTRASERVER, packets.RST)

    def test_unsolicited_echo_reply(self):
        with self.watched(), self.counted("forward-refused", at_least=1):
            packets.send_echo(self.guest, self.guest.address, self.INTRASERVER,
                              packets.ECHO_REPLY)

    def test_ack_and_fin_out_of_the_blue(self):
        with self.watched():
            for flags in packets.ACK, packets.ACK | packets.RST, packets.ACK | packets.FIN, 0:
                packets.send_tcp(self.guest, self.guest.address, self.INTRASERVER, flags,
                                 ports=(9100 + flags, 7000))

    def test_normal_traffic(self):
        with self.watched():
            self.assert_reaches(self.guest, self.INTRASERVER, server="intraserver", size=200_000)
            self.assertIsNone(self.guest.tcp(self.INTRASERVER, 7999), "nobody listens there")
            self.assertTrue(self.guest.ping(self.INTRASERVER, size=20000, df=False))

    def test_error_messages_of_guests(self):
        """A guest that does not want an answer says so; that is translated, too."""
        with self.watched(), self.cec["intraserver"].capture("eth0", "icmp") as errors, \
                packets.Mailbox(self.cec["intraserver"]) as mailbox:
            packets.send_udp(self.guest, self.guest.address, self.INTRASERVER, mailbox.port, b"?")
            wait_for(lambda: mailbox.holds(b"?"), 10, "the guest's datagram")
            mailbox.answer(b"!")
            wait_for(lambda: errors.matching("172.18.0.11 > 172.18.0.100: ICMP.*unreachable"), 10,
                     "the guest's error message")

    def test_second_guest_subnet(self):
        guest = self.cec["lpar11/guest4"]
        with self.watched(), self.counted("forward-refused", at_least=2):
            packets.send_tcp(guest, guest.address, self.INTRASERVER, packets.RST)
            packets.send_echo(guest, guest.address, self.INTRASERVER, packets.ECHO_REPLY)

    def test_while_the_network_goes_down_and_comes_up(self):
        """A running ping meets every step of the way."""
        name = "guests11"
        ping = "ping", "-n", "-q", "-i", "0.01", self.INTRASERVER
        with self.cec.segments["intranet"].capture("segment", "ip") as seen, \
                self.guest.popen(*ping, stdout=subprocess.DEVNULL):
            self.lpar.down(name)
            self.lpar.up(name)
            wait_for(lambda: self.guest.ping(self.INTRASERVER, count=1), 10, "the intranet is back")
        self.assertEqual(seen.matching(GUEST_SOURCE), [])
        self.assertTrue(seen.matching(r" 172\.18\.0\.11 > 172\.18\.0\.100"))


if __name__ == "__main__":
    labcase.main()
