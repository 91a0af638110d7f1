# SPDX-License-Identifier: GPL-2.0-or-later
"""What `meson install` puts where, and whether each piece of it works in its place."""

import json
import os
import pathlib
import re
import shutil
import stat
import tempfile
import xml.etree.ElementTree as ET

import firewalld
import labcase
import product
from lpar import BUS_NAME

BUILD_KIND = "plain"
SYSTEMS = "machine"

NAME = "guests11"
COMMANDS = ("connection", "status", "up", "down", "verify", "plan", "check", "explain", "try", "monitor",
            "expand", "restore", "report", "help")
DISPATCHER = "usr/lib/NetworkManager/dispatcher.d"
UNIT = "usr/lib/systemd/system/nm-kvm-routed.service"
UNIT_OF_FILE = "usr/lib/systemd/system/kvm-routed@.service"
POLICY = f"usr/share/dbus-1/system.d/{BUS_NAME}.conf"
ACTIVATION = f"usr/share/dbus-1/system-services/{BUS_NAME}.service"
ACTIONS = f"usr/share/polkit-1/actions/{BUS_NAME}.policy"
PROTOCOLS = "rt_protos.d/kvm-routed.conf"
PROGRAMS = ("usr/bin/kvm-routedctl", "usr/sbin/nmcli", "usr/libexec/kvm-routed-nmcli",
            "usr/libexec/kvm-routed-report", "usr/libexec/nm-kvm-routed",
            "usr/libexec/kvm-routed/wicked-hook",
            f"{DISPATCHER}/90-kvm-routed", f"{DISPATCHER}/pre-up.d/90-kvm-routed",
            f"{DISPATCHER}/pre-down.d/90-kvm-routed")
GENERATOR = "usr/lib/systemd/system-generators/kvm-routed-generator"
MODULE = "libnm-settings-plugin-kvm-routed.so"
NM_MODULE = "nm-kvm-routed/kvm-routed-networkmanager.so"
NM_PLUGINS = "usr/lib/NetworkManager/conf.d/50-kvm-routed.conf"
PAGES = {"usr/share/man/man1/kvm-routedctl.1", "usr/share/man/man5/nm-settings-kvm-routed.5",
         "usr/share/man/man8/nm-kvm-routed.8", "usr/share/man/man8/nmcli-kvm-routed.8"}
DRACUT = "usr/lib/dracut/dracut.conf.d/50-kvm-routed-nmcli.conf"
COMPLETION = "usr/share/bash-completion/completions/kvm-routedctl"
CATALOG = "usr/lib/systemd/catalog/kvm-routed.catalog"
FIREWALLD = {f"usr/lib/firewalld/{name}" for name in firewalld.OURS}
SOS_PLUGIN = "usr/lib/python3/dist-packages/sos/report/plugins/kvm_routed.py"
SUPPORTCONFIG_PLUGIN = "usr/lib/supportconfig/plugins/kvm_routed"
# systemd-networkd has 2.8, nm-priv-helper 1.9.
EXPOSURE = 2.2


