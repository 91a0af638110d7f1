# SPDX-License-Identifier: GPL-2.0-or-later
"""kvm-routed.host-access: what guests reach on the host itself, by packets, for each value."""

import ip6
import labcase
import packets
from firewalld import Firewalld
from hosts import wait_for

# The host's addresses on the guest network, the LAN and HiperSockets.
HOST = ("10.136.11.254", "10.131.11.254", "172.31.56.1")
DNS, SSH, OTHER = 53, 22, 7000


class HostAccess(labcase.LabCase):

    profiles_up = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.guest = cls.cec["lpar11/guest1"]
        cls.name = next(iter(cls.lpar.config["profiles"]))
        for port in SSH, OTHER:
            cls.lpar.serve(port)
        cls.firewall = None

    def set_access(self, value):
        self.lpar.run("nmcli", "connection", "modify", self.name, "kvm-routed.host-access", value)
        self.lpar.nmcli("device", "reapply", "br-ex")
        element = None if value == "all" else f'"br-ex" : goto host_{value}'

        def applied():
            rules = self.lpar.run("nft", "list", "table", "ip", "kvm_routed").stdout
            assert element in rules if element else "to_host" not in rules, rules
            return True

        self.lpar.wait_for(applied, 10, f"host-access={value} applied")
        if self.firewall:
            # NetworkManager names the default zone at each reapply.
            self.firewall.wait_zone("br-ex", "kvm-routed")

    def refused(self):
        return self.lpar.status()["counters"].get("host-refused", 0)

    # -- one kind of packet each: whether it gets there

    def arrives(self, port, send):
        """Whether what send() sends comes to a port of the host, or is counted as refused."""
        with packets.Mailbox(self.lpar, port) as mailbox:
            before = self.refused()
            data = send()

            def fate():
                mailbox.holds(data)
                if any(data in datagram for datagram in mailbox.datagrams):
                    return "arrived"
                return "refused" if self.refused() > before else None

            return wait_for(fate, 10, f"a datagram to port {port} arrives or is refused") \
                == "arrived"

    def udp_arrives(self, address, port):
        def send():
            packets.send_udp(self.guest, self.guest.address, address, port, b"who?")
            return b"who?"

        return self.arrives(port, send)

    def dhcp_arrives(self):
        return self.arrives(packets.DHCP_SERVER,
                            lambda: packets.send_dhcp_discover(self.guest, self.guest.nic))

    def assert_access(self, icmp, dhcp, services):
        """What guests reach is exactly this; what they always reach is there, too."""
        for address in HOST:
            with self.subTest(address):
                ping = self.guest.ping(address)
                self.assertEqual(ping.received, ping.sent if icmp else 0, ping.output)
                for port in SSH, OTHER:
                    reply = self.guest.tcp(address, port, timeout=3 if services else 1)
                    self.assertEqual(reply is not None, services, f"TCP {port}")
                self.assertEqual(self.udp_arrives(address, DNS), services, "DNS")
        self.assertEqual(self.dhcp_arrives(), dhcp, "DHCP")
        self.assert_always()

    def assert_always(self):
        """ARP, replies to the host, and what goes through it; and others reach the host."""
        answers = packets.who_has(self.guest, self.guest.nic, [HOST[0]])
        self.assertEqual(answers[HOST[0]], {self.lpar.mac("br-ex")})
        self.assert_reaches(self.lpar, self.guest.address, server=self.guest)
        self.assert_reaches(self.guest, "10.10.10.10", server="lanserver")
        self.assert_reaches("lanserver", self.guest.address, server=self.guest)
        self.assert_reaches(self.guest, "172.18.0.100", server="intraserver")
        self.assertTrue(self.cec["lanserver"].ping(HOST[1]))

    def test_all(self):
        self.set_access("all")
        before = self.refused()
        self.assert_access(icmp=True, dhcp=True, services=True)
        self.assertEqual(self.refused(), before)

    def test_basic(self):
        self.set_access("basic")
        before = self.refused()
        self.assert_access(icmp=True, dhcp=True, services=False)
        self.assertGreater(self.refused(), before)

    def test_none(self):
        self.set_access("none")
        before = self.refused()
        self.assert_access(icmp=False, dhcp=False, services=False)
        self.assertGreater(self.refused(), before)

    def test_ipv6(self):
        """Where the host has an IPv6 address there, the same goes for that."""
        ip6.enable(self, forwarding=0)
        for value, icmp, services in (("all", True, True), ("basic", True, False),
                                      ("none", False, False)):
            with self.subTest(value):
                self.set_access(value)
                # A reapply may take away what was configured by hand.
                ip6.enable(self, forwarding=0)
                for address in ip6.HOST, ip6.HOST_ON_LAN:
                    ping = self.guest.ping(address)
                    self.assertEqual(ping.received, ping.sent if icmp else 0, ping.output)
                    self.assertEqual(self.tcp6(address), services)
                self.assertTrue(self.lpar.ping(ip6.GUEST1))

    def tcp6(self, address):
        """Whether a connection comes to an answer, be it a refusal by the host's own kernel."""
        done = self.guest.run("python3", "-c", (
            "import socket, sys\n"
            "s = socket.socket(socket.AF_INET6)\n"
            "s.settimeout(1.5)\n"
            "try: s.connect((sys.argv[1], 7001))\n"
            "except ConnectionRefusedError: print('answered')\n"
            "except OSError: print('silence')\n"
            "else: print('answered')\n"), address)
        return done.stdout.strip() == "answered"


class HostAccessBesideFirewalld(HostAccess):
    """The zone lets all through to the host, so that the key alone decides."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.firewall = Firewalld(cls.lpar)
        cls.firewall.start()
        cls.addClassCleanup(cls.firewall.stop)
        cls.firewall.wait_zone("br-ex", "kvm-routed")

    def test_from_the_lan_firewalld_decides(self):
        """What guests may is nobody else's."""
        self.set_access("all")
        lanserver = self.cec["lanserver"]
        self.assertIsNotNone(lanserver.tcp(HOST[1], SSH))
        self.assertIsNone(lanserver.tcp(HOST[1], OTHER, timeout=1.5))
        self.assertIsNotNone(self.guest.tcp(HOST[1], OTHER))


if __name__ == "__main__":
    labcase.main()
