# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on an Open vSwitch: one profile for interface, port and bridge; all scenarios, with the
real ovsdb-server and ovs-vswitchd."""

import labcase
import packets
from hosts import wait_for
from ovs import OpenVSwitch

SYSTEMS = "newest"

NAME, SWITCH = "guests11", "br-ex"
LAN, PEER, ZOS, INTRANET = "10.10.10.10", "10.136.12.1", "172.31.57.10", "172.18.0.100"
# The gateway's MAC comes of the UUID: with another, guests would have to learn it first.
ADD = ["type", "kvm-routed", "con-name", NAME, "ifname", SWITCH, "switch", "openvswitch",
       "connection.uuid", "5d7a1e40-0000-4000-8000-000000000011",
       "autoconnect", "no",
       "ipv4.addresses", "10.136.11.254/24,10.137.11.254/24", "uplink", "o5s_10g_1",
       "hipersockets", "hs56k_0,hs57_0", "masquerade", "o5s_1g_1",
       "peer", "10.136.12.0/24 172.31.56.2, 10.137.12.0/24 172.31.56.2"]


class OvsCase(labcase.LabCase):

    maxDiff = None
    DATAPATH = "netdev"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar, cls.far = cls.cec["lpar11"], cls.cec["lpar12"]
        cls.guest = cls.cec["lpar11/guest1"]
        cls.ovs = OpenVSwitch(cls.lpar).__enter__()
        cls.addClassCleanup(cls.ovs.__exit__)
        # It looks for the database when it starts.
        cls.lpar.restart_nm()
        cls.far.load_profile(cls.far.profile("guests12"), "guests12")
        cls.far.up("guests12")

    def setUp(self):
        self.assertEqual(self.profiles(), set())
        self.addCleanup(self.remove)

    def remove(self):
        for name in self.profiles():
            self.lpar.nmcli("connection", "delete", name, check=False)
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")
        self.lpar.wait_for(lambda: not self.ovs.bridges(), 20, "no bridge")

    def profiles(self):
        own = {link["name"] for link in self.lpar.managed_links()} | {"lo"}
        names = self.lpar.nmcli("-t", "-f", "NAME", "connection").splitlines()
        return {name for name in names if name.startswith(NAME)} - own

    def nmcli(self, *words, check=True):
        return self.lpar.run("nmcli", *words, check=check)

    def state_of_host(self):
        """Less what the switch keeps for itself from its first bridge on."""
        state = self.lpar.settled_fingerprint()
        state["sysctl net.ipv4"] = "".join(
            line for line in state["sysctl net.ipv4"].splitlines(True) if "ovs-netdev" not in line)
        return state

    def words(self):
        return [*ADD, "ovs-bridge.datapath-type", self.DATAPATH]

    def add(self, *more):
        self.nmcli("connection", "add", *self.words(), *more)

    def up(self):
        done = self.nmcli("connection", "up", NAME)
        self.assertIn(f"The guests of '{NAME}' are routed", done.stdout)
        for guest in self.lpar.guests.values():
            self.ovs.attach(guest, SWITCH)

    def add_and_up(self, *more):
        self.add(*more)
        self.up()

    def assert_scenarios(self):
        self.assert_reaches("lpar11/guest1", "10.136.11.2", server="lpar11/guest2")
        self.assert_reaches("lpar11/guest1", "10.137.11.1", server="lpar11/guest4")
        self.assert_reaches("lpar11/guest1", LAN, server="lanserver")
        self.assert_reaches("lanserver", "10.136.11.1", server="lpar11/guest1")
        self.assert_reaches("lpar11/guest1", PEER, server="lpar12/guest1")
        self.assert_reaches("lpar12/guest1", "10.136.11.1", server="lpar11/guest1")
        self.assert_reaches("lpar11/guest1", ZOS, server="zos")
        self.assert_reaches("zos", "10.136.11.1", server="lpar11/guest1")
        reply = self.assert_reaches("lpar11/guest1", INTRANET, server="intraserver")
        self.assertEqual(reply.source, "172.18.0.11")

    def counter(self, name):
        return self.lpar.status()["counters"][name]

    def assert_refused_as_on_a_bridge(self):
        intranet = self.cec["intraserver"]
        intranet.run("ip", "route", "replace", "10.136.11.0/24", "via", "172.18.0.11")
        self.addCleanup(intranet.run, "ip", "route", "del", "10.136.11.0/24")
        before = self.counter("forward-refused")
        with self.guest.capture("any", f"src host {INTRANET}") as seen:
            packets.send_echo(intranet, INTRANET, "10.136.11.1", packets.ECHO_REQUEST)
            wait_for(lambda: self.counter("forward-refused") > before, 10, "refused")
        self.assertEqual(seen.lines, [])
        before = self.counter("spoofed")
        self.assertTrue(self.guest.ping(LAN))
        with self.cec["lanserver"].capture("any", "src host 10.99.99.99") as seen:
            packets.send_udp(self.guest, "10.99.99.99", LAN, 7500, b"forged")
            wait_for(lambda: self.counter("spoofed") > before, 10, "refused")
        self.assertEqual(seen.lines, [])
        answers = packets.who_has(self.cec["lanserver"], "eth0", ["10.9.9.9", "10.136.11.1"],
                                  ["10.136.11.1"])
        self.assertEqual(answers["10.9.9.9"], set())


class Scenarios(OvsCase):

    def setUp(self):
        super().setUp()
        self.add_and_up("connection.autoconnect", "yes")

    def test_all(self):
        self.assert_scenarios()
        self.lpar.run("kvm-routedctl", "verify", NAME)

    def test_refusals(self):
        self.assert_refused_as_on_a_bridge()

    def test_networkmanager_restarts(self):
        self.lpar.restart_nm()
        self.lpar.wait_for(lambda: self.lpar.link(SWITCH), 20, "the interface is there")
        for guest in self.lpar.guests.values():
            self.ovs.attach(guest, SWITCH)
        self.lpar.wait_state(NAME, "active")
        self.lpar.wait_for(lambda: self.guest.ping(LAN, count=1), 20, f"{LAN} answers")
        self.assert_scenarios()

    def test_the_switch_restarts(self):
        """Where packets take the userspace datapath, they stop meanwhile."""
        self.ovs.stop_switch()
        self.ovs.start_switch()
        self.lpar.wait_for(lambda: self.guest.ping(LAN, count=1), 30, f"{LAN} answers")
        self.lpar.wait_state(NAME, "active")
        self.assert_scenarios()


class OneProfile(OvsCase):
    """One name, one up, one down, one delete."""

    def test_life(self):
        before = self.state_of_host()
        self.add()
        self.assertEqual(self.profiles(), {NAME, f"{NAME}-ovs-port", f"{NAME}-ovs-bridge"})
        self.assertEqual(self.ovs.bridges(), [])
        self.up()
        self.assertEqual(self.ovs.bridges(), [SWITCH])
        self.assertEqual(self.ovs.vsctl("get", "bridge", SWITCH, "datapath_type").strip(), "netdev")
        link = self.lpar.link(SWITCH)
        self.assertEqual((link["mtu"], link["txqlen"]), (57344, 2500))
        mac = link["address"]
        self.lpar.nmcli("connection", "down", NAME)
        self.lpar.wait_for(lambda: not self.lpar.link(SWITCH), 20, "the interface is gone")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")
        self.assertEqual(self.state_of_host(), before)
        self.up()
        self.assertEqual(self.lpar.link(SWITCH)["address"], mac)
        done = self.nmcli("connection", "delete", NAME)
        self.assertIn(f"Connection '{NAME}'", done.stdout)
        self.assertEqual(self.profiles(), set())
        self.lpar.wait_for(lambda: not self.ovs.bridges(), 20, "no bridge")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")
        self.assertEqual(self.state_of_host(), before)

    def test_deleted_by_our_own_command(self):
        self.add()
        self.lpar.run("kvm-routedctl", "connection", "delete", NAME)
        self.assertEqual(self.profiles(), set())

    def test_deleted_with_others(self):
        self.add()
        path = self.lpar.write_profile("other", self.lpar.expand(
            self.lpar.profile(NAME).replace("br-ex", "br-o").replace(f"id={NAME}", "id=other")
            .replace("000000000011", "000000000111")))
        self.lpar.nmcli("connection", "load", path)
        self.nmcli("connection", "delete", "other", NAME)
        names = self.lpar.nmcli("-t", "-f", "NAME", "connection").splitlines()
        self.assertNotIn("other", names)
        self.assertEqual(self.profiles(), set())

    def test_native_properties(self):
        self.add("ovs-bridge.fail-mode", "secure", "ovs-port.tag", "7", "802-3-ethernet.mtu", "9000")
        get = self.lpar.nmcli
        self.assertEqual(get("-g", "ovs-bridge.fail-mode", "connection", "show",
                             f"{NAME}-ovs-bridge").strip(), "secure")
        self.assertEqual(get("-g", "ovs-port.tag", "connection", "show",
                             f"{NAME}-ovs-port").strip(), "7")
        self.assertEqual(get("-g", "802-3-ethernet.mtu", "connection", "show", NAME).strip(),
                         "9000")

    def test_bad_properties(self):
        for words, says in ((["ovs-bridge.datapath-typo", "x"], "datapath-typo"),
                            (["ovs-port.tag", "70000"], "tag"),
                            (["connection.master", "br0"], "connection.master"),
                            (["bridge.stp", "no"], "bridge")):
            with self.subTest(words):
                done = self.nmcli("connection", "add", *self.words(), *words, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done)
                self.assertIn(says, done.stderr)
                self.assertRegex(done.stderr, r"\A(Warning: [^\n]+\n)*Error: [^\n]+\n\Z")
                self.assertEqual(self.profiles(), set())

    def test_offline(self):
        text = self.nmcli("--offline", "connection", "add", *self.words()).stdout
        for line in ("type=kvm-routed", "switch=openvswitch", "datapath-type=netdev"):
            self.assertIn(f"{line}\n", text)
        self.assertNotIn("master=", text)
        changed = self.lpar.run("nmcli", "--offline", "connection", "modify", "ipv4.dns-priority",
                                "7", "kvm-routed.masquerade", "", input=text).stdout
        self.assertIn("datapath-type=netdev\n", changed)
        self.assertNotIn("masquerade=", changed)
        self.assertNotIn("master=", changed)

    def test_modify(self):
        self.add_and_up()
        self.nmcli("connection", "modify", NAME, "kvm-routed.masquerade", "",
                   "connection.autoconnect-priority", "5")
        self.assertEqual(self.lpar.nmcli("-g", "connection.autoconnect-priority", "connection",
                                         "show", NAME).strip(), "5")
        self.nmcli("device", "reapply", SWITCH)
        self.lpar.wait_for(lambda: "masquerade" not in {
            link["role"] for link in self.lpar.network(NAME)["links"]}, 20, "the new setting")
        self.assert_reaches("lpar11/guest1", LAN, server="lanserver")
        done = self.nmcli("connection", "modify", NAME, "connection.interface-name", "br-new",
                          check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("delete the profile, and add it anew", done.stderr)

    def test_all_or_nothing(self):
        """NetworkManager has a profile with the port's UUID already."""
        self.add()
        self.lpar.nmcli("connection", "delete", NAME, f"{NAME}-ovs-port")
        done = self.nmcli("connection", "add", *self.words(), check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("already exists", done.stderr)
        self.assertEqual(self.profiles(), {f"{NAME}-ovs-bridge"})


class Files(OvsCase):
    """The same from a file, by the generator."""

    def test_up(self):
        text = self.nmcli("--offline", "connection", "add", *self.words()).stdout
        self.lpar.sh("mkdir -p /etc/NetworkManager/kvm-routed")
        self.addCleanup(self.lpar.sh, "rm -r /etc/NetworkManager/kvm-routed; "
                        "rm -f /run/NetworkManager/system-connections/kvm-routed.*; "
                        "nmcli connection reload")
        self.lpar.write_file("/etc/NetworkManager/kvm-routed/ovs.nmconnection", text, "600")
        self.lpar.run("/usr/lib/systemd/system-generators/kvm-routed-generator", "a", "b", "c")
        self.lpar.nmcli("connection", "reload")
        self.assertEqual(len(self.profiles()), 3)
        self.up()
        self.assert_scenarios()


class InternalPort(OvsCase):
    """`switch=existing`: ovs-vsctl makes the bridge, and with it the interface."""

    FILE = f"/etc/NetworkManager/kvm-routed/{NAME}.nmconnection"

    def setUp(self):
        super().setUp()
        text = self.lpar.profile(NAME).replace("[kvm-routed]", "[kvm-routed]\nswitch=existing")
        self.lpar.sh("mkdir -p /etc/NetworkManager/kvm-routed")
        self.lpar.write_file(self.FILE, text, "600")
        self.addCleanup(self.lpar.sh, f"rm {self.FILE}; kvm-routedctl down {NAME} || true")
        self.addCleanup(self.ovs.vsctl, "--if-exists", "del-br", SWITCH)

    def make(self):
        self.ovs.vsctl("add-br", SWITCH, "--", "set", "bridge", SWITCH,
                       f"datapath_type={self.DATAPATH}",
                       "other-config:hwaddr=02:00:00:11:11:11", "--", "set", "interface", SWITCH,
                       "mtu_request=57344")
        self.lpar.wait_for(lambda: self.lpar.link(SWITCH), 20, "the port")

    def wait_routed(self):
        self.lpar.wait_state(NAME, "active")
        for guest in self.lpar.guests.values():
            self.ovs.attach(guest, SWITCH)
            guest.run("ip", "neigh", "flush", "dev", guest.nic)
        self.lpar.wait_for(lambda: self.guest.ping(LAN, count=1), 20, f"{LAN} answers")

    def test_appears_vanishes_and_comes_back(self):
        done = self.lpar.run("kvm-routedctl", "up", NAME)
        self.assertIn("is up, and waits", done.stderr)
        self.make()
        self.wait_routed()
        self.assert_scenarios()
        self.ovs.vsctl("del-br", SWITCH)
        self.lpar.wait_state(NAME, "activating")
        self.assertEqual(self.ovs.bridges(), [])
        self.make()
        self.wait_routed()
        self.assert_reaches(self.guest, LAN, server="lanserver")
        self.lpar.run("kvm-routedctl", "down", NAME)
        self.assertEqual(self.ovs.bridges(), [SWITCH], "whose it is removes it")
        self.assertNotIn("10.136.11.254", self.lpar.run("ip", "address").stdout)

    def test_networkmanager_restarts(self):
        self.make()
        self.lpar.run("kvm-routedctl", "up", NAME)
        self.wait_routed()
        self.lpar.restart_nm()
        self.lpar.wait_state(NAME, "active")
        self.assert_reaches(self.guest, LAN, server="lanserver")
        self.assertEqual(self.profiles(), set())


if __name__ == "__main__":
    labcase.main()
