# SPDX-License-Identifier: GPL-2.0-or-later
"""`kvm-routedctl report`, and the plugins of sos and supportconfig: all that helps, no secret."""

import json
import os
import pathlib
import re
import signal
import subprocess
import tarfile
import tempfile
import time
import zlib

import labcase
from journald import Journal

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
UPLINK = "o5s_10g_1"
UPLINK_UUID = "5d7a1e40-0000-4000-8000-0000000000a1"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
NO_BUS = ("env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere")
SUPPORTCONFIG_PLUGIN = "usr/lib/supportconfig/plugins/kvm_routed"

SECRET = "xyzzy-secret"

# A profile of a link with secrets of every kind: NetworkManager's own, a key in a setting that is
# not marked as one, and another program's.
WITH_SECRETS = f"""\
[connection]
id=uplink-with-secrets
uuid={UPLINK_UUID}
type=ethernet
interface-name={UPLINK}
autoconnect=false

[802-1x]
eap=peap;
identity=host11
password={SECRET}-password
phase2-auth=mschapv2
private-key=data:;base64,eHl6enktc2VjcmV0LWtleS1ibG9iLXNlY3JldA==

[user]
other.token={SECRET}-token

[ipv4]
method=disabled
"""

# Of no concern.
WIFI = f"""\
[connection]
id=cafe
uuid=5d7a1e40-0000-4000-8000-0000000000a2
type=wifi
interface-name=wlan0
autoconnect=false

[wifi]
ssid=cafe-{SECRET}-ssid

[wifi-security]
key-mgmt=wpa-psk
psk={SECRET}-psk
"""


class Report(labcase.LabCase):
    """Of LPAR 11, whose network is up, with a journal."""

    maxDiff = None
    journal = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        if not Report.journal:
            Report.journal = Journal(cls.lpar)
        cls.lpar.load_profile(cls.lpar.profile(NAME), NAME)
        cls.lpar.up(NAME)
        for name, text in (("uplink-with-secrets", WITH_SECRETS), ("cafe", WIFI)):
            cls.lpar.load_profile(text, name)

    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="kvmr-report.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.directory.chmod(0o777)

    def report(self, *arguments, by=(), status=0):
        """Run it; what it printed to standard output and error."""
        result = self.lpar.run(*by, "kvm-routedctl", "report", *arguments, check=False, timeout=90)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout, result.stderr

    def unpack(self, path):
        """{name: bytes} of the files in a report; their modes and the directory are right."""
        files = {}
        with tarfile.open(path) as archive:
            for member in archive:
                self.assertEqual((member.mode, member.isreg()), (0o600, True))
                self.assertEqual((member.uid, member.gid), (0, 0))
                self.assertEqual((member.uname, member.gname), ("root", "root"))
                top, _, name = member.name.partition("/")
                self.assertRegex(top, r"\Akvm-routed-report-lpar11-\d{8}-\d{6}\Z")
                self.assertNotIn("/", name)
                files[name] = archive.extractfile(member).read()
        return files

    def collect(self, *arguments, **options):
        path = self.directory / "report.tar.gz"
        out, err = self.report("--output", str(path), *arguments, **options)
        self.assertEqual(out, f"{path}\n")
        return self.unpack(path), err

    def leftovers(self, directory=None):
        return sorted(os.listdir(directory or self.directory))


