# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input, through every door: one clear message, nothing created, nothing changed.

The cases are in bad-input.json. "profiles" are a good profile with a few keys "set" (null: taken
out), and go through all doors, as a profile of type kvm-routed and as a native one with the setting
in its [user] section; "texts" are no such profile at all. Of a case:

    says      what the one message has in it: key (or section) and value
    finding   it is bad on this host only: the code of the finding
    nm        what comes of it in NetworkManager, unless the network "failed" with what "says" says:
              a list: it says that instead; "refuses": NetworkManager does not take the profile, or
              has no device for it; "mends": it makes a good one of it; "changes": it changes the
              host by itself
    nmcli     what comes of it on nmcli's command line, unless that refuses it with what "says"
              says: "mends": it means something good there; a list: it says that instead
"""

import contextlib
import json
import pathlib
import re
import shutil
import signal
import subprocess

import labcase
import words
from bus import ERROR, Bus, BusError
from hosts import LabError

DATA = json.loads(pathlib.Path(__file__).with_name("bad-input.json").read_text(encoding="utf-8"))
LONGEST_MESSAGE = 500  # characters
COMMANDS = ("expand", "check", "plan")
NATIVE = {"bridge": {"stp": "false"}, "ethernet": {"mtu": "57344"}}


class Case:
    """A bad profile, in both forms, with an interface and a UUID of its own."""

    def __init__(self, number, data):
        self.name, self._data = data["name"], data
        self.finding = data.get("finding")
        self.names = {"{id}": f"bad-{number}", "{interface}": f"br-bad-{number}",
                      "{uuid}": f"5d7a1e40-0000-4000-8000-bad000000{number:03}"}
        self.id, self.interface, self.uuid = self.names.values()
        self.says = [self._fill(word) for word in data["says"]]
        self._nm = data.get("nm", self.says)
        # From then on NetworkManager reads something else, and good, in the file.
        self._nm_before = tuple(data.get("nm_before", (99, 0)))
        self._profile = {section: dict(keys) for section, keys in DATA["profile"].items()}
        for path, value in data["set"].items():
            section, key = path.split(".", 1)
            self._profile.setdefault(section, {})[key] = value
        self.interface = self._profile["connection"]["interface-name"] or self.interface
        self.interface = self._fill(self.interface)

    def _fill(self, text):
        for name, value in self.names.items():
            text = text.replace(name, value)
        return text

    def _text(self, sections):
        lines = []
        for section, keys in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key}={value}" for key, value in keys.items() if value is not None]
        return self._fill("\n".join(lines) + "\n")

    @property
    def unexpanded(self):
        return self._text(self._profile)

    @property
    def native(self):
        """The profile as another editor may write it, which knows nothing of our rules."""
        sections = {**NATIVE, **self._profile}
        setting = sections.pop("kvm-routed")
        sections["ethernet"] = {**NATIVE["ethernet"], **sections["ethernet"]}
        if sections["connection"]["type"] == "kvm-routed":
            sections["connection"] = {**sections["connection"], "type": "bridge"}
        sections["user"] = {"kvm-routed.switch": "bridge",
                            **{f"kvm-routed.{key}": value for key, value in setting.items()}}
        return self._text(sections)

    @property
    def nmcli(self):
        """The arguments of `nmcli connection add` that say the same."""
        return words.from_sections({section: {key: value and self._fill(value)
                                              for key, value in keys.items()}
                                    for section, keys in self._profile.items()})

    @property
    def is_about_setting(self):
        """Whether nothing but whole values of the setting is bad."""
        return all(re.fullmatch(r"kvm-routed\.[a-z-]+", key) for key in self._data["set"])

    @property
    def nmcli_says(self):
        """What the front says of it; None if it is good there."""
        says = self._data.get("nmcli", self.says if self.is_about_setting else [])
        return None if self.finding or says == "mends" else says

    @property
    def nm_says(self):
        """What the failed network says when NetworkManager has the profile up, or None."""
        return self._nm if isinstance(self._nm, list) else None

    def is_same_to_nm(self, version):
        return version < self._nm_before

    @property
    def nm_refuses(self):
        return self._nm == "refuses"


CASES = [Case(number, data) for number, data in enumerate(DATA["profiles"])]


def without(fingerprint, interfaces):
    """A fingerprint without the lines about these interfaces."""
    if not interfaces:
        return fingerprint
    names = "|".join(re.escape(name) for name in interfaces)
    about = re.compile(rf"(?<![\w-])({names})(?![\w-])")
    return {what: "".join(line for line in text.splitlines(True) if not about.search(line))
            for what, text in fingerprint.items()}


def without_counts(fingerprint):
    return {what: re.sub(r"packets \d+ bytes \d+", "", text)
            for what, text in fingerprint.items()}


class BadInput(labcase.LabCase):
    """What the classes below share: the first LPAR, its bus, and what a message must be."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)

    def assert_message(self, message, says):
        """One line that a person can read, with these words in it."""
        self.assertRegex(message, r"\A\S.*\S\Z")
        self.assertTrue(message.isprintable(), message)
        self.assertLess(len(message), LONGEST_MESSAGE)
        for word in says:
            self.assertIn(word, message)

    def assert_refused_by_bus(self, says, method, text):
        with self.assertRaises(BusError) as caught:
            self.bus.call(method, "(s)", text)
        self.assertEqual(caught.exception.name, ERROR + "Invalid")
        self.assert_message(str(caught.exception), says)


