# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that were made to break something, through every door.

What rules are, is decided by the product alone: a name is a value in a set or a map, or it is
refused. Nothing that anybody chose is syntax to nft, a path in /proc, a line of the journal of its
own, or an order to a terminal.
"""

import json
import re

from gi.repository import GLib

import labcase
from bus import ERROR, INTERFACE, Bus, BusError
from test_dbus import NAME, UUID

# The kernel takes them, and so does the product: each is an interface here, and is routed. Two of
# them are the same once what nft does not take in the name of an object is gone.
LEGAL = ("a{b}", "a(b)", "$a", "@a", "'x'", "#x", "-x", "--help", "`id`", "$(reboot)", "drop",
         "accept", "table", "vmap", "0", "0x10", "a}b|c&d", "[x]", "<x>", "a=b", "fifteen_bytes_x",
         "!x", "~x", "^x", "ct", "lo0@if2", "a.b", "..x")
# The kernel takes them, the product does not.
REFUSED = ('a"b', "a;b", "a\\b", "a*", "*", "é", "\u202eevil", "\x1b[31mred", "a\x7f", "a\x01b",
           "all", "default")
# Nor does the kernel.
IMPOSSIBLE = ("%d", "a/b", "../x", ".", "..", "a b", "a\nb", "sixteen_bytes_xx", "a:b", "x" * 5000)
INJECTIONS = ("10.136.12.0/24 172.31.56.2; flush ruleset", "10.136.12.0/24 172.31.56.2 }",
              "10.136.12.0/24 $(reboot)", "10.136.12.0/24\n172.31.56.2",
              "{ 10.0.0.0/8 } 172.31.56.2",
              "10.136.12.0/24 172.31.56.2\x1b[31m", "@set 172.31.56.2", "0x0a880c00/24 172.31.56.2",
              "10.136.12.0/24 172.31.56.2 dev lo", "010.136.12.0/24 172.31.56.2",
              "10.136.12.0/33 172.31.56.2", "10.136.12.0/-1 172.31.56.2", "..%2f 172.31.56.2")
EVIL_ID = "x\nEVIL: br-ex: active\x1b[2J\x1b]0;owned\x07\u202e \"'`$(reboot)`{};drop %s%n"
NM = "org.freedesktop.NetworkManager"
SETTINGS = f"/{NM.replace('.', '/')}/Settings"
DISPATCHER = "/usr/lib/NetworkManager/dispatcher.d/90-kvm-routed"
TO_DISK = "1"


def profile(sections):
    """A keyfile's text, escaped as GLib escapes it."""
    keyfile = GLib.KeyFile()
    for section, keys in sections.items():
        for key, value in keys.items():
            keyfile.set_string(section, key, value)
    return keyfile.to_data()[0]