class Contents(Report):
    """What is in it."""

    files = None

    def setUp(self):
        super().setUp()
        if Contents.files:
            return
        self.lpar.sysctl(f"net/ipv4/conf/{UPLINK}/proxy_arp", 0)
        self.journal.wait_for("a repair", MESSAGE_ID="de4e6178039d43e2ac7f66384e68305d")
        self.lpar.run("nft", "-f", "-", input="""
            table inet foreign {
                chain forward { type filter hook forward priority 5; ip saddr 192.0.2.99 drop; }
            }""")
        self.addCleanup(self.lpar.run, "nft", "delete", "table", "inet", "foreign")
        Contents.files, err = self.collect()
        self.assertEqual(err, "")

    def test_what_is_in_it(self):
        texts = {name: text.decode() for name, text in self.files.items()}
        for name, says in {
                "version.txt": r"\Akvm-routedctl \d",
                "version-networkmanager.txt": r"\A1\.\d+",
                "version-nft.txt": r"\Anftables ",
                "kernel.txt": r"\ALinux lpar11 ",
                "distribution.txt": r"(?m)^ID=",
                "status.txt": rf"{NAME}.*\n",
                "journal.txt": rf"nm-kvm-routed\[\d+\]: proxy_arp of {UPLINK} was changed to 0 ",
                "nft-tables.txt": r"table arp kvm_routed\n",
                "nft-chains.txt": r"type filter hook forward priority",
                "nft-arp.txt": r"table arp kvm_routed \{",
                "nft-ip.txt": r'counter name "masqueraded" masquerade',
                "nft-ip6.txt": r"table ip6 kvm_routed \{",
                "sysctl.txt": rf"(?m)^net\.ipv4\.conf\.{UPLINK}\.forwarding = 1$",
                "devices.txt": r"br-ex +bridge +connected",
                "run.txt": r"==> /run/nm-kvm-routed/journal <==\n[^=]*\[",
                f"plan-{UUID}.txt": r"(?m)^sysctl -w net/ipv4/conf/br-ex/forwarding=1",
                f"check-{UUID}.txt": r"\ANo findings",
                f"profile-{UUID}.txt": rf"(?m)^kvm-routed\.uplinks={UPLINK}$",
                f"profile-{UPLINK_UUID}.txt": rf"(?m)^interface-name='{UPLINK}'$",
        }.items():
            with self.subTest(name):
                self.assertRegex(texts[name], says)

    def test_what_is_json_is_json(self):
        files = self.files
        names = [name for name in files if name.endswith(".json") and name != "journal.json"]
        data = {name: json.loads(files[name]) for name in names}
        self.assertEqual(data["status.json"]["networks"][0]["uuid"], UUID)
        self.assertIn("br-ex", {link["ifname"] for link in data["ip-link.json"]})
        self.assertIn("kvm-routed", {route.get("protocol") for route in data["ip-route.json"]})
        for name in ("ip-address.json", "ip-rule.json", "ip-neighbour.json"):
            self.assertIsInstance(data[name], list)
        entries = [json.loads(line) for line in files["journal.json"].splitlines()]
        self.assertIn(UUID, {entry.get("KVM_ROUTED_UUID") for entry in entries})

    def test_the_readme_lists_everything(self):
        readme = self.files["README"].decode()
        for name in set(self.files) - {"README"}:
            self.assertRegex(readme, rf"(?m)^{re.escape(name)} +\S")
        self.assertIn("as user 0\n", readme)
        self.assertNotIn("Not in the report", readme)

    def test_no_secret(self):
        """Nowhere, in no form; and the profiles that have some are told of without them."""
        for name, text in self.files.items():
            with self.subTest(name):
                self.assertNotIn(SECRET.encode(), text)
                self.assertNotIn(b"eHl6enkt", text)
                self.assertNotIn(b"0x78, 0x79, 0x7a", text)  # as a byte array
                self.assertNotIn(b"cafe", text)
        profile = self.files[f"profile-{UPLINK_UUID}.txt"].decode()
        self.assertIn("[802-1x]\n# left out", profile)
        self.assertNotIn("host11", profile)

    def test_others_rules_are_theirs(self):
        """But where their chains hang in, matters: a packet passes them too."""
        self.assertIn(b"table inet foreign", self.files["nft-chains.txt"])
        self.assertRegex(self.files["nft-chains.txt"], rb"hook forward priority (5|filter \+ 5)")
        self.assertNotIn(b"192.0.2.99", b"".join(self.files.values()))


