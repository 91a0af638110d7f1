# SPDX-License-Identifier: GPL-2.0-or-later
"""Other editors of a kvm-routed profile: what they keep, what they drop, and what is said then."""

import json
import pathlib
import re
import signal

from gi.repository import GLib

import labcase
from browser import Cockpit
from bus import PROPERTIES, Bus, BusError
from terminal import Terminal

# Cockpit, and nmtui where it is a package of its own, are the machine's.
SYSTEMS = "machine"

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
NM = "org.freedesktop.NetworkManager"
NM_PATH = "/org/freedesktop/NetworkManager"
EDITOR = str(pathlib.Path(__file__).with_name("editor.py"))
LAN = "10.10.10.10"


class Editors(labcase.LabCase):
    """One LPAR with its network up; every test begins with the profile of the topology."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.guest = cls.cec["lpar11/guest1"]
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)

    def setUp(self):
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        # NetworkManager neither reapplies a profile nor brings it up where the bridge has another
        # MAC address than its profile.
        reapply = self.lpar.run("/usr/bin/nmcli", "device", "reapply", "br-ex", check=False)
        if reapply.returncode == 0:
            self.lpar.attach_guests()
            self.lpar.wait_state(NAME, "active")
        else:
            if self.lpar.link("br-ex"):
                self.lpar.down(NAME)
            self.lpar.up(NAME)
        self.setting = self.stored_setting()
        self.assertEqual(self.setting["kvm-routed.uplinks"], "o5s_10g_1")

    # -- profiles, by D-Bus

    def edit(self, *words):
        return self.lpar.run("python3", "-B", EDITOR, *words).stdout

    def drop_setting(self, method="Update"):
        """What a program does that knows nothing of the section."""
        self.edit(method, UUID, "-user")

    def write_user(self, data, *changes):
        self.edit("Update", UUID, f"user.data={GLib.Variant('a{ss}', data).print_(True)}", *changes)

    def write_setting(self, **keys):
        self.write_user({**self.setting,
                         **{f"kvm-routed.{key}": value for key, value in keys.items()}})

    def stored_setting(self, identifier=UUID):
        """The [user] section of a profile as NetworkManager has it, which its file has, too."""
        shown = json.loads(self.edit("show", identifier))
        data = shown["settings"].get("user", {}).get("data", {})
        file = self.lpar.run("cat", shown["file"]).stdout
        for key, value in data.items():
            self.assertIn(f"{key}={value}\n", file)
        self.assertEqual("[user]" in file, bool(data))
        return data

    def file_of(self, identifier=UUID):
        """The profile's file, as it is written."""
        return self.lpar.run("cat", json.loads(self.edit("show", identifier))["file"]).stdout

    # -- networks

    def network(self):
        return self.lpar.network(NAME)

    def wait_finding(self, code):
        """The network's one finding, soon."""
        def there():
            findings = self.network()["findings"]
            assert [finding["code"] for finding in findings] == [code], findings
            return findings[0]

        return self.lpar.wait_for(there, 10, f"finding {code}")

    def wait_no_finding(self):
        self.lpar.wait_for(lambda: not self.network()["findings"], 10, "no finding")

    def assert_routed(self):
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.assertTrue(self.guest.ping(LAN))

    def assert_isolated(self):
        """The guests reach each other, and nobody else; nothing of ours is left."""
        self.assertTrue(self.guest.ping("10.136.11.2"))
        self.assertFalse(self.guest.ping(LAN, count=1).received)
        self.assertEqual(self.lpar.run("nft", "list", "ruleset").stdout, "")
        self.assertEqual(self.lpar.sysctl("net/ipv4/conf/o5s_10g_1/proxy_arp"), "0")

    def assert_kept(self):
        self.assertEqual(self.stored_setting(), self.setting)
        self.assertEqual(self.network()["findings"], [])
        self.assert_routed()

    def follow(self, text):
        """Run the commands that a hint names; there must be one."""
        commands = re.findall(r"kvm-routedctl restore [\w-]+|nmcli device reapply [\w-]+", text)
        self.assertTrue(commands, text)
        for command in commands:
            self.lpar.run(*command.split())

    def ports(self):
        return {link["ifname"] for link in self.lpar.ip("link", "show", "master", "br-ex")}

    def applied_dns(self):
        return self.lpar.nmcli("-g", "IP4.DNS", "device", "show", "br-ex").split()