class Doors(BadInput):
    """The doors that only look at a profile: kvm-routedctl and D-Bus, files and texts."""

    def setUp(self):
        before = self._state()
        self.addCleanup(lambda: self.assertEqual(self._state(), before))
        self.directory = self.lpar.directory / "bad-input"
        self.directory.mkdir()
        self.addCleanup(shutil.rmtree, self.directory)

    def _state(self):
        """All that must not change, of the kernel and of NetworkManager."""
        profiles = self.lpar.nmcli("-f", "UUID,FILENAME,DEVICE", "connection")
        files = self.lpar.sh("find /run/NetworkManager /etc/NetworkManager -type f | sort").stdout
        return {**self.lpar.fingerprint(), "profiles": profiles, "files": files,
                "networks": self.bus.networks()}

    def _write(self, contents):
        """Files with these contents, {name: bytes}: {name: path}, the same path in the LPAR."""
        files = {name: self.directory / f"file{number}" for number, name in enumerate(contents)}
        for name, path in files.items():
            path.write_bytes(contents[name])
        return files

    def _run_with_each(self, command, files):
        """`kvm-routedctl COMMAND FILE` with each of {name: file}: {name: CompletedProcess}."""
        script = """
            cd "$1"; command=$2; shift 2
            for file; do
                n=$((n + 1)); status=0
                kvm-routedctl "$command" "$file" >$n.out 2>$n.err </dev/null || status=$?
                echo $status
            done
        """
        statuses = self.lpar.run("sh", "-ec", script, "sh", str(self.directory), command,
                                 *map(str, files.values()), timeout=120).stdout.split()
        results = {}
        for number, (name, status) in enumerate(zip(files, statuses, strict=True), 1):
            said, complaint = ((self.directory / f"{number}.{end}").read_text(encoding="utf-8")
                               for end in ("out", "err"))
            results[name] = subprocess.CompletedProcess([command, str(files[name])], int(status),
                                                        said, complaint)
        return results

    def assert_refused(self, result, says):
        """The command failed; all it printed is one line on standard error."""
        self.assertEqual((result.returncode, result.stdout), (1, ""), result)
        self.assertTrue(result.stderr.endswith("\n"), result)
        self.assert_message(result.stderr[:-1], says)

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(CASES), 40)
        self.assertEqual(len({case.name for case in CASES}), len(CASES))

    def test_the_profile_is_good_without_the_faults(self):
        good = Case(999, {"name": "good", "set": {}, "says": []})
        self.assertEqual(self.bus.call("Check", "(s)", good.unexpanded), [])
        self.assertEqual(self.bus.call("Check", "(s)", good.native), [])

    def test_expand(self):
        files = self._write({case: case.unexpanded.encode() for case in CASES})
        for case, result in self._run_with_each("expand", files).items():
            with self.subTest(case.name):
                if case.finding:
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    self.assertIn("type=bridge", result.stdout)
                else:
                    self.assert_refused(result, [str(files[case]), *case.says])

    def test_check(self):
        files = self._write({case: case.unexpanded.encode() for case in CASES})
        for case, result in self._run_with_each("check", files).items():
            with self.subTest(case.name):
                if not case.finding:
                    self.assert_refused(result, case.says)
                    continue
                self.assertEqual((result.returncode, result.stderr), (1, ""))
                for word in (case.finding, *case.says):
                    self.assertIn(word, result.stdout)

    def test_plan(self):
        files = self._write({case: case.native.encode() for case in CASES})
        for case, result in self._run_with_each("plan", files).items():
            with self.subTest(case.name):
                if not case.finding:
                    self.assert_refused(result, case.says)
                    continue
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                for word in ("failed", case.finding, *case.says):
                    self.assertIn(word, result.stdout)
                # Nothing is done; hints, which are comments, may name commands.
                self.assertEqual([line for line in result.stdout.splitlines()
                                  if not line.startswith("#")], [])

    def test_bus(self):
        for case in CASES:
            for form, text in (("kvm-routed", case.unexpanded), ("native", case.native)):
                with self.subTest(case.name, form=form):
                    if case.finding:
                        self._assert_finding(case, self.bus.call("Check", "(s)", text))
                        self.assertIn(case.finding, self.bus.call("Plan", "(s)", text))
                    else:
                        self.assert_refused_by_bus(case.says, "Check", text)
                        self.assert_refused_by_bus(case.says, "Plan", text)

    def _assert_finding(self, case, findings):
        found = next(one for one in findings if one["code"] == case.finding)
        self.assertEqual(found["severity"], "error")
        self.assert_message(found["message"], case.says)
        self.assert_message(found["hint"], [])

    def test_nmcli(self):
        """Whatever nmcli itself refuses is refused in its words, and ours in ours."""
        script = """
            cd "$1"; shift
            while [ $# -gt 0 ]; do
                n=$((n + 1)); count=$1; shift; status=0
                nmcli connection add autoconnect no "${@:1:$count}" >$n.out 2>$n.err </dev/null ||
                    status=$?
                shift "$count"
                echo $status
            done
        """
        arguments = [word for case in CASES for word in (str(len(case.nmcli)), *case.nmcli)]
        statuses = self.lpar.run("bash", "-ec", script, "bash", str(self.directory), *arguments,
                                 timeout=240).stdout.split()
        for number, (case, status) in enumerate(zip(CASES, statuses, strict=True), 1):
            said, complaint = ((self.directory / f"{number}.{end}").read_text(encoding="utf-8")
                               for end in ("out", "err"))
            with self.subTest(case.name):
                if case.nmcli_says is None:
                    self.lpar.nmcli("connection", "delete", case.uuid, check=False)
                    self.assertEqual(status, "0", complaint)
                    # On this host only: it is added, and what is wrong is said.
                    self.assertRegex(complaint, rf"\A(Error|Warning): {case.finding}: [^\n]+\n"
                                     if case.finding else r"\A\Z")
                    continue
                self.assertEqual((status, said), ("2", ""), complaint)
                self.assertRegex(complaint, r"\AError: [^\n]+\n\Z")
                self.assert_message(complaint[:-1].removeprefix("Error: "), case.nmcli_says)

    def test_nmcli_itself(self):
        """What is wrong with the command, not with the profile."""
        good = ["type", "kvm-routed", "con-name", "x", "ifname", "br-x", "ip4", "10.136.11.254/24",
                "autoconnect", "no", "uplink", "o5s_10g_1"]
        for pairs, says in (
                ([*good, "peer"], ["peer", "missing"]),
                ([*good, "kvm-routed.peers"], ["kvm-routed.peers", "missing"]),
                ([*good, "ip4"], ["ip4", "missing"]),
                ([*good, "nonsense", "x"], ["nonsense"]),
                ([*good, "nonsense"], ["nonsense"]),
                ([*good, "nonsense.x", "y"], ["nonsense"]),
                ([*good, "ipv4.nonsense", "y"], ["nonsense"]),
                ([*good, "uplnk", "x"], ["uplnk"]),
                ([*good, "type", "ethernet"], ["ethernet"]),
                ([*good, "save", "perhaps"], ["perhaps"]),
                ([*good, "save"], ["save"]),
                ([*good, "--", "--", "x"], ["'x'"]),
                ([*good, "--", "kvm-routed.peers", "x"], ["kvm-routed.peers"]),
                ([*good, "master", "o5s_10g_1"], []),
                ([*good, "+uplink"], ["+uplink", "missing"]),
                ([*good, "-switch", "bridge"], ["kvm-routed.switch"]),
                (["type", "kvm-routed"], ["ifname"]),
                (["type", "kvm-routed", "ifname"], ["ifname"]),
                (["type", "kvm-routed", "ifname", "br-x"], ["ipv4.addresses"]),
                (["type", "kvm-routed", "ifname", ""], []),
                (["type", "kvm-routed", "ifname", "*", "ip4", "10.1.1.1/24"], []),
                (["type", "kvm-routed", "uplink", "ifname", "br-x"], ["ifname"]),
                (["ip4", "10.1.1.1/24", "ifname", "a b", "type", "kvm-routed"], ["a b"])):
            with self.subTest(pairs):
                done = self.lpar.run("nmcli", "connection", "add", *pairs, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done)
                self.assertRegex(done.stderr, r"\A(Warning: [^\n]+\n)?Error: [^\n]+\n\Z")
                for word in says:
                    self.assertIn(word, done.stderr)

    def test_texts(self):
        texts = {data["name"]: "\n".join(data["text"]) + "\n" for data in DATA["texts"]}
        says = {data["name"]: data["says"] for data in DATA["texts"]}
        files = self._write({name: text.encode() for name, text in texts.items()})
        for command in COMMANDS:
            for name, result in self._run_with_each(command, files).items():
                with self.subTest(name, command=command):
                    self.assert_refused(result, says[name])
        for name, text in texts.items():
            for method in ("Check", "Plan"):
                with self.subTest(name, method=method):
                    self.assert_refused_by_bus(says[name], method, text)

    def test_files_that_are_no_text(self):
        good = CASES[0].unexpanded.encode()
        contents = {
            "a NUL behind it": (good + b"\0", "text"),
            "a NUL in it": (good.replace(b"o5s_10g_1", b"o5s\x00_10g_1"), "text"),
            "a byte that is no UTF-8": (good.replace(b"o5s_10g_1", b"o5s\xff10g_1"), "UTF-8"),
            "UTF-16": (good.decode().encode("utf-16"), "text"),
            "all bytes": (bytes(range(256)) * 16, "text"),
            "2 MB of a comment": (good + b"#" * 2_000_000, "KiB"),
            "2 MB of brackets": (b"[" * 2_000_000, "KiB"),
            "nothing": (b"", ": "),
            "a line feed": (b"\n", "connection.type"),
        }
        files = self._write({name: content for name, (content, _) in contents.items()})
        self._assert_refused_files({str(files[name]): word
                                    for name, (_, word) in contents.items()})

    def test_what_is_no_file(self):
        self._assert_refused_files({str(self.directory): "directory", "/dev/zero": "KiB",
                                    "/nowhere/bad": "No such file", "/proc/self/mem": "error"})

    def _assert_refused_files(self, words):
        """Each path is refused with a message that has its word."""
        for command in COMMANDS:
            results = self._run_with_each(command, {path: path for path in words})
            for path, result in results.items():
                with self.subTest(command, path=path):
                    self.assert_refused(result, [words[path]])

    def test_a_value_longer_than_networkmanager_takes(self):
        """It is cut into parts; where somebody did not, nmcli does not say why it fails."""
        case = Case(998, {"name": "long", "set": {}, "says": []})
        peer = "10.136.12.0/24 172.31.56.2"
        peers = ", ".join(f"10.{140 + n // 256}.{n % 256}.0/24 172.31.56.2" for n in range(400))
        self.assertGreater(len(peers), 8192)
        self.assertIn("\nkvm-routed.peers.2=10.1",
                      self.lpar.run("kvm-routedctl", "expand", "-",
                                    input=case.unexpanded.replace(peer, peers)).stdout)
        native = case.native.replace(peer, peers)
        self.assert_refused_by_bus(["kvm-routed.peers", "8192"], "Check", native)
        result = self.lpar.run("/usr/bin/nmcli", "connection", "load",
                               self.lpar.write_profile(case.id, native), check=False)
        (self.lpar.profiles_directory / f"{case.id}.nmconnection").unlink()
        self.assertIn("Could not load file", result.stderr)