class Hostile(labcase.LabCase):
    """The first LPAR, and what must hold in it whatever happens."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)

    def setUp(self):
        self._log = self.lpar.logs["dbus"]
        self._begin = self._log.stat().st_size
        self.addCleanup(self.assert_log_is_sound)

    def sections(self, **setting):
        return {"connection": {"id": NAME, "uuid": UUID, "type": "kvm-routed",
                               "interface-name": "br-ex"},
                "kvm-routed": {"uplinks": "o5s_10g_1", "hipersockets": "hs56k_0,hs57_0",
                               "masquerade": "o5s_1g_1", **setting},
                "ipv4": {"method": "manual", "address1": "10.136.11.254/24"}}

    def up(self, sections):
        self.lpar.load_profile(profile(sections), NAME)
        self.addCleanup(self.lpar.nmcli, "connection", "delete", NAME, check=False)
        self.lpar.up(NAME, state=None)
        return self.lpar.wait_for(lambda: self.lpar.network(NAME), 20, "the network")

    # -- what must hold

    def rules(self):
        return json.loads(self.lpar.run("nft", "-j", "list", "ruleset").stdout)["nftables"]

    def structure(self):
        """Of all rules of the host: what decides, without the values that it decides by, and
        without whose it is: of a chain uplink_NAME only that it is an uplink's."""
        kinds = re.compile("^(@?)(uplink|masquerade|guests?|sources)_.+")
        plain = (lambda name: kinds.sub(r"\1\2_of", name))
        found = []
        for entry in self.rules():
            (kind, value), = entry.items()
            if kind in ("table", "chain"):
                found.append((kind, value["family"], value.get("table"), plain(value["name"]),
                              value.get("hook"), value.get("prio"), value.get("policy")))
            elif kind in ("set", "map"):
                found.append((kind, value["family"], value["table"], plain(value["name"]),
                              str(value["type"])))
            elif kind == "rule":
                words = json.dumps(value["expr"])
                words = re.sub(r'"(packets|bytes)": \d+', "", words)
                words = re.sub(r'"[^"]+"', lambda word: f'"{plain(word[0][1:-1])}"', words)
                found.append((kind, value["family"], value["table"], plain(value["chain"]), words))
        return sorted(map(str, found))

    def strings(self):
        """All texts in elements of sets and maps."""
        found = set()

        def walk(value):
            if isinstance(value, str):
                found.add(value)
            elif isinstance(value, dict):
                for inner in value.values():
                    walk(inner)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner)

        for entry in self.rules():
            (_, value), = entry.items()
            walk(value.get("elem", []))
        return found

    def assert_fit_for_a_terminal(self, text, of=""):
        for line in text.replace("\t", " ").splitlines():
            self.assertTrue(line.isprintable(), f"{of} {line!r}")

    def assert_log_is_sound(self):
        """Every line of the service is its own, and shows only what can be shown."""
        with self._log.open(encoding="utf-8") as file:  # strictly
            file.seek(self._begin)
            text = file.read()
        for line in text.splitlines():
            self.assertTrue(line.isprintable(), repr(line))
            self.assertFalse(line.startswith("EVIL"), repr(line))
        self.assertNotIn("CRITICAL", text)

    def assert_output_is_sound(self, network=NAME):
        """Of everything that shows the network, in text and as JSON."""
        done = self.lpar.run("kvm-routedctl", "status", "--json", check=False)
        json.loads(done.stdout)
        for argv in (("status",), ("plan", network), ("check", network), ("try",),
                     ("explain", "10.136.11.1", "10.10.10.10")):
            done = self.lpar.run("kvm-routedctl", *argv, check=False)
            self.assertIn(done.returncode, (0, 1, 2, 3, 4), done)
            self.assert_fit_for_a_terminal(done.stdout + done.stderr, argv)

    def assert_refused(self, call, *says):
        """A call to the service: one clean line."""
        with self.assertRaises(BusError) as caught:
            call()
        text = str(caught.exception)
        self.assertIn(caught.exception.name, (ERROR + "Invalid", ERROR + "NotFound"), text)
        self.assertTrue(text.isprintable(), repr(text))
        self.assertLess(len(text), 1000)
        for word in says:
            self.assertIn(word, text)

    # -- links

    def add_link(self, name, number):
        """An interface with an address, by the kernel's own word, up."""
        done = self.lpar.run("ip", "link", "add", "name", name, "type", "bridge", check=False)
        if done.returncode != 0:
            return False
        self.addCleanup(self.lpar.run, "ip", "link", "delete", "dev", name, check=False)
        self.lpar.run("ip", "address", "add", f"192.0.2.{3 * number}/32", "dev", name)
        self.lpar.run("ip", "link", "set", "dev", name, "up")
        return True