class Nmcli(Editors):

    def test_connection_edit(self):
        ports = self.ports()
        with Terminal(self.lpar, "nmcli", "connection", "edit", NAME, kind="dumb") as terminal:
            for command, answer in (("set ipv4.dns 10.10.10.53", "nmcli>"),
                                    ("save", "successfully updated"), ("quit", "")):
                terminal.wait_for("nmcli>")
                terminal.type(command, "\n")
            self.assertEqual(terminal.end(), 0)
            self.assertIn("successfully updated", terminal.text)
        self.assertIn("dns=10.10.10.53;\n", self.file_of())
        self.assert_kept()
        self.assertEqual(self.applied_dns(), [])
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.assertEqual(self.applied_dns(), ["10.10.10.53"])
        self.assert_kept()
        self.assertEqual(self.ports(), ports)

    def test_connection_modify(self):
        self.lpar.nmcli("connection", "modify", NAME, "802-3-ethernet.mtu", "9000",
                        "+ipv4.addresses", "10.138.11.254/24", "ipv4.dns", "10.10.10.53")
        self.assert_kept()
        self.assertEqual(self.network()["mtu"], 57344)
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.attach_guests()
        network = self.lpar.wait_state(NAME, "active")
        self.assertEqual(network["mtu"], 9000)
        self.assertIn("10.138.11.0/24", network["guest-subnets"])
        self.assertEqual(self.stored_setting(), self.setting)

    def test_device_modify(self):
        """It changes what runs, and not the profile."""
        before = self.file_of()
        self.lpar.nmcli("device", "modify", "br-ex", "+ipv4.addresses", "10.138.11.254/24")
        self.lpar.wait_for(lambda: "10.138.11.0/24" in self.network()["guest-subnets"], 10,
                           "the new guest subnet")
        self.assert_kept()
        self.assertEqual(self.file_of(), before)


class Clone(Editors):

    def setUp(self):
        super().setUp()
        said = self.lpar.nmcli("connection", "clone", NAME, "copy")
        self.copy = re.search(r"cloned as copy \(([0-9a-f-]+)\)", said).group(1)
        self.addCleanup(self.lpar.nmcli, "connection", "delete", self.copy, check=False)

    def test_has_the_setting(self):
        self.assertEqual(self.stored_setting(self.copy), self.setting)
        self.assert_kept()

    def test_takes_the_interface(self):
        """Of two profiles of one interface one is up."""
        self.lpar.nmcli("connection", "up", "copy")
        self.lpar.wait_state("copy", "active")
        self.assertEqual([network["uuid"] for network in self.lpar.networks()], [self.copy])
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.wait_state(NAME, "active")
        self.assertEqual([network["uuid"] for network in self.lpar.networks()], [UUID])
        self.lpar.attach_guests()
        self.assert_kept()

    def test_of_another_interface_with_the_same_address(self):
        """Both bridges have one MAC address, and nobody minds."""
        self.lpar.nmcli("connection", "modify", "copy", "connection.interface-name", "br-two",
                        "ipv4.addresses", "10.138.11.254/24")
        self.lpar.nmcli("connection", "up", "copy")
        self.lpar.wait_state("copy", "active")
        self.assertEqual(self.lpar.mac("br-two"), self.lpar.mac("br-ex"))

        other = self.cec["lpar11/guest2"]
        self.lpar.run("ip", "link", "set", other.port, "master", "br-two")
        self.addCleanup(self.lpar.attach_guests)
        other.run("ip", "address", "add", "10.138.11.1/24", "dev", other.nic)
        self.addCleanup(other.run, "ip", "address", "del", "10.138.11.1/24", "dev", other.nic)
        other.run("ip", "route", "replace", LAN, "via", "10.138.11.254", "src", "10.138.11.1")
        self.addCleanup(other.run, "ip", "route", "del", LAN)
        for host, gateway in (self.guest, "10.136.11.254"), (other, "10.138.11.254"):
            for address in gateway, LAN:
                with self.subTest(host.name, address=address):
                    self.assertTrue(host.ping(address))
        for address in "10.136.11.1", "10.138.11.1":
            self.assertTrue(self.cec["lanserver"].ping(address), address)
        self.assert_routed()

    def test_of_another_interface_with_the_same_subnets(self):
        self.lpar.nmcli("connection", "modify", "copy", "connection.interface-name", "br-two")
        self.lpar.nmcli("connection", "up", "copy")
        network = self.lpar.wait_state("copy", "failed")
        self.assertIn("10.136.11.0/24 overlaps with 10.136.11.0/24", network["state-reason"])
        self.assert_kept()