class Output(Report):
    """Where it goes."""

    def test_mode_and_no_overwriting(self):
        files, _ = self.collect()
        path = self.directory / "report.tar.gz"
        before = path.read_bytes(), path.stat()
        self.assertEqual(before[1].st_mode & 0o7777, 0o600)
        out, err = self.report("-o", str(path), status=1)
        self.assertEqual((out, err), ("", f"Error: {path} cannot be made: File exists\n"))
        self.assertEqual((path.read_bytes(), path.stat().st_ino), (before[0], before[1].st_ino))
        link = self.directory / "link"
        link.symlink_to(self.directory / "target")
        self.assertIn("File exists", self.report("-o", str(link), status=1)[1])
        self.assertEqual(self.leftovers(), ["link", "report.tar.gz"])
        self.assertIn("README", files)

    def test_times(self):
        """Of all files that of the report."""
        begin = int(time.time())
        self.collect()
        with tarfile.open(self.directory / "report.tar.gz") as archive:
            made, = {member.mtime for member in archive}
        self.assertLessEqual(begin, made)
        self.assertLessEqual(made, time.time())

    def test_name_of_its_own(self):
        result = self.lpar.run("sh", "-c", 'cd "$1" && kvm-routedctl report', "sh",
                               str(self.directory))
        name, = self.leftovers()
        self.assertEqual(result.stdout, f"{name}\n")
        self.assertRegex(name, r"\Akvm-routed-report-lpar11-\d{8}-\d{6}\.tar\.gz\Z")
        self.assertIn("status.txt", self.unpack(self.directory / name))

    def test_standard_output(self):
        result = subprocess.run([*self.lpar.enter(), "kvm-routedctl", "report", "--output", "-"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True,
                                timeout=60)
        self.assertEqual(result.stderr, b"")
        self.assertIn("status.txt", self.unpack_bytes(result.stdout))
        stream = zlib.decompressobj(wbits=31)
        stream.decompress(result.stdout)
        self.assertEqual((stream.eof, stream.unused_data), (True, b""))

    def unpack_bytes(self, data):
        path = self.directory / "copy"
        path.write_bytes(data)
        return self.unpack(path)

    def test_a_full_disk_leaves_nothing(self):
        disk = self.directory / "disk"
        disk.mkdir()
        self.lpar.run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(disk))
        self.addCleanup(self.lpar.run, "umount", str(disk))
        out, err = self.report("-o", str(disk / "x.tar.gz"), status=1)
        self.assertEqual(
            (out, err), ("", f"Error: {disk}/x.tar.gz cannot be made: No space left on device\n"))
        self.assertEqual(self.lpar.run("ls", "-A", str(disk)).stdout, "")
        for option in (("--output", "-"), ("--text",)):
            result = self.lpar.run("sh", "-c", '"$@" >/dev/full', "sh", "kvm-routedctl", "report",
                                   *option, check=False)
            self.assertEqual(result.returncode, 1)
            self.assertRegex(result.stderr, r"\AError: [^\n]+No space left[^\n]*\n\Z")

    def test_wrong_places(self):
        for path, says in (("/nonexistent/x", "No such file"), ("/proc/x", ""),
                           (f"{self.directory}/", "File exists"), ("/dev/full", "File exists"),
                           ("/etc/passwd/x", "Not a directory")):
            with self.subTest(path):
                out, err = self.report("-o", path, status=1)
                self.assertEqual(out, "")
                self.assertRegex(err, rf"\AError: [^\n]*cannot be made: [^\n]*{says}[^\n]*\n\Z")

    def test_wrong_usage(self):
        for arguments in (("x",), ("--text", "-o", "x"), ("-o",), ("-o", "")):
            with self.subTest(arguments):
                result = self.lpar.run("kvm-routedctl", "report", *arguments, check=False)
                self.assertEqual((result.returncode, result.stdout), (2, ""))

    def test_program(self):
        """That of its own explains itself as kvm-routedctl does, which says where it is missing."""
        text = self.report("--help")[0]
        self.assertIn("--output=FILE", text)
        self.assertEqual(self.report("--text", "--help")[0], text)
        program = "/usr/libexec/kvm-routed-report"
        self.lpar.sh(f"touch /run/nothing; mount --bind /run/nothing {program}")
        self.addCleanup(self.lpar.sh, f"umount {program}")
        self.assertEqual(self.report("--help")[0], text)
        self.assertEqual(self.report("--text", status=1),
                         ("", f"Error: {program} cannot be started: Permission denied.\n"))

    def test_text(self):
        text, err = self.report("--text")
        self.assertEqual(err, "")
        sections = re.findall(r"(?m)^#==\[ (\w+) \]=+#\n# (.*)$", text)
        self.assertEqual(sections[0][0], "Summary")
        titles = {title for _, title in sections}
        self.assertGreaterEqual(titles, {"kvm-routedctl status", f"kvm-routedctl plan {UUID}",
                                         "nft list tables", "ip -json -4 rule show"})
        self.assertNotIn(SECRET, text)


