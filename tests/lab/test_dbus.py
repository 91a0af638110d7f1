# SPDX-License-Identifier: GPL-2.0-or-later
"""The service on the D-Bus: what it exports, tells and refuses, and how it comes and goes."""

import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ET

import labcase
import product
from bus import ERROR, INTERFACE, NETWORK, OBJECTS, PATH, Bus, BusError
from lpar import BUS_NAME

SYSTEMS = "all"

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
XML = product.TOP / "data/org.freedesktop.NetworkManager.KvmRouted.xml"
INTROSPECTABLE = "org.freedesktop.DBus.Introspectable"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
IDLE_SECONDS = 10
# What a caller may get, once, that calls while the service ends.
GONE = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.NameHasNoOwner")

class DBus(labcase.LabCase):
    """What the classes below share: the first LPAR and its bus."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)

    @classmethod
    def _bring_up(cls):
        cls.lpar.load_profile(cls.lpar.profile(NAME), NAME)
        cls.lpar.up(NAME)
        cls.path = cls.bus.networks()[UUID]["path"]

    def assert_error(self, name, says, method, signature, *arguments):
        with self.assertRaises(BusError) as caught:
            self.bus.call(method, signature, *arguments)
        self.assertEqual(caught.exception.name, ERROR + name)
        self.assertTrue(str(caught.exception).isprintable())
        for word in says:
            self.assertIn(word, str(caught.exception))

    def gdbus(self, *argv, path=PATH, user=()):
        """`gdbus call` in the LPAR, as a user: a CompletedProcess."""
        return self.lpar.run(*user, "gdbus", "call", "--system", "--dest", BUS_NAME,
                             "--object-path", path, "--method", *argv, check=False)


def members(node):
    """{interface: {member: what it takes and gives}} of introspection data, ours only."""
    interfaces = {}
    for interface in node.findall("interface"):
        if not interface.get("name").startswith(INTERFACE):
            continue
        found = interfaces[interface.get("name")] = {}
        for member in interface:
            if member.tag == "property":
                found[member.get("name")] = (member.get("type"), member.get("access"))
            elif member.tag in ("method", "signal"):
                found[member.get("name")] = [tuple(map(arg.get, ("name", "type", "direction")))
                                             for arg in member.findall("arg")]
    return interfaces


class Interface(DBus):
    """A network that is active, as D-Bus shows it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._bring_up()

    def _introspect(self, path):
        return ET.fromstring(self.bus.call("Introspect", path=path, interface=INTROSPECTABLE))

    def _interfaces(self, path):
        return [interface.get("name") for interface in self._introspect(path).findall("interface")]

    def test_object_manager_is_exactly_there(self):
        self.assertIn(OBJECTS, self._interfaces(PATH))
        above = ["/", *(PATH.rsplit("/", n)[0] for n in (1, 2, 3))]
        for path in (*above, f"{PATH}/Network", self.path):
            self.assertNotIn(OBJECTS, self._interfaces(path), path)

    def test_objects(self):
        objects = self.bus.objects()
        self.assertEqual(list(objects), [self.path])
        self.assertRegex(self.path, rf"\A{PATH}/Network/[1-9]\d*\Z")
        self.assertEqual(list(objects[self.path]), [NETWORK])

    def test_introspection_is_the_documented_one(self):
        documented = members(ET.parse(XML).getroot())
        self.assertEqual(set(documented), {INTERFACE, NETWORK})
        exported = [members(self._introspect(path)) for path in (PATH, self.path)]
        self.assertEqual({**exported[0], **exported[1]}, documented)

    def test_properties(self):
        links = [("o5s_10g_1", "uplink", True, 2), ("hs56k_0", "hipersockets", False, 2),
                 ("hs57_0", "hipersockets", False, 3), ("o5s_1g_1", "masquerade", False, 2)]
        self.assertEqual(self.bus.objects()[self.path][NETWORK], {
            "Uuid": UUID,
            "Id": NAME,
            "Interface": "br-ex",
            "State": "active",
            "StateReason": "",
            "Ports": ["vnet1", "vnet2", "vnet3", "vnet4"],
            "GuestSubnets": ["10.136.11.0/24", "10.137.11.0/24"],
            "Mtu": 57344,
            "Links": [{"name": name, "role": role, "present": True, "ready": True,
                       "forwarding": True, "proxy-arp": proxy, "layer": layer}
                      for name, role, proxy, layer in links],
            "Peers": [{"subnet": f"10.{net}.12.0/24", "gateway": "172.31.56.2",
                       "interface": "hs56k_0", "installed": True} for net in (136, 137)],
            "Findings": [],
        })

    def test_types(self):
        documented = members(ET.parse(XML).getroot())[NETWORK]
        types = self.bus.types(self.path)
        self.assertEqual({name: kind for name, (kind, _) in types.items()},
                         {name: kind for name, (kind, access) in
                          ((name, member) for name, member in documented.items()
                           if isinstance(member, tuple))})
        self.assertEqual(types["Links"][1], {"name": "s", "role": "s", "present": "b", "ready": "b",
                                             "forwarding": "b", "proxy-arp": "b", "layer": "u"})
        self.assertEqual(types["Peers"][1], {"subnet": "s", "gateway": "s", "interface": "s",
                                             "installed": "b"})

    def test_finding(self):
        """Of a profile with an uplink that is not there; the network's own are as Check's."""
        text = self.lpar.profile(NAME).replace("uplinks=", "uplinks=osa9,")
        finding, = self.bus.call("Check", "(s)", text)
        self.assertEqual(set(finding), {"code", "severity", "message", "hint", "interface"})
        self.assertEqual((finding["code"], finding["severity"], finding["interface"]),
                         ("link-missing", "warning", "osa9"))
        self.assertIn("osa9", finding["message"])
        self.assertIn("kvm-routed.uplinks", finding["hint"])

    def test_properties_are_read_only(self):
        with self.assertRaises(BusError):
            self.bus.call("Set", "(ssv)", NETWORK, "State", self.bus.variant("s", "failed"),
                          path=self.path, interface="org.freedesktop.DBus.Properties")
        self.assertEqual(self.bus.get("State", self.path, NETWORK), "active")

    def test_version(self):
        text = (product.TOP / "meson.build").read_text(encoding="utf-8")
        self.assertEqual(self.bus.version(), re.search(r"version: '([^']+)'", text).group(1))

    def test_counters(self):
        before = self._counters()
        self.assertEqual(set(before), {"arp-refused", "forward-refused", "spoofed", "masqueraded"})
        guest = self.lpar.guests["guest1"]
        self.assertTrue(guest.ping("172.18.0.100", count=1))
        self.assertFalse(self.cec["intraserver"].ping("172.31.56.1", count=1))
        after = self._counters()
        self.assertGreater(after["masqueraded"], before["masqueraded"])
        self.assertEqual(after["spoofed"], before["spoofed"])
        guest.ip_batch(["address add 10.99.99.99/32 dev lo"])
        self.addCleanup(guest.ip_batch, ["address del 10.99.99.99/32 dev lo"])
        self.assertFalse(guest.ping("10.10.10.10", count=1, source="10.99.99.99"))
        self.assertGreater(self._counters()["spoofed"], before["spoofed"])

    def _counters(self):
        return self.bus.call("GetCounters", path=self.path, interface=NETWORK)

    def test_check_and_plan_leave_no_trace(self):
        def state():
            files = self.lpar.sh("cd /run/nm-kvm-routed; ls -l --full-time; cat *").stdout
            return {**self.lpar.fingerprint(), "files": files, "networks": self.bus.networks()}

        profile = self.lpar.profile(NAME)
        other = (profile.replace(NAME, "other").replace("000011", "000099")
                 .replace("br-ex", "br-other").replace("10.136.11.", "10.138.11.")
                 .replace("10.137.11.", "10.139.11."))
        before = state()
        for text in (NAME, UUID, "br-ex", profile, other):
            self.assertEqual(self.bus.call("Check", "(s)", text), [])
            self.assertIn("proto", self.bus.call("Plan", "(s)", text))
        self.assertEqual(state(), before)

    def test_errors(self):
        self.assert_error("Invalid", ["kvm-routed"], "Check", "(s)", "[connection]\n")
        self.assert_error("Invalid", ["kvm-routed"], "Plan", "(s)", "[connection]\n")
        self.assert_error("Invalid", ["o5s_10g_1", "kvm-routed"], "Check", "(s)", "o5s_10g_1")
        self.assert_error("NotFound", ["no-such-profile"], "Check", "(s)", "no-such-profile")
        self.assert_error("NotFound", ["no-such-profile"], "Plan", "(s)", "no-such-profile")
        self.assert_error("NotFound", ["UUID"], "Reapply", "(s)", UUID[:-1])
        self.assert_error("NotFound", ["UUID"], "Reapply", "(s)", "")
        self.assert_error("NotFound", ["UUID"], "Restore", "(s)", UUID[:-1])

    def test_hostile_arguments(self):
        pid = self.lpar.service_pid()
        before = self.lpar.fingerprint()
        keys = "".join(f"key{n}=value\n" for n in range(40_000))
        sections = "".join(f"[section{n}]\nkey=value\n" for n in range(40_000))
        peers = ",".join(f"10.{n // 256}.{n % 256}.0/24 172.31.56.2" for n in range(36_000))
        profile = self.lpar.profile(NAME)
        texts = {
            "garbage": "\u00e9\u4e16\x01 =[]\n" * 80_000,
            "too large": profile + "#" * 5_000_000,
            "one line": "x" * 1_000_000,
            "brackets": "[" * 1_000_000,
            "nesting": "[a" * 200_000 + "]" * 200_000,
            "a format string": "%s%n%p%99999999d" * 1000,
            "a format string as section": "[%s%n%n]\n%n=%s\n",
            "many keys": "[connection]\n" + keys,
            "many keys of ours": profile.replace("[kvm-routed]\n", "[kvm-routed]\n" + keys),
            "many sections": sections,
            "many peers": profile.replace("peers=", f"peers={peers},"),
            "a path": "../../../../etc/shadow",
            "an object path": self.path,
            "nothing": "",
            "a line feed": "\n",
            "a bidirectional override": "\u202e[noitcennoc]",
        }
        for name, text in texts.items():
            for method in ("Check", "Plan"):
                with self.subTest(name, method=method):
                    begin = time.monotonic()
                    with self.assertRaises(BusError) as caught:
                        self.bus.call(method, "(s)", text)
                    self.assertRegex(caught.exception.name, rf"\A{ERROR}(Invalid|NotFound)\Z")
                    self.assertTrue(str(caught.exception).isprintable())
                    self.assertLess(len(str(caught.exception)), 1000)
                    self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.lpar.service_pid(), pid)
        self.assertEqual(self.lpar.fingerprint(), before)

    def test_a_profile_as_large_as_can_be(self):
        """A thousand peers are no attack."""
        peers = ",".join(f"10.{140 + n // 256}.{n % 256}.0/24 172.31.56.2" for n in range(1000))
        text = self.lpar.profile(NAME).replace("peers=", f"peers={peers},")
        self.assertEqual(self.bus.call("Check", "(s)", text), [])
        self.assertEqual(self.bus.call("Plan", "(s)", text).count("172.31.56.2 dev hs56k_0"), 1002)

    def _notify(self, action, interface, uuid):
        return self.bus.call("Notify", "(sss)", action, interface, uuid)

    def test_root_may_ask_again(self):
        before = self.lpar.fingerprint()
        changes = self.bus.signals("PropertiesChanged", path=self.path)
        self.assertIsNone(self.bus.call("Reapply", "(s)", UUID))
        for action in ("up", "pre-up", "reapply"):
            self.assertEqual(self._notify(action, "br-ex", UUID), ("active", ""))
        self.assertEqual(self._notify("up", "o5s_10g_1", UUID[:-2] + "99"), ("", ""))
        self.assertEqual(self._notify("%s%n", "../br-ex", "x" * 100_000), ("", ""))
        self.bus.settle(0.2)
        self.assertEqual(changes, [])  # the same again is no change
        self.assertEqual(self.lpar.fingerprint(), before)