class Links(Hostile):
    """Interfaces of such names that are really there."""

    def _forwarding(self, names):
        return {self.lpar.sysctl(f"net/ipv4/conf/{name}/forwarding") for name in names}

    def test_as_links_of_a_network(self):
        """They are routed like any others, and the rules are the same."""
        structures = []
        for names in ([f"plain{number}" for number in range(len(LEGAL))], LEGAL):
            for number, name in enumerate(names, 1):
                self.assertTrue(self.add_link(name, number), name)
            third = len(names) // 3
            network = self.up(self.sections(
                uplinks="o5s_10g_1," + ",".join(names[:third]),
                hipersockets="hs56k_0,hs57_0," + ",".join(names[third:2 * third]),
                masquerade="o5s_1g_1," + ",".join(names[2 * third:])))
            self.assertNotEqual(network["state"], "failed", network)
            structures.append(self.structure())
            if names != LEGAL:
                self.lpar.down(NAME)
                for name in names:
                    self.lpar.run("ip", "link", "delete", "dev", name)
        self.assertEqual([link["name"] for link in network["links"] if link["name"] in LEGAL],
                         list(LEGAL))
        self.assertEqual(structures[1], structures[0])
        self.assertLessEqual(set(LEGAL), self.strings())
        self.assertEqual(self._forwarding(LEGAL), {"1"})
        self.assert_output_is_sound()
        self.assert_reaches("lpar11/guest1", "10.10.10.10", server="lanserver")
        # And taken back.
        self.lpar.down(NAME)
        self.assertEqual(self._forwarding(LEGAL), {"0"})
        self.assertNotIn("kvm_routed", self.lpar.run("nft", "list", "tables").stdout)

    def test_beside_a_network(self):
        """Of others, and so of no concern: also those that no profile may name."""
        network = self.up(self.sections())
        before = self.structure(), network["state"]
        there = [name for number, name in enumerate(REFUSED + LEGAL, 1)
                 if self.add_link(name, number)]
        last = len(REFUSED + LEGAL)
        self.assertGreater(len(set(there) & set(REFUSED)), 8, there)
        self.lpar.sh("printf 'link add name \\377\\376 type bridge\\n' | ip -batch -", check=False)
        self.addCleanup(self.lpar.sh, "printf 'link del dev \\377\\376\\n' | ip -batch -",
                        check=False)
        # What changes with an address is a set's, so it has been seen.
        self.lpar.wait_for(lambda: re.search(rf"192\.0\.2\.{3 * last}\b", self.lpar.run(
            "nft", "list", "ruleset").stdout), 10, "the last address")
        self.assertEqual((self.structure(), self.lpar.network(NAME)["state"]), before)
        self.assertEqual(self.strings() & {*REFUSED, *LEGAL}, set())
        self.assert_output_is_sound()
        for name in there:
            done = self.lpar.run("kvm-routedctl", "explain", "--in", name, "10.136.11.1",
                                 "10.10.10.10", check=False)
            self.assert_fit_for_a_terminal(done.stdout + done.stderr)

    def test_as_the_guest_interface(self):
        self.up(self.sections())
        before = self.structure()
        self.lpar.down(NAME)
        for name in ("a{b}", "$(reboot)", "drop"):
            with self.subTest(name):
                sections = self.sections()
                sections["connection"]["interface-name"] = name
                self.lpar.load_profile(profile(sections), NAME)
                self.lpar.nmcli("connection", "up", NAME)
                self.lpar.wait_for(lambda: (self.lpar.network(NAME) or {}).get("state") == "active",
                                   20, "the network")
                self.assertEqual(self.lpar.network(NAME)["interface"], name)
                self.assertEqual(self.structure(), before)
                self.assertIn(name, self.strings())
                self.assert_output_is_sound()
                self.lpar.nmcli("connection", "delete", NAME)
                self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")