class Poor(Report):
    """Where not all of it can be had, the rest is there, and it is said what is not."""

    def assert_lacks(self, files, err, *lines):
        readme = files["README"].decode().partition("\nNot in the report, or not whole:\n\n")[2]
        self.assertTrue(readme)
        self.assertEqual(re.sub("(?m)^Not in the report, or not whole: ", "", err), readme)
        for line in lines:
            self.assertRegex(readme, rf"(?m)^{line}")

    def test_nobody(self):
        files, err = self.collect(by=NOBODY)
        self.assert_lacks(files, err, "what only root may read: run it as root",
                          "nft list tables: exit status 1", "/run/nm-kvm-routed: .*denied")
        self.assertIn(NAME, files["status.txt"].decode())
        self.assertIn("ip-link.json", files)
        self.assertEqual((self.directory / "report.tar.gz").stat().st_uid, 65534)
        self.assertNotIn(SECRET.encode(), b"".join(files.values()))

    def test_no_bus(self):
        files, err = self.collect(by=NO_BUS)
        self.assert_lacks(files, err, "kvm-routedctl status: exit status 8: .* bus ",
                          "NetworkManager's profiles: .* bus ")
        self.assertIn(b"table arp kvm_routed {", files["nft-arp.txt"])
        self.assertIn(b"system bus cannot be reached", files["status.txt"])

    def test_a_service_that_hangs(self):
        """Is waited for once."""
        pid = self.lpar.service_pid()
        self.lpar.run("kill", "-STOP", str(pid))
        self.addCleanup(self.lpar.run, "kill", "-CONT", str(pid))
        files, err = self.collect()
        self.assert_lacks(files, err, r"kvm-routedctl status: not done after \d+ s",
                          "kvm-routedctl status --json: the service did not answer before",
                          f"kvm-routedctl plan {UUID}: the service did not answer before")
        self.assertIn(b"table arp kvm_routed {", files["nft-arp.txt"])
        self.assertIn(f"profile-{UUID}.txt", files)

    def test_no_service(self):
        self.lpar.signal_service(signal.SIGKILL)
        files, err = self.collect()  # starts it
        self.assertEqual(err, "")
        self.assertIn(NAME, files["status.txt"].decode())


class Plugins(Report):
    """Of the distributions' own collectors."""

    machine_only = True  # which has sos

    def test_sos(self):
        tools = self.lpar.run("sos", "report", "--batch", "-o", "kvm_routed", "--tmp-dir",
                              str(self.directory), "--plugin-timeout", "120", timeout=150)
        path, = (path for path in self.directory.glob("sosreport-*.tar*")
                 if path.suffix in (".xz", ".gz"))
        with tarfile.open(path) as archive:
            files = {member.name.partition("/")[2]: archive.extractfile(member).read()
                     for member in archive if member.isreg()}
        self.assertIn("kvm_routed", tools.stdout)
        text = files["sos_commands/kvm_routed/kvm-routedctl_report_--text"].decode()
        self.assertIn("table arp kvm_routed {", text)
        self.assertIn(f"# kvm-routedctl plan {UUID}\n", text)
        status = json.loads(files["sos_commands/kvm_routed/kvm-routedctl_status_--json"])
        self.assertEqual(status["networks"][0]["uuid"], UUID)
        for name, content in files.items():
            self.assertNotIn(SECRET.encode(), content, name)

    def test_supportconfig(self):
        result = self.lpar.run(f"/{SUPPORTCONFIG_PLUGIN}")
        self.assertEqual(result.stderr, "")
        self.assertRegex(result.stdout, r"\A#==\[ Summary \]=+#\n# kvm-routed-report-")
        self.assertIn("table arp kvm_routed {", result.stdout)
        self.assertNotIn(SECRET, result.stdout)
        result = self.lpar.run(*NO_BUS, f"/{SUPPORTCONFIG_PLUGIN}")
        self.assertIn("Not in the report, or not whole: kvm-routedctl status: ", result.stdout)


if __name__ == "__main__":
    labcase.main()