class Nmtui(Editors):

    def test_edit(self):
        ports = self.ports()
        with Terminal(self.lpar, "nmtui", "edit", NAME) as terminal:
            terminal.wait_for("<OK>")
            # From the end: OK, Cancel, "Available to all users", "Automatically connect".
            terminal.type(*[Terminal.BACK_TAB] * 4, Terminal.SPACE, *[Terminal.TAB] * 3,
                          Terminal.ENTER)
            self.assertEqual(terminal.end(), 0)
        self.assertIn("autoconnect=false\n", self.file_of())
        self.assertNotIn("permissions=", self.file_of())
        self.assert_kept()
        self.assertEqual(self.ports(), ports)


class Dbus(Editors):

    def test_editor_that_reads_first(self):
        for method in "Update", "Update2":
            with self.subTest(method):
                self.edit(method, UUID, "bridge.ageing-time=uint32 123")
                self.assertIn("ageing-time=123\n", self.file_of())
                self.assert_kept()

    def test_editor_that_knows_it_not(self):
        """It is said at once, the network goes on, and the hint cures it."""
        for method in "Update", "Update2":
            with self.subTest(method):
                self.drop_setting(method)
                self.assertEqual(self.stored_setting(), {})
                finding = self.wait_finding("setting-lost")
                self.assertEqual(finding["severity"], "warning")
                self.assert_routed()
                before = self.lpar.fingerprint()
                self.follow(finding["hint"])
                self.wait_no_finding()
                self.assertEqual(self.lpar.fingerprint()["ip route"], before["ip route"])
                self.assert_kept()

    def test_rest_of_the_profile_stays(self):
        """Only the keys kvm-routed.* are written."""
        self.drop_setting()
        self.write_user({"their.key": "theirs"}, "bridge.ageing-time=uint32 123")
        self.wait_finding("setting-lost")
        self.lpar.signal_service(signal.SIGKILL)  # a new one learns the setting from what runs
        self.lpar.run("kvm-routedctl", "restore", NAME)
        self.wait_no_finding()
        self.assertIn("ageing-time=123\n", self.file_of())
        self.assertEqual(self.stored_setting(), {**self.setting, "their.key": "theirs"})

    def test_nothing_to_restore(self):
        self.lpar.nmcli("connection", "modify", NAME, "ipv4.dns", "10.10.10.53")
        self.write_setting(peers="10.136.12.0/24 172.31.56.2")
        before = self.file_of()
        done = self.lpar.run("kvm-routedctl", "restore", "br-ex", check=False)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("nothing to restore", done.stderr)
        self.assertEqual(self.file_of(), before)

    def test_spoiled_setting(self):
        """What runs is not concerned, until it is applied."""
        self.write_setting(peers="rubbish")
        finding = self.wait_finding("setting-invalid")
        self.assertEqual(finding["severity"], "warning")
        self.assertIn("kvm-routed.peers: “rubbish”", finding["message"])
        self.assert_routed()
        self.assertEqual(len(self.network()["peers"]), 2)
        self.follow(finding["hint"])
        self.wait_no_finding()
        self.assert_kept()

    def test_spoiled_setting_applied(self):
        self.write_setting(uplinks="o5s_10g_1,o5s_10g_1;flush ruleset")
        self.wait_finding("setting-invalid")
        self.lpar.nmcli("device", "reapply", "br-ex")
        network = self.lpar.wait_state(NAME, "failed")
        self.assertIn("kvm-routed.uplinks", network["state-reason"])
        self.assert_isolated()
        self.lpar.run("kvm-routedctl", "restore", "br-ex")
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.lpar.wait_state(NAME, "active")
        self.assert_kept()

    def test_connection_from_scratch(self):
        """AddAndActivate takes the interface; the profile waits untouched."""
        before = self.file_of()
        self.edit("AddAndActivate", "br-ex", "connection.id='scratch'", "connection.type='bridge'",
                  "connection.interface-name='br-ex'", "connection.autoconnect=false",
                  "bridge.stp=false", "ipv4.method='disabled'", "ipv6.method='disabled'")
        self.addCleanup(self.lpar.nmcli, "connection", "delete", "scratch", check=False)
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "the network ended")
        # Before that NetworkManager still takes the ports of the former one out.
        self.lpar.wait_for(lambda: "br-ex:connected:scratch" in self.lpar.nmcli(
            "-t", "-f", "DEVICE,STATE,CONNECTION", "device"), 20, "br-ex is scratch's")
        self.lpar.attach_guests()
        self.assert_isolated()
        self.assertEqual(self.file_of(), before)
        self.lpar.up(NAME)
        self.assert_kept()


