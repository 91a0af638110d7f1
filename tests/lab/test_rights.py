# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: the bus' policy, polkit with a real polkitd, and what each leaves to whom."""

import re
import signal
import subprocess
import xml.etree.ElementTree as ET

import labcase
import product
from bus import ERROR, INTERFACE, NETWORK, OBJECTS, PATH, PROPERTIES, Bus
from lpar import BUS_NAME
from polkit import ACTION, ACTIONS, DAEMON, NOBODY, WITH_AGENT, Polkit
from test_dbus import NAME, UUID
from trycase import Terminal

POLICY = product.TOP / "data/org.freedesktop.NetworkManager.KvmRouted.conf"
ACTIONS_FILE = "/usr/share/polkit-1/actions/org.freedesktop.NetworkManager.KvmRouted.policy"
XML = product.TOP / "data/org.freedesktop.NetworkManager.KvmRouted.xml"
DENIED = ERROR + "Denied"
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
PASSWORD = "correct-horse"
UNKNOWN = 3  # of verify: the other LPAR, which is not up, proves nothing
STRANGER = "00000000-0000-4000-8000-000000000000"
NETWORK_OBJECT = "the network's object"

# Lets anybody call what the product's policy keeps for root.
CARELESS_POLICY = f"""\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <policy context="default">
    <allow send_destination="{BUS_NAME}"/>
  </policy>
</busconfig>
"""

# Asks without end, and always has many questions open.
FLOOD = """\
from gi.repository import Gio, GLib
bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
name = "org.freedesktop.NetworkManager.KvmRouted"
answers = 0
def ask():
    bus.call(name, "/org/freedesktop/NetworkManager/KvmRouted", "{interface}", "{method}",
             {arguments}, None, 0, -1, None, answered)
def answered(bus, result):
    global answers
    bus.call_finish(result)
    answers += 1
    if answers == 100:
        print("answered", flush=True)
    ask()
for _ in range(100):
    ask()
GLib.MainLoop().run()
"""

# What everybody may call, and what needs which action: (method, path, arguments).
READING = (
    (f"{INTERFACE}.Check", PATH, (NAME,)),
    (f"{INTERFACE}.Plan", PATH, (NAME,)),
    (f"{PROPERTIES}.Get", PATH, (INTERFACE, "Version")),
    (f"{PROPERTIES}.GetAll", NETWORK_OBJECT, (NETWORK,)),
    (f"{OBJECTS}.GetManagedObjects", PATH, ()),
    (f"{NETWORK}.GetCounters", NETWORK_OBJECT, ()),
    ("org.freedesktop.DBus.Introspectable.Introspect", PATH, ()),
    ("org.freedesktop.DBus.Peer.Ping", PATH, ()),
)
NOTIFY = (f"{INTERFACE}.Notify", PATH, ("reapply", "br-ex", UUID))
# What each of them says to somebody who may: it is done, or there is nothing of that kind.
CHANGING = {
    "control": (((f"{INTERFACE}.Up", PATH, (STRANGER,)), "no file in"),
                ((f"{INTERFACE}.Down", PATH, (UUID,)), "nmcli connection down")),
    "explain": (((f"{INTERFACE}.Explain", PATH, ("10.136.11.1", "10.10.10.10", "{}")), "passes"),),
    "reapply": (((f"{INTERFACE}.Reapply", PATH, (UUID,)), r"^\(\)"),),
    "restore": (((f"{INTERFACE}.Restore", PATH, (UUID,)), "nothing to restore"),),
    "try": (((f"{INTERFACE}.Try", PATH, (NAME, "60")), "nothing to try"),
            ((f"{INTERFACE}.Confirm", PATH, (STRANGER,)), "no such try"),
            ((f"{INTERFACE}.Revert", PATH, (STRANGER,)), "no such try")),
    "verify": (((f"{NETWORK}.Verify", NETWORK_OBJECT, ()), "'peer-gateway'"),),
}