class Doors(Hostile):
    """Names and values that are refused: by each door, in one line, and without a trace."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar.load_profile(cls.lpar.profile(NAME), NAME)
        cls.addClassCleanup(cls.lpar.delete_profile, NAME)
        cls.lpar.up(NAME)

    def setUp(self):
        super().setUp()
        before = self._trace()
        self.addCleanup(lambda: self.assertEqual(self._trace(), before))

    def _trace(self):
        state = {**self.lpar.fingerprint(), "profiles": self.lpar.nmcli("-f", "NAME,UUID",
                                                                        "connection")}
        state["nft list ruleset"] = re.sub(r"packets \d+ bytes \d+", "", state["nft list ruleset"])
        return state

    def test_names_in_texts(self):
        """Check, Plan and Try, which is every reader of a keyfile."""
        for name in REFUSED + IMPOSSIBLE:
            for key in ("uplinks", "hipersockets", "masquerade", None):
                sections = self.sections(**({key: name} if key else {}))
                if not key:
                    sections["connection"]["interface-name"] = name
                sections["connection"]["uuid"] = UUID[:-2] + "88"
                text = profile(sections)
                with self.subTest(name, key=key):
                    for method, rest in (("Check", ()), ("Plan", ()), ("Try", (60,))):
                        self.assert_refused(
                            lambda: self.bus.call(method, "(su)" if rest else "(s)", text, *rest),
                            key or "interface-name")

    def test_peers_in_texts(self):
        for value in INJECTIONS:
            text = profile(self.sections(peers=value))
            with self.subTest(value):
                self.assert_refused(lambda: self.bus.call("Check", "(s)", text), "kvm-routed.peers")
                self.assert_refused(lambda: self.bus.call("Plan", "(s)", text), "kvm-routed.peers")

    def test_other_keys_in_texts(self):
        for key in ("switch", "allow", "host-access", "conntrack", "tx-queue-length", "mtu"):
            for value in ("x; flush ruleset", "{", '"', "\x1b[31m", "a\nb", "$(reboot)"):
                text = profile(self.sections(**{key: value}))
                with self.subTest(value, key=key):
                    self.assert_refused(lambda: self.bus.call("Check", "(s)", text), key)

    def test_the_command_line(self):
        """Both names of the front: its words reach nmcli and D-Bus, and no shell."""
        for program in (("kvm-routedctl", "connection"), ("nmcli", "connection")):
            for name in REFUSED + IMPOSSIBLE:
                done = self.lpar.run(*program, "add", "type", "kvm-routed", "con-name", "evil",
                                     "ifname", "br-evil", "ip4", "10.140.11.254/24",
                                     "hipersockets", name, check=False)
                with self.subTest(name, program=program[0]):
                    self.assertNotEqual(done.returncode, 0)
                    self.assertEqual(done.stdout, "")
                    self.assert_fit_for_a_terminal(done.stderr)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                    self.assertIn("hipersockets", done.stderr)
            for value in INJECTIONS:
                done = self.lpar.run(*program, "add", "type", "kvm-routed", "con-name", "evil",
                                     "ifname", "br-evil", "ip4", "10.140.11.254/24", "hipersockets",
                                     "hs56k_0", "peer", value, check=False)
                with self.subTest(value, program=program[0]):
                    self.assertNotEqual(done.returncode, 0)
                    self.assert_fit_for_a_terminal(done.stderr)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_arguments_of_the_bus(self):
        evil = ("", "x; flush ruleset", "../../etc/shadow", "\x1b[31m", "a\nEVIL: b", "%s%n",
                "x" * 100_000, EVIL_ID, "é", "/org/freedesktop", UUID + "\n")
        for text in evil:
            with self.subTest(text[:40]):
                for method in ("Reapply", "Restore", "Confirm", "Revert"):
                    self.assert_refused(lambda: self.bus.call(method, "(s)", text))
                for arguments in ((text, "10.10.10.10"), ("10.136.11.1", text)):
                    self.assert_refused(lambda: self.bus.call("Explain", "(ssa{sv})", *arguments,
                                                              {}))
                for key in ("protocol", "state", "in", text):
                    options = {key: Bus.variant("s", text)}
                    self.assert_refused(lambda: self.bus.call(
                        "Explain", "(ssa{sv})", "10.136.11.1", "10.10.10.10", options))
                # The dispatcher is root, so whoever can call it could do worse; still.
                self.assertEqual(self.bus.call("Notify", "(sss)", text, text, text), ("", ""))
                self.assertEqual(self.bus.call("Notify", "(sss)", "up", text, UUID)[0], "active")
        self.assertEqual(self.bus.get("State", self.bus.networks()[UUID]["path"],
                                      INTERFACE + ".Network"), "active")

    def test_the_dispatcher(self):
        evil = ("x; reboot", "$(reboot)", "`reboot`", "../../x", "\x1b[31m", "a\nEVIL: b", "%s%n",
                "", "-x", "*", "é", "x" * 5000)
        for text in evil:
            for argv, environment in (((text, "up"), UUID), (("br-ex", text), UUID),
                                      ((text, text), text), (("br-ex", "up"), text)):
                done = self.lpar.run("env", "-i", f"CONNECTION_UUID={environment}",
                                     f"CONNECTION_ID={text}", f"IP4_ADDRESS_0={text}",
                                     f"DEVICE_IP_IFACE={text}", DISPATCHER, *argv, check=False)
                with self.subTest(text[:40], argv=argv[1][:10]):
                    self.assert_fit_for_a_terminal(done.stdout + done.stderr)
                    self.assertIn(done.returncode, (0, 1))
                    self.assertLessEqual(len(done.stderr.splitlines()), 1)


class PastTheDoors(Hostile):
    """What is in NetworkManager already, by its own doors: a profile that nobody of us has read."""

    def _add(self, identifier, interface, setting):
        """AddConnection2, as any editor may call it: whether NetworkManager took it."""
        text = (lambda value: GLib.Variant("s", value))
        address = GLib.Variant("aa{sv}", [{"address": text("10.136.11.254"),
                                           "prefix": GLib.Variant("u", 24)}])
        sections = {
            "connection": {"id": text(identifier), "uuid": text(UUID), "type": text("bridge"),
                           "interface-name": text(interface),
                           "autoconnect": GLib.Variant("b", False)},
            "bridge": {"stp": GLib.Variant("b", False), "interface-name": text(interface)},
            "ipv4": {"method": text("manual"), "address-data": address},
            "ipv6": {"method": text("disabled")},
            "user": {"data": GLib.Variant("a{ss}", {f"kvm-routed.{key}": value
                                                    for key, value in setting.items()})},
        }
        # From within the LPAR, as NetworkManager looks at the caller's process.
        text = GLib.Variant("a{sa{sv}}", sections).print_(True)
        done = self.lpar.run("gdbus", "call", "--system", "--dest", NM, "--object-path", SETTINGS,
                             "--method", f"{NM}.Settings.AddConnection2", text, TO_DISK, "{}",
                             check=False)
        if done.returncode != 0:
            self.assertRegex(done.stderr, "(?i)invalid")
        return done.returncode == 0

    def _bring_up(self):
        self.lpar.nmcli("connection", "up", UUID)
        self.lpar.attach_guests()
        return self.lpar.wait_for(lambda: self.lpar.network(UUID), 20, "the network")

    def _remove(self):
        self.lpar.nmcli("connection", "delete", UUID, check=False)
        self.lpar.wait_for(lambda: not self.lpar.link("br-ex"), 20, "no br-ex")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")

    def test_values(self):
        self.addCleanup(self._remove)
        before = self.structure()
        self.assertFalse(self._add(NAME, "br-ex", {"\nEVIL: key": "x", "uplinks": "o5s_10g_1"}))
        for setting in ({"uplinks": 'o5s_10g_1"; flush ruleset; "'},
                        {"hipersockets": "hs56k_0", "peers": INJECTIONS[0]},
                        {"masquerade": "\x1b[31mo5s\nEVIL: x"},
                        {"uplinks": "o5s*"},
                        {"switch": "bridge; flush ruleset"},
                        {"evil-key": "x", "uplinks": "o5s_10g_1"}):
            with self.subTest(setting):
                self.assertTrue(self._add(NAME, "br-ex", {"switch": "bridge", **setting}))
                network = self._bring_up()
                self.assertEqual(network["state"], "failed", network)
                self.assertTrue(network["state-reason"].isprintable(), network)
                self.assertEqual(self.structure(), before)
                for key in ("forwarding", "proxy_arp"):
                    self.assertEqual(self.lpar.sysctl(f"net/ipv4/conf/br-ex/{key}"), "0")
                self.assert_output_is_sound()
                self._remove()

    def test_an_id(self):
        """NetworkManager takes any text; such a network is not routed, and nobody is fooled."""
        self.addCleanup(self._remove)
        self.assertTrue(self._add(EVIL_ID, "br-ex", {"switch": "bridge", "uplinks": "o5s_10g_1"}))
        network = self._bring_up()
        self.assertEqual(network["state"], "failed", network)
        self.assertIn("control characters are not allowed", network["state-reason"])
        self.assertTrue((network["id"] + network["state-reason"]).isprintable(), network)
        self.assert_output_is_sound(UUID)
        # Not `connection show`: what NetworkManager's nmcli says of an id, it says itself.
        for argv in (("verify", "br-ex"), ("restore", "br-ex"), ("report", "--text")):
            done = self.lpar.run("kvm-routedctl", *argv, check=False, timeout=60)
            self.assert_fit_for_a_terminal(done.stdout + done.stderr, argv)


if __name__ == "__main__":
    labcase.main()