class Lost(Editors):
    """A profile that comes up without the setting that it had."""

    def assert_failed(self, *cures):
        network = self.lpar.wait_state(NAME, "failed")
        for cure in cures:
            self.assertIn(cure, network["state-reason"])
        self.lpar.attach_guests()
        self.assert_isolated()
        self.assertEqual(self.lpar.run("kvm-routedctl", "status", check=False).returncode, 4)
        log = self.lpar.logs["dbus"].read_text(encoding="utf-8")
        self.assertIn(f"{NAME} (br-ex): failed: {network['state-reason']}", log)
        return network["state-reason"]

    def test_activated(self):
        """After a program that also dropped the MAC address by which we know our profiles."""
        self.edit("Update", UUID, "-user", "-bridge.mac-address")
        for _ in "once", "again":
            self.lpar.nmcli("connection", "up", NAME)
            reason = self.assert_failed("kvm-routedctl restore br-ex", "nmcli device reapply br-ex")
        self.follow(reason)
        self.lpar.wait_state(NAME, "active")
        self.assert_kept()

    def test_reapplied(self):
        self.drop_setting()
        self.lpar.nmcli("device", "reapply", "br-ex")
        self.assert_failed("kvm-routedctl restore br-ex")
        self.lpar.run("kvm-routedctl", "restore", "br-ex")
        self.lpar.wait_for(lambda: "restore" not in self.network()["state-reason"], 10,
                           "the new reason")
        self.follow(self.assert_failed("nmcli device reapply br-ex"))
        self.lpar.wait_state(NAME, "active")
        self.assert_kept()

    def test_networkmanager_restarts(self):
        """Without it the network goes on, but nobody has the profile; with it the profile is
        applied as it is."""
        self.drop_setting()
        self.wait_finding("setting-lost")
        self.lpar.stop_nm()
        done = self.lpar.run("kvm-routedctl", "restore", "br-ex", check=False)
        self.assertEqual((done.returncode, done.stdout), (10, ""))
        self.assertIn("NetworkManager does not run", done.stderr)
        self.assert_routed()
        self.lpar.start_nm()
        self.lpar.connected()
        self.follow(self.assert_failed("kvm-routedctl restore br-ex"))
        self.lpar.wait_state(NAME, "active")
        self.assert_kept()

    def test_service_that_did_not_see_it(self):
        """The pinned MAC address tells; the setting itself is not known any more."""
        self.drop_setting()
        self.lpar.down(NAME)
        self.lpar.signal_service(signal.SIGTERM)
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.wait_for(self.lpar.service_pid, 20, "the dispatcher starts the service")
        reason = self.assert_failed("load its profile anew", "OTHER EDITORS")
        done = self.lpar.run("kvm-routedctl", "restore", "br-ex", check=False)
        self.assertEqual((done.returncode, done.stdout), (10, ""))
        self.assertIn("not known any more", done.stderr)
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.follow(reason)
        self.lpar.wait_state(NAME, "active")
        self.assert_kept()

    def test_dropped_on_purpose(self):
        """A plain bridge, then: neither a network nor a service."""
        self.drop_setting()
        self.lpar.down(NAME)
        self.lpar.signal_service(signal.SIGTERM)
        self.lpar.nmcli("connection", "modify", NAME, "bridge.mac-address", "")
        self.lpar.nmcli("connection", "up", NAME)
        self.lpar.wait_for(lambda: self.lpar.devices().get("br-ex") == "connected", 20,
                           "br-ex connected")
        self.assertIsNone(self.lpar.service_pid())
        self.assertEqual(self.lpar.networks(), [])

    def test_deleted_profile_is_forgotten(self):
        self.drop_setting()
        self.wait_finding("setting-lost")
        self.lpar.delete_profile(NAME)
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "the network ended")
        with self.assertRaises(BusError) as caught:
            self.bus.call("Restore", "(s)", UUID)
        self.assertIn("no profile with that UUID up", str(caught.exception))