class Rights(labcase.LabCase):
    """One network that is up, and whoever calls."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.polkit = Polkit(cls.lpar)
        cls.addClassCleanup(cls.polkit.reset)
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)
        cls.lpar.load_profile(cls.lpar.profile(NAME), NAME)
        cls.lpar.up(NAME)

    def setUp(self):
        self.addCleanup(self.polkit.reset)

    def call(self, method, path=PATH, arguments=(), user=()):
        """`gdbus call` in the LPAR: what it wrote, and how it ended."""
        if path == NETWORK_OBJECT:
            path = self.bus.networks()[UUID]["path"]
        done = self.lpar.run(*user, "gdbus", "call", "--system", "--dest", BUS_NAME,
                             "--object-path", path, "--method", method, *arguments, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_allowed(self, call, says, user=()):
        _, text = self.call(*call, user=user)
        self.assertNotIn("Denied", text, call)
        self.assertRegex(text, says)

    def assert_denied(self, call, *says, user=NOBODY, name=DENIED):
        status, text = self.call(*call, user=user)
        self.assertEqual(status, 1, call)
        self.assertIn(name, text)
        for word in says:
            self.assertIn(word, text, call)

    def set_policy(self, text):
        path = "/etc/dbus-1/system.d/zz-careless.conf"
        if text:
            self.lpar.write_file(path, text)
        else:
            self.lpar.run("rm", path)
        self.bus.call("ReloadConfig", path="/org/freedesktop/DBus",
                      interface="org.freedesktop.DBus", name="org.freedesktop.DBus")


class Methods(Rights):
    """Each method, called by root, by nobody, and by nobody whom a rule of polkit allows it."""

    def test_every_method_is_in_these_lists(self):
        documented = {f"{interface.get('name')}.{method.get('name')}"
                      for interface in ET.parse(XML).getroot().findall("interface")
                      for method in interface.findall("method")}
        called = {call[0] for call in READING} | {NOTIFY[0]} | {
            call[0] for cases in CHANGING.values() for call, _ in cases}
        self.assertEqual({name for name in called if name.startswith(INTERFACE)}, documented)

    def test_everybody_reads(self):
        for user in ((), NOBODY):
            for call in READING:
                with self.subTest(call[0], user=user):
                    status, text = self.call(*call, user=user)
                    self.assertEqual(status, 0, text)

    def test_root_does_everything(self):
        for cases in CHANGING.values():
            for call, says in cases:
                with self.subTest(call[0]):
                    self.assert_allowed(call, says)
        self.assert_allowed(NOTIFY, "active")

    def test_root_needs_no_polkit(self):
        self.polkit.remove()
        for cases in CHANGING.values():
            for call, says in cases:
                with self.subTest(call[0]):
                    self.assert_allowed(call, says)
        self.assertIsNone(self.polkit.pid())

    def test_nobody_changes_nothing(self):
        before = self.lpar.fingerprint()
        for name, cases in CHANGING.items():
            for call, _ in cases:
                with self.subTest(call[0]):
                    method = call[0].rsplit(".")[-1]
                    self.assert_denied(call, f"{method} needs the authorization {ACTION}{name},",
                                       "sudo", "pkttyagent", "rule of polkit", "65534")
        self.assertEqual(self.lpar.fingerprint(), before)
        self.assertEqual(self.lpar.service_state(NAME), "active")

    def test_notify_is_for_root_only(self):
        """By the bus; where its policy is careless, by the service; whatever polkit allows."""
        self.polkit.allow(*ACTIONS, ACTION + "notify")
        self.assert_denied(NOTIFY, user=NOBODY, name=ACCESS_DENIED)
        self.set_policy(CARELESS_POLICY)
        self.addCleanup(self.set_policy, None)
        self.assert_denied(NOTIFY, "only root may call Notify")
        self.assertEqual(self.lpar.service_state(NAME), "active")

    def test_a_rule_allows_one_action(self):
        for name, cases in CHANGING.items():
            self.polkit.allow(ACTION + name)
            with self.subTest(name):
                for call, says in cases:
                    self.assert_allowed(call, says, user=NOBODY)
                for other, others in CHANGING.items():
                    if other != name:
                        self.assert_denied(others[0][0], ACTION + other)
                # Nor is it anybody else's.
                self.assert_denied(cases[0][0], ACTION + name, user=DAEMON)

    def test_a_rule_forbids(self):
        self.lpar.write_file("/etc/polkit-1/rules.d/00-lab.rules",
                             "polkit.addRule(function() { return polkit.Result.NO; });\n")
        self.polkit.kill()
        self.assert_denied(CHANGING["reapply"][0][0], "which user 65534 has not got", "sudo")
        self.assert_allowed(CHANGING["reapply"][0][0], r"^\(\)")

    def test_without_polkit(self):
        self.polkit.remove()
        for name, cases in CHANGING.items():
            self.assert_denied(cases[0][0], ACTION + name, "polkit cannot be asked", "sudo")

    def test_the_tool(self):
        for argv in (("verify",), ("explain", "10.136.11.1", "10.10.10.10"), ("try", NAME),
                     ("restore", NAME)):
            with self.subTest(argv[0]):
                done = self.lpar.run(*NOBODY, "kvm-routedctl", *argv, check=False)
                self.assertNotEqual(done.returncode, 0)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, rf"\AError: \w+ needs the authorization "
                                              rf"{re.escape(ACTION + argv[0])}, .*sudo.*\n\Z")

    def test_one_who_is_refused_again_and_again_fills_no_journal(self):
        log = self.lpar.logs["dbus"]
        self.lpar.signal_service(signal.SIGKILL)  # what it remembers of former tests
        self.bus.version()
        before = log.stat().st_size
        for _ in range(20):
            self.assert_denied(CHANGING["reapply"][0][0], "reapply")
        self.assert_denied(CHANGING["reapply"][0][0], "reapply", user=DAEMON)
        with log.open(encoding="utf-8") as file:
            file.seek(before)
            lines = [line for line in file if "and refused:" in line]
        self.assertEqual(len(lines), 2, lines)
        self.assertIn("called by user 65534", lines[0])
        self.assertIn("called by user 1 ", lines[1])


class Flood(Rights):
    """Everybody may read, and so as often as they like."""

    def test_it_puts_nothing_off(self):
        """What somebody else breaks is mended while nobody keeps the service busy."""
        for method, arguments in (("Check", "GLib.Variant('(s)', ('guests11',))"),
                                  ("Get", "GLib.Variant('(ss)', (name, 'Version'))")):
            with self.subTest(method):
                interface = PROPERTIES if method == "Get" else INTERFACE
                flood = FLOOD.format(method=method, arguments=arguments, interface=interface)
                flooders = [self.lpar.popen(*NOBODY, "/usr/bin/python3", "-c", flood,
                                            stdout=subprocess.PIPE) for _ in range(3)]
                for flooder in flooders:
                    self.addCleanup(flooder.kill)
                    self.assertEqual(flooder.stdout.readline(), b"answered\n")
                for _ in range(3):
                    self.lpar.run("nft", "delete", "table", "arp", "kvm_routed")
                    self.lpar.wait_for(lambda: "table arp kvm_routed" in self.lpar.run(
                        "nft", "list", "tables").stdout, 10, "the table is back")
                    self.assertTrue(all(flooder.running() for flooder in flooders))
                for flooder in flooders:
                    flooder.kill()


class Password(Rights):
    """A person at a terminal, whom polkit asks for the password of an administrator: since version
    126 by a helper that systemd starts."""

    machine_only = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.polkit.set_password(PASSWORD)

    def person(self, *argv):
        terminal = Terminal(self.lpar, *NOBODY, "sh", "-ec", WITH_AGENT, "sh", *argv)
        self.addCleanup(terminal.__exit__)
        terminal.wait_for("Password: ")
        return terminal

    def test_the_right_one(self):
        person = self.person("kvm-routedctl", "verify")
        self.assertIn("verify a network for KVM guests", person.text)
        person.type(PASSWORD + "\n")
        self.assertEqual(person.ended(), UNKNOWN, person.text)
        self.assertIn("172.31.56.2", person.text)

    def test_the_wrong_one(self):
        person = self.person("kvm-routedctl", "explain", "10.136.11.1", "10.10.10.10")
        person.type("wrong\n")
        for _ in range(2):
            person.wait_for(r"(?s)Password: .*Password: |Error: ", timeout=30)
            if "Error: " in person.text:
                break
            person.type("wrong\n")
        self.assertNotEqual(person.ended(timeout=40), 0)
        self.assertRegex(person.text, f"Error: Explain needs the authorization {ACTION}explain")
        self.assertNotIn("passes", person.text)

    def test_others_are_answered_meanwhile(self):
        """Everybody else, and the host, too: a rule that is gone is put back."""
        person = self.person("kvm-routedctl", "verify")
        self.assertTrue(self.bus.version())
        self.assert_allowed(CHANGING["reapply"][0][0], r"^\(\)")
        self.assert_denied(CHANGING["reapply"][0][0], "reapply")
        self.lpar.run("nft", "delete", "table", "arp", "kvm_routed")
        self.lpar.wait_for(lambda: "table arp kvm_routed" in
                           self.lpar.run("nft", "list", "ruleset").stdout, 10, "the table is back")
        person.type(PASSWORD + "\n")
        self.assertEqual(person.ended(), UNKNOWN, person.text)

    def test_polkitd_dies_meanwhile(self):
        person = self.person("kvm-routedctl", "verify")
        self.polkit.kill()
        self.assertNotEqual(person.ended(), 0)
        self.assertRegex(person.text, f"Error: Verify needs the authorization {ACTION}verify, and "
                                      "polkit cannot be asked for it")
        self.assertNotIn("172.31.56.2", person.text)
        self.assert_allowed(CHANGING["verify"][0][0], "'peer-gateway'")

    def test_the_caller_goes_meanwhile(self):
        """Nothing is done for it any more, the dialogue ends, and the service may end."""
        self.person("kvm-routedctl", "verify")
        self.lpar.run("pkill", "-KILL", "-u", "65534", "-x", "kvm-routedctl")
        self.lpar.down(NAME)
        self.addCleanup(self.lpar.up, NAME)
        self.lpar.wait_for(lambda: not self.bus.owned(), 30, "the end of the service")


class Tries(Rights):
    """Who begins a try, confirms it, and takes it back."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self._end_all)
        self.polkit.allow(ACTION + "try", users=("nobody", "daemon"))

    def _end_all(self):
        for subject in self.bus.get("Tries"):
            if subject["state"] not in ("kept", "taken-back"):
                self.bus.call("Revert", "(s)", subject["try"])
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.lpar.nmcli("device", "reapply", "br-ex")

    def _begin(self, user):
        text = self.lpar.expand(self.lpar.profile(NAME)).replace(
            ",10.137.12.0/24 172.31.56.2", "").replace(", 10.137.12.0/24 172.31.56.2", "")
        status, said = self.call(f"{INTERFACE}.Try", PATH, (text, "300"), user=user)
        self.assertEqual(status, 0, said)
        name = re.search(r"\('([-0-9a-f]{36})'", said)[1]
        self.lpar.wait_for(lambda: self._state(name) == "running", 20, "the try runs")
        return name

    def _try(self, name):
        return next(subject for subject in self.bus.get("Tries") if subject["try"] == name)

    def _state(self, name):
        return self._try(name)["state"]

    def _end(self, method, name):
        return (f"{INTERFACE}.{method}", PATH, (name,))

    def test_confirmed_by_who_began_it(self):
        name = self._begin(NOBODY)
        self.assertEqual(self._try(name)["user"], 65534)
        self.assert_allowed(self._end("Confirm", name), r"^\(\)", user=NOBODY)
        self.assertEqual(self._state(name), "kept")

    def test_confirmed_by_root(self):
        name = self._begin(NOBODY)
        self.assert_allowed(self._end("Confirm", name), r"^\(\)")
        self.assertEqual(self._state(name), "kept")

    def test_not_confirmed_by_others(self):
        """Though they may try too; nor after the service was killed."""
        for owner, other, uid in ((NOBODY, DAEMON, 65534), ((), NOBODY, 0)):
            with self.subTest(owner=uid):
                name = self._begin(owner)
                self.assert_denied(self._end("Confirm", name), f"user {uid} began the try",
                                   user=other)
                self.lpar.signal_service(signal.SIGKILL)
                self.assert_denied(self._end("Confirm", name), f"user {uid} began the try",
                                   user=other)
                self.assertEqual(self._state(name), "running")
                self.assert_allowed(self._end("Revert", name), r"^\(\)", user=other)
                self.assertEqual(self._state(name), "taken-back")

    def test_without_the_right_it_is_not_even_taken_back(self):
        name = self._begin(())
        self.polkit.allow(ACTION + "verify")
        for method in ("Confirm", "Revert"):
            self.assert_denied(self._end(method, name), ACTION + "try")
        self.assertEqual(self._state(name), "running")