class Install(labcase.LabCase):
    """The installed tree, and an LPAR that has it."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.root = pathlib.Path(cls.cec.product)

    def run_quietly(self, *argv, **options):
        """A program that succeeds and complains of nothing; its standard output."""
        result = self.lpar.run(*argv, **options)
        self.assertEqual(result.stderr, "")
        return result.stdout


class Tree(Install):
    """The files."""

    def test_exactly_these_files(self):
        found = {}
        for path in self.root.rglob("*"):
            state = path.lstat()
            name = str(path.relative_to(self.root))
            self.assertEqual((state.st_uid, state.st_gid), (0, 0), name)
            if not path.is_dir() or path.is_symlink():
                found[name] = stat.filemode(state.st_mode)
        share = "usr/share" if os.path.isdir("/usr/share/iproute2") else "etc"
        data = {POLICY, ACTIVATION, ACTIONS, UNIT, UNIT_OF_FILE, COMPLETION, CATALOG, SOS_PLUGIN, DRACUT, NM_PLUGINS,
                *FIREWALLD, f"{share}/iproute2/{PROTOCOLS}", *PAGES}
        modules = {name for name in found if re.fullmatch(
            rf"usr/lib/[\w-]+/NetworkManager/[\d.]+/{MODULE}", name)}
        modules |= {name for name in found if re.fullmatch(rf"usr/lib/[\w-]+/{NM_MODULE}", name)}
        self.assertEqual(len(modules), 2)
        programs = {SUPPORTCONFIG_PLUGIN, GENERATOR, *modules, *PROGRAMS}
        self.assertEqual(found, {**dict.fromkeys(programs, "-rwxr-xr-x"),
                                 **dict.fromkeys(data, "-rw-r--r--")})

    def test_what_the_programs_link(self):
        """Only the service knows the kernel; profiles of NetworkManager are for the helper of the
        nmcli front, and for a module of the service, which runs without libnm; only the service asks polkit; libarchive, which takes long to load, is for
        reports; nobody has libdbus."""
        for program in PROGRAMS:
            with self.subTest(program):
                libraries = self.run_quietly("ldd", f"/{program}")
                self.assertNotIn("not found", libraries)
                self.assertNotIn("libdbus", libraries)
                for library, users in (("libnm.so", ("kvm-routed-nmcli",)),
                                       ("libarchive.so", ("kvm-routed-report",)),
                                       ("libnftables.so", ("nm-kvm-routed",)),
                                       ("libnl-3.so", ("nm-kvm-routed",)),
                                       ("libpolkit-gobject-1.so", ("nm-kvm-routed",))):
                    is_user = pathlib.Path(program).name in users
                    (self.assertIn if is_user else self.assertNotIn)(library, libraries)

    def test_other_fronts(self):
        """Where /usr/sbin is /usr/bin, a shell function; or no front at all."""
        function = {"/usr/libexec/kvm-routed/nmcli", "/etc/profile.d/kvm-routed-nmcli.sh"}
        for option, there in (("function", function), ("disabled", set())):
            with self.subTest(option), tempfile.TemporaryDirectory() as directory:
                product.run(["meson", "setup", "--prefix=/usr", f"-Dnmcli_front={option}",
                             "-Dtests=false", directory])
                plan = json.loads(product.run(["meson", "introspect", "--installed", directory]))
                fronts = {path for path in plan.values()
                          if path.endswith("/nmcli") or "kvm-routed-nmcli." in path}
                self.assertEqual({path for path in fronts if "/man/" not in path}, there)
                snippet = pathlib.Path(directory) / "data/kvm-routed-nmcli.sh"
                if there:
                    shown = self.run_quietly("bash", "-c", f"source {snippet}; type nmcli")
                    self.assertIn('/usr/libexec/kvm-routed/nmcli "$@"', shown)

    def test_dracut_takes_the_real_nmcli(self):
        lines = (self.root / DRACUT).read_text(encoding="utf-8").splitlines()
        self.assertEqual([line for line in lines if not line.startswith("#")],
                         ['install_items+=" /usr/bin/nmcli "'])

    def test_dispatcher_programs_are_files_of_their_own(self):
        files = [self.root / program for program in PROGRAMS if DISPATCHER in program]
        self.assertEqual(len({file.stat().st_ino for file in files}), 3)
        self.assertEqual({file.stat().st_nlink for file in files}, {1})


class Data(Install):
    """Files that other programs read."""

    def test_unit(self):
        text = (self.root / UNIT).read_text(encoding="utf-8")
        self.assertNotIn("[Install]", text)
        self.assertNotIn("@", re.sub(r"(?m)^(#|SystemCallFilter=).*", "", text))
        for line in ("Type=dbus", f"BusName={BUS_NAME}", "ExecStart=/usr/libexec/nm-kvm-routed",
                     "RuntimeDirectory=nm-kvm-routed", "RuntimeDirectoryPreserve=yes"):
            self.assertIn(line + "\n", text)

    def test_systemd_takes_the_unit(self):
        of_file = UNIT_OF_FILE.replace("@.", "@guests11.")
        self.lpar.run("cp", f"/{UNIT_OF_FILE}", f"/run/{of_file.rpartition('/')[2]}")
        result = self.lpar.run("systemd-analyze", "verify", "--man=no", f"/{UNIT}",
                               f"/run/{of_file.rpartition('/')[2]}")
        self.assertEqual(result.stdout + result.stderr, "")

    def test_the_unit_confines_the_service(self):
        text = self.lpar.run("systemd-analyze", "security", "--offline=yes", "--no-pager",
                             f"/{UNIT}").stdout
        level = re.search(r"Overall exposure level for nm-kvm-routed.service: ([\d.]+)", text)
        self.assertIsNotNone(level, text)
        self.assertLessEqual(float(level.group(1)), EXPOSURE, text)

    def test_activation_file(self):
        text = (self.root / ACTIVATION).read_text(encoding="utf-8")
        self.assertEqual([line for line in text.splitlines() if line and not line.startswith("#")],
                         ["[D-BUS Service]", f"Name={BUS_NAME}", "Exec=/usr/libexec/nm-kvm-routed",
                          "User=root", "SystemdService=nm-kvm-routed.service"])

    def test_policy(self):
        """Every rule names the service, without a wildcard; only the dispatcher's is root's."""
        policies = ET.parse(self.root / POLICY).getroot()
        for rule in policies.iter("allow"):
            names = set(rule.attrib)
            self.assertIn(names, ({"own"}, {"send_destination", "send_interface", "send_member"}))
            self.assertEqual(rule.get("own") or rule.get("send_destination"), BUS_NAME)
            self.assertNotIn("*", "".join(rule.attrib.values()))
        self.assertEqual(list(policies.iter("deny")), [])
        default = policies.find("policy[@context='default']")
        self.assertEqual({rule.get("send_member") for rule in default},
                         {"Check", "Plan", "GetCounters", "GetManagedObjects", "Get", "GetAll",
                          "Introspect", "Ping",
                          "Explain", "Up", "Down", "Reapply", "Restore", "Try", "Confirm", "Revert", "Verify"})
        self.assertEqual(set(policies.find("policy[@user='root']").attrib), {"user"})
        self.assertEqual(len(policies.findall("policy")), 2)

    def test_the_bus_takes_policy_and_activation_file(self):
        """It complains at its start of files that it cannot read."""
        for file in (POLICY, ACTIVATION):
            self.assertNotIn(f"/{file}", self.lpar.logs["dbus"].read_text(encoding="utf-8"))

    def test_route_protocol_has_its_name(self):
        self.lpar.load_profile(self.lpar.profile(NAME), NAME)
        self.addCleanup(self.lpar.delete_profile, NAME)
        self.lpar.up(NAME)
        routes = self.run_quietly("ip", "route", "show", "proto", "kvm-routed").splitlines()
        self.assertEqual([route.split()[0] for route in routes],
                         ["10.136.12.0/24", "10.137.12.0/24"])
        for route in routes:
            self.assertIn(f"{route.split()[0]} via 172.31.56.2 dev hs56k_0 proto kvm-routed",
                          self.run_quietly("ip", "route", "show"))

    def test_nothing_of_the_machine_has_that_protocol(self):
        """Its number is our own: neither the kernel nor iproute2 has another use for it."""
        numbers = {}
        for file in ("/etc/iproute2/rt_protos", "/usr/share/iproute2/rt_protos",
                     f"/etc/iproute2/{PROTOCOLS}", f"/usr/share/iproute2/{PROTOCOLS}"):
            text = self.lpar.run("cat", file, check=False).stdout
            for number, name in re.findall(r"(?m)^(\d+)\s+(\S+)", text):
                numbers.setdefault(int(number), set()).add(name)
        ours, = (number for number, names in numbers.items() if "kvm-routed" in names)
        self.assertEqual(numbers[ours], {"kvm-routed"})


class Manual(Install):
    """The manual pages, and what they must not miss."""

    def _page(self, name):
        """As a terminal shows it, on lines of any length."""
        page, = (page for page in PAGES if pathlib.Path(page).name.startswith(name))
        return self.run_quietly("env", "MANWIDTH=1000", "MANROFFOPT=-c", "GROFF_NO_SGR=1",
                                "sh", "-c", 'man --warnings --local-file "$1" | col -bx', "sh",
                                f"/{page}")

    def test_pages_are_well_formed(self):
        for page in PAGES:
            with self.subTest(page):
                text = self._page(pathlib.Path(page).stem)
                for section in ("NAME", "DESCRIPTION", "SEE ALSO"):
                    self.assertRegex(text, rf"(?m)^{section}$")

    def test_pages_refer_to_pages_that_exist(self):
        ours = {f"{path.stem}({path.suffix[1:]})" for path in map(pathlib.Path, PAGES)}
        for page in PAGES:
            text = self._page(pathlib.Path(page).stem)
            for reference in re.findall(r"[\w-]*kvm-routed\w*\(\d\)", text):
                self.assertIn(reference.lower(), ours)

    def test_every_command_is_told(self):
        text = self._page("kvm-routedctl")
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^ +{command}\b")
        for option in ("--json", "--help", "--version"):
            self.assertIn(option, text)

    def test_every_key_is_told(self):
        profile = self.lpar.profile(NAME).replace("[kvm-routed]", "[kvm-routed]\nno-such-key=1")
        said = self.lpar.run("kvm-routedctl", "expand", "-", input=profile, check=False).stderr
        keys = re.search(r"its keys are: ([a-z, -]+)", said).group(1).split(", ")
        self.assertGreater(len(keys), 10)
        text = self._page("nm-settings-kvm-routed")
        for key in keys:
            with self.subTest(key):
                self.assertRegex(text, rf"(?m)^ +(kvm-routed\.)?{key}(?![\w.-])")


    def test_every_finding_is_told(self):
        """What a profile may accept, the source can find and the manual explains: neither more."""
        plugin = product.TOP / "plugin"
        keys = (plugin / "setting/kvmr-setting-key.c").read_text(encoding="utf-8")
        table = re.search(r"finding_codes\[\] = {(.*?)};", keys, re.DOTALL).group(1)
        codes = set(re.findall(r'"([\w-]+)"', table))
        self.assertGreater(len(codes), 15)
        source = "".join(file.read_text(encoding="utf-8") for folder in ("plan", "service")
                         for file in (plugin / folder).glob("*.c"))
        found = set(re.findall(r'kvmr_(?:check_add|finding_new)\(\s*\w+,\s*"([\w-]+)"', source))
        found |= set(re.findall(r'kvmr_finding_new\(\s*"([\w-]+)"', source))
        self.assertEqual(found, codes | {"fight"}, "but for fight all may be accepted")
        text = self._page("nm-kvm-routed")
        told = re.search(r"(?ms)^FINDINGS$(.*?)^MESSAGES$", text).group(1)
        self.assertEqual(set(re.findall(r"(?m)^ +([\w-]+) \((?:error|warning)", told)), found)

    def test_every_message_is_told(self):
        """What the service can log, the catalog explains and the manual lists: neither more."""
        source = (product.TOP / "plugin/kernel/kvmr-log.c").read_text(encoding="utf-8")
        messages = dict(re.findall(r'\{"([0-9a-f]{32})", LOG_(\w+)\}', source))
        self.assertGreater(len(messages), 10)
        with tempfile.TemporaryDirectory() as root:
            catalog = pathlib.Path(root, CATALOG)
            catalog.parent.mkdir(parents=True)
            shutil.copy(self.root / CATALOG, catalog)
            pathlib.Path(root, "var/lib/systemd/catalog").mkdir(parents=True)
            journalctl = ("journalctl", "--no-pager", f"--root={root}")
            self.assertEqual(self.run_quietly(*journalctl, "--update-catalog"), "")
            explained = self.run_quietly(*journalctl, "--list-catalog").splitlines()
        for line in explained:
            self.assertRegex(line, r"\A[0-9a-f]{32} NetworkManager-kvm-routed: [A-Z]")
        self.assertEqual({line.split()[0] for line in explained}, set(messages))
        listed = re.findall(r"(?m)^ +([0-9a-f]{32}) \((\w+)\)$", self._page("nm-kvm-routed"))
        self.assertEqual({key: word.upper() for key, word in listed}, messages)


class Programs(Install):
    """The programs say what they are, and how they are used."""

    def test_help(self):
        for argv in (("--help",), ("-h",), ("help",)):
            text = self.run_quietly("kvm-routedctl", *argv)
            for command in COMMANDS:
                self.assertRegex(text, rf"(?m)^  {command}\b")

    def test_help_of_each_command(self):
        for command in COMMANDS:
            with self.subTest(command):
                text = self.run_quietly("kvm-routedctl", command, "--help")
                self.assertRegex(text, rf"(?s)\AUsage:\n +kvm-routedctl {command} ")
                self.assertIn("--help", text)
                self.assertEqual(self.run_quietly("kvm-routedctl", "help", command), text)

    def test_version(self):
        text = (product.TOP / "meson.build").read_text(encoding="utf-8")
        version = re.search(r"version: '([^']+)'", text).group(1)
        for path in ("/usr/bin/kvm-routedctl", "/usr/libexec/nm-kvm-routed"):
            name = pathlib.Path(path).name
            self.assertEqual(self.run_quietly(path, "--version"), f"{name} {version}\n")
        self.assertIn("Usage:", self.run_quietly("/usr/libexec/nm-kvm-routed", "--help"))

    def test_wrong_usage(self):
        for argv in (("no-such-command",), ("status", "a", "b"), ("plan",), ("check",), ("expand",),
                     ("explain",), ("explain", "10.1.1.1"), ("explain", "10.1.1.1", "x"),
                     ("status", "--no-such-option"), ("plan", ""), ("monitor", "x"), ("",),
                     ("help", "no-such-command"), ("--json",)):
            with self.subTest(argv):
                result = self.lpar.run("kvm-routedctl", *argv, check=False)
                self.assertEqual((result.returncode, result.stdout), (2, ""))
                self.assertRegex(result.stderr, r"\AError: [^\n]+\n(See [^\n]+\n)?\Z")

    def test_expand_needs_neither_bus_nor_privilege(self):
        profile = self.lpar.profile(NAME)
        text = self.run_quietly("env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere", "setpriv",
                                "--reuid=65534", "--regid=65534", "--clear-groups",
                                "kvm-routedctl", "expand", "-", input=profile)
        self.assertEqual(text, self.lpar.expand(profile))
        self.assertIn("type=bridge\n", text)

    def test_no_bus(self):
        for command, *arguments in (("status",), ("plan", "x"), ("check", "x"),
                                    ("explain", "10.1.1.1", "10.1.1.2"), ("monitor",)):
            with self.subTest(command):
                result = self.lpar.run("env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere",
                                       "kvm-routedctl", command, *arguments, check=False)
                self.assertEqual((result.returncode, result.stdout), (8, ""))
                self.assertRegex(result.stderr, r"\AError: [^\n]+ bus [^\n]+\n\Z")

    def test_a_full_disk_is_told(self):
        for argv in (("--help",), ("status",), ("expand", "-")):
            with self.subTest(argv):
                result = self.lpar.run("sh", "-c", '"$@" >/dev/full', "sh", "kvm-routedctl", *argv,
                                       input=self.lpar.profile(NAME), check=False)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, r"\AError: [^\n]+No space left[^\n]*\n\Z")

    def test_completion(self):
        self.run_quietly("bash", "-n", f"/{COMPLETION}")
        cases = ((("",), set(COMMANDS)), (("st",), {"status"}), (("help", "p"), {"plan"}),
                 (("status", "--j"), {"--json"}), (("status", "--w"), {"--watch"}),
                 (("verify", "--"), {"--json", "--help"}), (("--v",), {"--version"}),
                 (("report", "--"), {"--output", "--text", "--help"}),
                 (("check", "o5s_10"), {"o5s_10g_1"}),
                 (("connection", "add", "type", "kvm"), {"kvm-routed"}),
                 (("connection", "add", "type", "kvm-routed", "upl"), {"uplink"}),
                 (("connection", "mod"), {"modify"}),
                 (("explain", "--in", "o5s_10"), {"o5s_10g_1"}),
                 (("explain", "--protocol", ""), {"icmp", "tcp", "udp"}),
                 (("explain", "10.131.11.2"), {"10.131.11.254"}),
                 (("try", "o5s_10"), {"o5s_10g_1"}),
                 (("try", "--c"), {"--confirm"}), (("try", "--confirm", "o5s_10"), set()),
                 (("expand", "/etc/dbus-1/sys"), {"/etc/dbus-1/system.d/"}))
        for typed, wanted in cases:
            with self.subTest(typed):
                self.assertEqual(self._complete(*typed), wanted)

    def _complete(self, *words):
        script = f"""
            source /{COMPLETION}
            function=$(complete -p kvm-routedctl | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
            COMP_WORDS=(kvm-routedctl "$@") COMP_CWORD=$# COMP_LINE="kvm-routedctl $*"
            COMP_POINT=${{#COMP_LINE}}
            "$function" kvm-routedctl "${{@: -1}}"
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        return set(self.run_quietly("bash", "-c", script, "bash", *words).split())


if __name__ == "__main__":
    labcase.main()