class Signals(DBus):
    """Who listens learns of every change, once."""

    def setUp(self):
        self._bring_up()
        self.addCleanup(self.lpar.delete_profile, NAME)
        segment, port = self.cec.segments["lan"], "lpar11-0"
        self.assertIsNotNone(segment.link(port))
        self.cable = lambda state: segment.run("ip", "link", "set", port, state)
        self.addCleanup(self.cable, "up")

    def test_a_link_flaps(self):
        self.bus.settle(0.5)
        changes = self.bus.signals("PropertiesChanged", path=self.path)
        for state, reason in (("down", "carrier"), ("up", "")):
            self.cable(state)
            self.bus.wait_for(lambda: changes, 10, f"a signal: o5s_10g_1 is {state}")
            self.bus.settle(0.5)
            change, = changes
            interface, values, invalidated = change.arguments
            self.assertEqual((interface, invalidated), (NETWORK, []))
            self.assertEqual(values["State"], "degraded" if state == "down" else "active")
            self.assertIn(reason, values["StateReason"])
            self.assertEqual([finding["code"] for finding in values["Findings"]],
                             ["link-missing"] if state == "down" else [])
            self.assertEqual([link["ready"] for link in values["Links"]],
                             [state == "up", True, True, True])
            self.assertEqual(set(values), {"State", "StateReason", "Findings", "Links"})
            changes.clear()

    def test_down_and_up(self):
        objects = self.bus.signals(interface=OBJECTS, path=PATH)
        self.lpar.down(NAME)
        self.bus.wait_for(lambda: objects, 5, "InterfacesRemoved")
        self.bus.settle(0.5)
        removed, = objects
        self.assertEqual((removed.name, removed.arguments), ("InterfacesRemoved",
                                                             (self.path, [NETWORK])))
        objects.clear()
        self.lpar.up(NAME)
        self.bus.settle(0.5)
        added, = objects
        self.assertEqual(added.name, "InterfacesAdded")
        path, interfaces = added.arguments
        self.assertNotEqual(path, self.path)
        self.assertEqual(interfaces[NETWORK]["Uuid"], UUID)