class Manager(BadInput):
    """The door that nobody guards: a native profile that NetworkManager loads and brings up."""

    def test_profiles(self):
        cases = [case for case in CASES if (case.nm_says or case.nm_refuses)
                 and case.is_same_to_nm(self.lpar.nm_version())]
        self.assertGreaterEqual(len(cases), 40)
        self._try(cases)

    def _try(self, cases):
        """All at once. If the host is not the same afterwards, half of them at a time."""
        before = self.lpar.settled_fingerprint()
        failed = [case for case in cases if case.nm_says]
        with self._loaded(cases):
            self.lpar.wait_for(lambda: self._all_failed(failed), 60, "all networks failed")
            reasons = {uuid: network["StateReason"]
                       for uuid, network in self.bus.networks().items()}
            self.lpar.wait_for(lambda: self._settled(failed), 60, "all bridges up", interval=0.2)
            bridges = self._bridges()
            during = without(self.lpar.fingerprint(), bridges)
        after = self.lpar.settled_fingerprint()
        if len(cases) > 1 and (during, after) != (before, before):
            for half in (cases[::2], cases[1::2]):
                self._try(half)
        for case in cases:
            with self.subTest(case.name):
                self._verify(case, reasons.get(case.uuid), bridges)
        with self.subTest([case.name for case in cases]):
            self.assertEqual(during, before)
            self.assertEqual(after, before)

    @contextlib.contextmanager
    def _loaded(self, cases):
        """Let NetworkManager load the profiles and, as it does at boot, bring them up."""
        files = [self.lpar.write_profile(case.id, case.native) for case in cases]
        try:
            self.lpar.run("/usr/bin/nmcli", "connection", "load", *files, check=False)
            for case in cases:
                if "\npermissions=" in case.native:  # comes up when its user logs in
                    self.lpar.nmcli("--wait", "0", "connection", "up", case.uuid)
            yield
        finally:
            for file in files:
                (self.lpar.profiles_directory / pathlib.Path(file).name).unlink()
            self.lpar.nmcli("connection", "reload")
            self.lpar.wait_for(lambda: not self._bridges(), 60, "all bridges gone", interval=0.2)
            self.lpar.wait_for(lambda: not self.bus.networks(), 60, "no network", interval=0.2)

    def _all_failed(self, cases):
        networks = self.bus.networks()
        states = {case.name: networks.get(case.uuid, {}).get("State") for case in cases}
        waiting = {name: state for name, state in states.items() if state != "failed"}
        assert not waiting, waiting
        return True

    def _settled(self, cases):
        """NetworkManager has brought up all that it can: nobody answers the DHCP of one."""
        states = self.lpar.devices()
        waiting = {case.interface: states.get(case.interface) for case in cases
                   if "method=auto" not in case.native}
        waiting = {name: state for name, state in waiting.items() if state != "connected"}
        assert not waiting, waiting
        return True

    def _bridges(self):
        return {link["ifname"] for link in self.lpar.ip("link", "show", "type", "bridge")}

    def _verify(self, case, reason, bridges):
        if case.nm_refuses:
            self.assertIsNone(reason)
            self.assertNotIn(case.interface, bridges)
        else:
            self.assert_message(reason, case.nm_says)
            self.assertIn(case.interface, bridges)