class CockpitPage(Editors):
    """Its networking page, in a browser."""

    MTU = "#network-mtu-settings-"

    def checkpoints(self):
        return self.bus.call("Get", "(ss)", NM, "Checkpoints", path=NM_PATH, interface=PROPERTIES,
                             name=NM)

    def test_networking(self):
        ports = self.ports()
        self.assertEqual(len(ports), 4)
        with Cockpit(self.lpar) as cockpit:
            cockpit.open("network", "/br-ex")
            with self.subTest("a box: saved"):
                cockpit.click("#autoreconnect")
                self.lpar.wait_for(lambda: "autoconnect=false\n" in self.file_of(), 20, "saved")
                self.assert_kept()
                self.assertEqual(self.ports(), ports)
            with self.subTest("a dialog: saved, and the profile activated again"):
                cockpit.click("#networking-edit-mtu")
                cockpit.fill_in(f"{self.MTU}input", "9000")
                cockpit.click(f"{self.MTU}save")
                cockpit.wait_until_gone(f"{self.MTU}save")
                self.assertIn("mtu=9000\n", self.file_of())
                self.lpar.wait_for(lambda: (self.network() or {}).get("mtu") == 9000, 20,
                                   "the new MTU")
                self.lpar.wait_state(NAME, "active")
                self.assertEqual(self.ports(), set())
                # Until it has removed its checkpoint, its end takes back what it changed.
                self.lpar.wait_for(lambda: not self.checkpoints(), 60, "no checkpoint")
                # The ports are the administrator's to change; else mtu-mismatch is found.
                for port in ports:
                    self.addCleanup(self.lpar.run, "ip", "link", "set", port, "mtu", "57344")
                    self.lpar.run("ip", "link", "set", port, "mtu", "9000")
                self.lpar.attach_guests()
                self.assert_kept()


if __name__ == "__main__":
    labcase.main()