class Life(DBus):
    """Started by the bus when somebody calls, gone when there is nothing to do."""

    def _call(self):
        """As a careful caller does it: once more if the service was just ending."""
        try:
            return self.bus.version()
        except BusError as error:
            if error.name not in GONE:
                raise
        return self.bus.version()

    def test_activation(self):
        self.lpar.signal_service(signal.SIGTERM)
        self.assertFalse(self.bus.owned())
        self.assertTrue(self.bus.version())
        self.assertTrue(self.bus.owned())

    def test_many_callers_start_one(self):
        self.lpar.signal_service(signal.SIGTERM)
        changes = self.bus.name_changes()
        call = ["gdbus", "call", "--system", "--dest", BUS_NAME, "--object-path", PATH, "--method",
                "org.freedesktop.DBus.Properties.Get", INTERFACE, "Version"]
        callers = [self.lpar.popen(*call, stdout=subprocess.DEVNULL) for _ in range(8)]
        self.assertEqual([caller.wait() for caller in callers], [0] * len(callers))
        self.bus.settle(0)
        self.assertEqual(len(changes), 1)

    def test_ends_by_itself_and_is_there_for_every_call(self):
        self.lpar.signal_service(signal.SIGTERM)
        changes = self.bus.name_changes()
        begin = time.monotonic()
        calls = 0
        while [bool(change.arguments[2]) for change in changes[-2:]] != [False, True]:
            self.assertTrue(self._call())
            calls += 1
            self.bus.settle(0)
            self.assertLess(time.monotonic() - begin, 2 * IDLE_SECONDS, changes)
        went, again = changes[-2:]
        self.assertGreater(calls, 100)
        self.assertLess(again.time - went.time, 2)

    def test_ends_only_without_networks(self):
        """With one it stays; when the last is down it goes, and leaves nothing to undo behind."""
        self._bring_up()
        pid = self.lpar.service_pid()
        changes = self.bus.name_changes()
        self.bus.settle(IDLE_SECONDS + 1)
        self.assertEqual((self.lpar.service_pid(), changes), (pid, []))
        self.lpar.delete_profile(NAME)
        self.bus.wait_for(lambda: changes, IDLE_SECONDS + 5, "the end of the service")
        self.assertFalse(self.bus.owned())
        self.assertEqual(self.lpar.sh("find /run/nm-kvm-routed -type f -size +0").stdout, "")
        self.assertEqual(self.lpar.run("nft", "list", "ruleset").stdout, "")

    def test_a_dead_service_comes_back_to_the_same(self):
        self._bring_up()
        self.addCleanup(self.lpar.delete_profile, NAME)
        before = self.lpar.settled_fingerprint()
        network = self.bus.networks()[UUID]
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(number.name):
                self.lpar.signal_service(number)
                self.assertEqual(self.lpar.fingerprint(), before)  # packets go on
                again = self.bus.networks()[UUID]
                self.assertEqual({**again, "path": None}, {**network, "path": None})
                self.assertEqual(self.lpar.fingerprint(), before)


if __name__ == "__main__":
    labcase.main()
