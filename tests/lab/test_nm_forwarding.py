# SPDX-License-Identifier: GPL-2.0-or-later
"""NetworkManager 1.54 and later have ipv4.forwarding, and write that sysctl themselves: in whatever
state it is, a network works while it is up, and leaves it as it was."""

import labcase

SYSTEMS = "newest"

NAME, SWITCH, UPLINK, INTRANET_LINK = "guests11", "br-ex", "o5s_10g_1", "o5s_1g_1"
LAN, INTRANET, PEER = "10.10.10.10", "172.18.0.100", "10.136.12.1"
VALUES = ("auto", "no", "yes")

# NetworkManager forwards on all interfaces with ipv4.forwarding=auto while such a one is up.
SHARED = """\
[connection]
id=shared
uuid=5d7a1e40-0000-4000-8000-000000000300
type=bridge
interface-name=br-shared
autoconnect=false

[bridge]
stp=false

[ipv4]
method=shared
address1=192.168.200.1/24

[ipv6]
method=disabled
"""


class Forwarding(labcase.LabCase):

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar, cls.guest = cls.cec["lpar11"], cls.cec["lpar11/guest1"]
        assert cls.lpar.nm_writes_forwarding()
        far = cls.cec["lpar12"]
        far.load_profile(far.profile("guests12"), "guests12")
        far.up("guests12")

    def setUp(self):
        self.addCleanup(self.lpar.reset)

    def set_link(self, link, value):
        self.lpar.nmcli("connection", "modify", link, "ipv4.forwarding", value)
        self.lpar.nmcli("connection", "up", link)
        self.addCleanup(self.lpar.nmcli, "connection", "up", link)
        self.addCleanup(self.lpar.nmcli, "connection", "modify", link, "ipv4.forwarding", "")

    def load(self, value=""):
        text = self.lpar.profile(NAME).replace("[connection]\n", "[connection]\nautoconnect=no\n")
        self.lpar.load_profile(text, NAME)
        self.lpar.nmcli("connection", "modify", NAME, "ipv4.forwarding", value)

    def forwarding(self, link):
        return self.lpar.run("cat", f"/proc/sys/net/ipv4/conf/{link}/forwarding").stdout.strip()

    def assert_works(self):
        def forwards():
            values = {link: self.forwarding(link) for link in (SWITCH, UPLINK, INTRANET_LINK)}
            assert set(values.values()) == {"1"}, values
            return True

        self.lpar.wait_state(NAME, "active")
        self.lpar.wait_for(forwards, 10, "all forward")
        for address in (LAN, PEER, INTRANET):
            self.assertTrue(self.guest.ping(address), address)
        self.assertTrue(self.cec["lanserver"].ping("10.136.11.1"))

    def test_of_the_guest_interface(self):
        before = self.lpar.settled_fingerprint()
        for value in VALUES:
            with self.subTest(value):
                self.load(value)
                self.lpar.up(NAME)
                self.assert_works()
                self.lpar.nmcli("device", "reapply", SWITCH)
                self.assert_works()
                self.lpar.down(NAME)
                self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_of_links(self):
        for value in VALUES:
            with self.subTest(value):
                for link in (UPLINK, INTRANET_LINK):
                    self.set_link(link, value)
                before = self.lpar.settled_fingerprint()
                self.load()
                self.lpar.up(NAME)
                self.assert_works()
                for link in (UPLINK, INTRANET_LINK):
                    self.lpar.nmcli("device", "reapply", link)
                    self.assert_works()
                self.lpar.down(NAME)
                self.assertEqual(self.lpar.settled_fingerprint(), before)
                self.assertEqual(self.forwarding(UPLINK), "1" if value == "yes" else "0")

    def share(self):
        self.lpar.nmcli("connection", "load", self.lpar.write_profile("shared", SHARED))
        self.lpar.nmcli("connection", "up", "shared")
        self.lpar.wait_for(lambda: self.lpar.devices().get("br-shared") == "connected", 20,
                           "it is shared")

    def unshare(self):
        self.lpar.nmcli("connection", "down", "shared")
        self.lpar.wait_for(lambda: not self.lpar.link("br-shared"), 20, "it is not shared")

    def test_shared_before_and_after(self):
        self.share()
        before = self.forwarding(UPLINK)
        self.assertEqual(before, "1")
        self.load()
        self.lpar.up(NAME)
        self.assert_works()
        self.lpar.down(NAME)
        self.assertEqual(self.forwarding(UPLINK), "1")
        self.unshare()
        self.lpar.wait_for(lambda: self.forwarding(UPLINK) == "0", 10, "as it was")

    def test_shared_meanwhile(self):
        self.load()
        self.lpar.up(NAME)
        self.share()
        self.assert_works()
        self.unshare()
        self.assert_works()
        self.lpar.down(NAME)
        for link in self.lpar.managed_links():
            self.assertEqual(self.forwarding(link["name"]), "0", link["name"])

    def test_changed_meanwhile(self):
        """What a link is to have when the network is up, comes at the link's next activation."""
        self.load()
        self.lpar.up(NAME)
        for value in VALUES:
            self.set_link(UPLINK, value)
            self.assert_works()


if __name__ == "__main__":
    labcase.main()