class Private(Rights):
    """Profiles that belong to users, which any local user can make and bring up."""

    def test_one_of_nobody(self):
        identifier = UUID[:-2] + "77"
        text = self.lpar.expand(self.lpar.profile(NAME)
                                .replace("[connection]\n",
                                         "[connection]\nautoconnect=false\n", 1))
        text = (text.replace(NAME, "private").replace(UUID, identifier)
                .replace("br-ex", "br-private").replace("10.136.11.", "10.138.11.")
                .replace("10.137.11.", "10.139.11.")
                .replace("[connection]\n", "[connection]\npermissions=user:nobody:;\n", 1))
        self.lpar.nmcli("connection", "load", self.lpar.write_profile("private", text))
        self.addCleanup(self.lpar.delete_profile, identifier)
        # What logind writes for a user who is logged in: NetworkManager believes it.
        self.lpar.sh("mkdir -p /run/systemd/users /run/systemd/seats /run/systemd/sessions; "
                     "printf 'NAME=nobody\\nSTATE=active\\nSESSIONS=1\\nACTIVE_SESSIONS=1\\n' "
                     ">/run/systemd/users/65534")
        self.addCleanup(self.lpar.run, "rm", "-r", "/run/systemd/users")
        done = self.lpar.run(*NOBODY, "/usr/bin/nmcli", "connection", "up", identifier, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        network = self.lpar.wait_state("private", "failed")
        self.assertIn("private (connection.permissions)", network["state-reason"])
        self.assertIn("nmcli connection modify", network["state-reason"])
        self.assertIn("profile private is private",
                      self.lpar.logs["dbus"].read_text(encoding="utf-8"))
        rules = self.lpar.run("nft", "list", "ruleset").stdout
        self.assertIn("10.136.11.0/24", rules)
        for word in ("br-private", "10.138.11.0/24", "10.139.11.0/24"):
            self.assertNotIn(word, rules)
        self.assertEqual(self.lpar.sysctl("net/ipv4/conf/br-private/forwarding"), "0")
        self.assertEqual(self.lpar.sysctl("net/ipv4/conf/br-private/proxy_arp"), "0")
        self.assertEqual(self.lpar.service_state(NAME), "active")

    def test_nobody_learns_nothing_of_one_of_root(self):
        """By their names, Check and Plan would read what NetworkManager does not show."""
        identifier = UUID[:-2] + "78"
        text = self.lpar.expand(self.lpar.profile(NAME).replace("[connection]\n",
                                                                "[connection]\nautoconnect=false\n",
                                                                1))
        text = (text.replace(NAME, "secret").replace(UUID, identifier)
                .replace("br-ex", "br-secret").replace("10.136.11.", "10.66.11.")
                .replace("[connection]\n", "[connection]\npermissions=user:root:;\n", 1))
        self.lpar.nmcli("connection", "load", self.lpar.write_profile("secret", text))
        self.addCleanup(self.lpar.delete_profile, identifier)
        for argument in ("secret", identifier, "br-secret"):
            for method in ("Check", "Plan"):
                status, said = self.call(f"{INTERFACE}.{method}", PATH, (argument,), user=NOBODY)
                self.assertEqual(status, 1)
                self.assertIn("private", said)
                self.assertNotIn("10.66.11", said)


class Policy(Rights):
    """The files, and what the bus makes of them."""

    def test_nobody_owns_the_name(self):
        self.lpar.signal_service(signal.SIGTERM)
        done = self.lpar.run(*NOBODY, "gdbus", "call", "--system", "--dest", "org.freedesktop.DBus",
                             "--object-path", "/org/freedesktop/DBus", "--method",
                             "org.freedesktop.DBus.RequestName", BUS_NAME, "0", check=False)
        self.assertIn(ACCESS_DENIED, done.stderr)
        self.bus.version()

    def test_every_rule_names_where_it_leads(self):
        """As SUSE's reviewers ask for it: no wildcard, and a destination in every allow."""
        root = ET.parse(POLICY).getroot()
        for rule in root.iter("allow"):
            self.assertIn(set(rule.attrib),
                          ({"own"}, {"send_destination", "send_interface", "send_member"}))
            self.assertEqual(rule.get("own") or rule.get("send_destination"), BUS_NAME)
            self.assertNotIn("*", "".join(rule.attrib.values()))
        self.assertEqual([rule.get("send_member") for rule in root.find("policy[@user='root']")],
                         [None, "Notify"])
        self.assertEqual([rule.get("own") for rule in root.find("policy[@context='default']")
                          if rule.get("own")], [])

    def test_polkit_knows_the_actions(self):
        known = self.lpar.run("pkaction").stdout.split()
        self.assertEqual([action for action in known if action.startswith(ACTION)], sorted(ACTIONS))
        root = ET.fromstring(self.lpar.run("cat", ACTIONS_FILE).stdout)
        for action in root.findall("action"):
            self.assertEqual({default.text for default in action.find("defaults")},
                             {"auth_admin_keep"})
            self.assertTrue(action.findtext("description"))
            self.assertIn("Authentication is required", action.findtext("message"))

    def test_what_is_not_listed_the_bus_refuses(self):
        for method, arguments in ((f"{INTERFACE}.Frobnicate", ()),
                                  (f"{PROPERTIES}.Set", (NETWORK, "State", "<'failed'>"))):
            self.assert_denied((method, PATH, arguments), name=ACCESS_DENIED)


if __name__ == "__main__":
    labcase.main()