class Running(BadInput):
    """Bad changes to a network that runs, and a bad network beside it."""

    NAME = "guests11"
    # What another editor may write into the profile: a key of [user], its value, and what is said.
    CHANGES = (
        ("kvm-routed.uplinks", "o5s_10g_1,lo", ["kvm-routed.uplinks", "“lo”"]),
        ("kvm-routed.peers", "10.136.12.1/24 172.31.56.2", ["kvm-routed.peers", "10.136.12.0/24"]),
        ("kvm-routed.peers", "10.136.12.0/24 192.0.2.1", ["192.0.2.1", "10.136.12.0/24"]),
        ("kvm-routed.new-key", "1", ["“new-key”"]),
    )

    def setUp(self):
        self.before = self.lpar.settled_fingerprint()
        self.good = self.lpar.expand(self.lpar.profile(self.NAME))
        self.lpar.load_profile(self.good, self.NAME)
        self.addCleanup(self._end)
        self.lpar.up(self.NAME)

    def _end(self):
        self.lpar.delete_profile(self.NAME)
        self._assert_becomes(lambda: self.lpar.fingerprint(), self.before)

    def _changed(self, key, value):
        text = re.sub(rf"(?m)^{re.escape(key)}=.*\n", "", self.good)
        return text.replace("[user]\n", f"[user]\n{key}={value}\n")

    def _fingerprint(self):
        return without_counts(self.lpar.fingerprint())

    def _assert_becomes(self, see, expected, timeout=10):
        """What is seen is as expected, soon."""
        with contextlib.suppress(LabError):
            self.lpar.wait_for(lambda: see() == expected, timeout, "as expected", interval=0.2)
        self.assertEqual(see(), expected)

    def _assert_bare(self):
        """Nothing is left of the network but the bridge, which is NetworkManager's."""
        self._assert_becomes(lambda: without(self._fingerprint(), ["br-ex"]), self.before)
        guest = self.lpar.guests["guest1"]
        self.assertTrue(guest.ping(self.lpar.guests["guest2"].address, count=1))
        self.assertFalse(guest.ping("10.10.10.10", count=1))

    def _assert_heals(self, active):
        self._reapply(self.good)
        self.lpar.wait_state(self.NAME, "active", 10)
        self._assert_becomes(self._fingerprint, active)
        self.assertTrue(self.lpar.guests["guest1"].ping("10.10.10.10", count=1))

    def _reapply(self, text):
        """Load a version of the profile; nothing comes of it until it is applied."""
        before = self._fingerprint()
        self.lpar.load_profile(text, self.NAME)
        self.assertEqual(self._fingerprint(), before)
        self.lpar.nmcli("device", "reapply", "br-ex")

    def test_bad_versions(self):
        active = without_counts(self.lpar.settled_fingerprint())
        for key, value, says in self.CHANGES:
            with self.subTest(key, value=value):
                self._reapply(self._changed(key, value))
                network = self.lpar.wait_state(self.NAME, "failed", 10)
                self.assert_message(network["state-reason"], says)
                self._assert_bare()
                self._assert_heals(active)

    def test_setting_taken_out(self):
        """By an editor that knows nothing of it: nothing is routed, which is said."""
        active = without_counts(self.lpar.settled_fingerprint())
        self._reapply(re.sub(r"(?m)^kvm-routed\..*\n", "", self.good))
        network = self.lpar.wait_state(self.NAME, "failed", 10)
        self.assertIn("kvm-routedctl restore", network["state-reason"])
        self._assert_bare()
        self._assert_heals(active)

    def test_bad_network_beside(self):
        """Another network wants the same guests: it fails, and the first does not notice."""
        guest = self.lpar.guests["guest1"]
        active = without_counts(self.lpar.settled_fingerprint())
        other = Case(900, {"name": "overlap", "set": {"ipv4.address1": "10.136.11.129/25"},
                           "says": ["10.136.11.128/25", "10.136.11.0/24", self.NAME]})
        self.assertEqual([finding["code"] for finding in
                          self.bus.call("Check", "(s)", other.unexpanded)], ["subnet-overlap"])
        guest.ping("10.10.10.10", count=1)
        with guest.popen("ping", "-n", "-q", "-i", "0.01", "10.10.10.10",
                         stdout=subprocess.PIPE) as ping:
            self.lpar.load_profile(other.unexpanded, other.id)
            network = self.lpar.wait_state(other.id, "failed", 10)
            self.lpar.wait_for(lambda: self.lpar.devices()[other.interface] == "connected", 20,
                               "its bridge up")
            self.assertEqual(self.lpar.service_state(self.NAME), "active")
            self.lpar.delete_profile(other.id)
            self.lpar.wait_for(lambda: not self.lpar.network(other.id), 10, "it is gone")
            ping.send_signal(signal.SIGINT)
            self.assertIn(" 0% packet loss", ping.stdout.read().decode())
        self.assert_message(network["state-reason"], other.says)
        self._assert_becomes(self._fingerprint, active)


if __name__ == "__main__":
    labcase.main()
