# SPDX-License-Identifier: GPL-2.0-or-later
"""The nmcli front changes nothing for those who do not use kvm-routed: whatever they type, it
prints what the real nmcli prints, and ends as it ends; also on a host where a kvm-routed network
is up."""

import re

import labcase

SYSTEMS = "all"

FRONT = "/usr/sbin/nmcli"
REAL = "/usr/bin/nmcli"

# A profile, for --offline on standard input.
KEYFILE = """\
[connection]
id=file
uuid=9f7f4462-561f-45f3-84dc-a1cf53bc90e9
type=ethernet
interface-name=eth9

[ipv4]
method=auto
"""

# One that has only our name in it.
NAMESAKE = KEYFILE.replace("id=file", "id=kvm-routed-uplink")

# Looking only; each line one invocation, in the words of a shell. None needs a guest network.
LOOKS = r"""
nmcli
nmcli --version
nmcli -v
nmcli --help
nmcli -h
nmcli general
nmcli g
nmcli g status
nmcli -t g status
nmcli -f RUNNING,STATE general
nmcli -t -f RUNNING g
nmcli -g RUNNING general status
nmcli general permissions
nmcli general logging
nmcli g hostname
nmcli g help
nmcli networking
nmcli n
nmcli n connectivity
nmcli radio
nmcli r wifi
nmcli -t radio all
nmcli device
nmcli d
nmcli d status
nmcli -t -f DEVICE,STATE device
nmcli -f all device status
nmcli -p device
nmcli -m multiline device
nmcli -m tab d
nmcli device show o5s_10g_1
nmcli -t -f GENERAL.MTU device show o5s_10g_1
nmcli -g IP4.ADDRESS device show hs56k_0
nmcli -e no -t -f GENERAL.HWADDR d show hs56k_0
nmcli device show nonesuch
nmcli d sho o5s_1g_1
nmcli d wifi
nmcli d lldp
nmcli connection
nmcli con
nmcli c
nmcli c show
nmcli c s
nmcli connection show --active
nmcli connection show --order name
nmcli connection show --order -active:path
nmcli connection show --order nonsense
nmcli -t -f NAME,UUID,TYPE connection
nmcli -f all c
nmcli -f common c
nmcli -f NAME,DEVICE -p c s
nmcli -m multiline c show --active
nmcli connection show o5s_10g_1
nmcli c s id o5s_10g_1
nmcli -t c s o5s_10g_1
nmcli -p c s o5s_10g_1
nmcli -f ipv4 c s o5s_10g_1
nmcli -f ipv4.addresses,connection.id c s o5s_10g_1 hs56k_0
nmcli -g connection.uuid c s o5s_10g_1
nmcli -f active c s o5s_10g_1
nmcli -f GENERAL,IP4 c s o5s_10g_1
nmcli -f profile c s o5s_10g_1
nmcli -s c s o5s_10g_1
nmcli c s --show-secrets o5s_10g_1
nmcli c s uuid nonesuch
nmcli c s path 9999
nmcli c s nonesuch
nmcli c s o5s_10g_1 nonesuch
nmcli c s id
nmcli -f nonsense c s o5s_10g_1
nmcli -f nonsense c
nmcli -f ipv4.nonsense c s o5s_10g_1
nmcli c nonsense
nmcli nonsense
nmcli ''
nmcli c ''
nmcli --nonsense
nmcli -f
nmcli -w abc device
nmcli -w -1 device
nmcli -m nonsense device
nmcli -t -t device
nmcli -t -p device
nmcli -c perhaps device
nmcli -- device
nmcli --terse=yes device
nmcli c help
nmcli c show help
nmcli c up help
nmcli c up --help
nmcli c edit --help
nmcli c up nonesuch
nmcli c up id nonesuch
nmcli c up
nmcli c up ifname nonesuch
nmcli c up o5s_10g_1 nonsense
nmcli c down nonesuch
nmcli c delete nonesuch
nmcli c modify
nmcli c modify nonesuch ipv4.method auto
nmcli c modify o5s_10g_1
nmcli c modify o5s_10g_1 ipv4.method nonsense
nmcli c modify o5s_10g_1 ipv4.method
nmcli c modify o5s_10g_1 nonsense x
nmcli c modify o5s_10g_1 peer x
nmcli c modify o5s_10g_1 uplink x
nmcli c add
nmcli c add type
nmcli c add type nonsense
nmcli c add type b
nmcli c add typ ethernet
nmcli c add type vlan ifname v0
nmcli c add type bridge ifname br9 nonsense x
nmcli c add type bridge ifname br9 uplink x
nmcli c add type ethernet ifname eth9 save perhaps
nmcli c add type ethernet ifname eth9 -- -- x
nmcli c clone nonesuch x
nmcli c clone
nmcli c edit nonesuch
nmcli c load /nonexistent
nmcli c import type vpn file /nonexistent
nmcli c import
nmcli c export o5s_10g_1
nmcli c export nonesuch
nmcli c monitor nonesuch
nmcli c reload
nmcli --offline c add type ethernet ifname eth9 con-name x connection.uuid 9f7f4462-561f-45f3-84dc-a1cf53bc90e9
nmcli --offline c add type bridge ifname br9 con-name x connection.uuid 9f7f4462-561f-45f3-84dc-a1cf53bc90e9 stp no
nmcli --offline c add type nonsense
nmcli --offline c show
nmcli --offline c show guests11
nmcli --offline c up guests11
nmcli --offline device
nmcli --complete-args c a ty
nmcli --complete-args d sh
nmcli --complete-args c m o5s_10g_1 ipv4.meth
nmcli --complete-args c a type bridge ifname br9 bridge.st
nmcli --complete-args c u o5
nmcli agent help
nmcli monitor help
nmcli dev wifi connect
""".strip().splitlines()

# With this on standard input: through a pipe, and from a file.
INPUTS = [
    ("nmcli --offline c modify ipv4.method disabled", KEYFILE),
    ("nmcli --offline c modify connection.id other -ipv4.dns 1.1.1.1", KEYFILE),
    ("nmcli --offline c modify", KEYFILE),
    ("nmcli --offline c modify nonsense x", KEYFILE),
    ("nmcli --offline c modify ipv4.method disabled", NAMESAKE),
    ("nmcli --offline c modify ipv4.dns 1.1.1.1", NAMESAKE.replace("ethernet", "bridge")),
    ("nmcli --offline c modify uplink x", NAMESAKE),
    ("nmcli --offline c modify ipv4.method disabled", "rubbish"),
    ("nmcli --offline c modify ipv4.method disabled", ""),
    ("nmcli c edit o5s_10g_1", "print\nquit\n"),
    ("nmcli c edit type ethernet con-name x", "print connection\nquit\n"),
    ("nmcli --ask c add", "nonsense\n"),
    ("nmcli -a c add type ethernet", ""),
    ("nmcli --ask c up", "nonesuch\n"),
    ("nmcli -a c modify", ""),
    ("nmcli d wifi connect x --ask", "secret\n"),
]

# With changes, one after the other.
LIVES = [
    ["nmcli c add type dummy ifname d0 con-name one autoconnect no",
     "nmcli c add type vlan dev o5s_10g_1 id 7 con-name two autoconnect no ip4 192.0.2.1/24",
     "nmcli c add con-name one type ethernet ifname eth9 autoconnect no",
     "nmcli c modify id two +ipv4.addresses 192.0.2.2/24",
     "nmcli -g ipv4.addresses c s two",
     "nmcli c modify --temporary two connection.autoconnect-priority 7",
     "nmcli c modify two remove proxy",
     "nmcli c clone two three",
     "nmcli c clone --temporary two four",
     "nmcli -t -f NAME c",
     "nmcli c up three",
     "nmcli c delete one two",
     "nmcli c delete three",
     "nmcli c delete four"],
    ["nmcli c add type bridge ifname br9 con-name plain ip4 192.0.2.9/24 autoconnect no",
     "nmcli c up plain",
     "nmcli -f NAME,TYPE,DEVICE c s --active",
     "nmcli c modify plain bridge.stp no",
     "nmcli -w 5 c up plain",
     "nmcli device reapply br9",
     "nmcli -t -f connection.id,bridge.stp c s plain",
     "nmcli c down plain",
     "nmcli c down plain",
     "nmcli c delete plain"],
    ["nmcli c down hs57_0",
     "nmcli c up hs57_0",
     "nmcli device disconnect hs57_0",
     "nmcli device connect hs57_0",
     "nmcli -w 0 c up hs57_0"],
]


def normal(text):
    """Without what is different each time."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID", text)
    text = re.sub(r"(ActiveConnection|Settings|Devices)/\d+", r"\1/N", text)
    text = re.sub(r"\b\d{10}\b", "TIME", text)
    return re.sub(r"(timestamp-real:\s*).*", r"\1TIME", text)


class Transparent(labcase.LabCase):
    """With a kvm-routed network up, as where the front is in use."""

    maxDiff = None
    profiles_up = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        # What a line means must not hang on the directory or the shell.
        cls.lpar.write_file("/run/keyfile", KEYFILE)

    def run_line(self, program, line, redirection="</dev/null", **options):
        """(status, standard output, standard error); the program has the name nmcli."""
        command = line.replace("nmcli", program, 1)
        done = self.lpar.run("bash", "-c", f"{command} {redirection}", check=False, timeout=60,
                             **options)
        return done.returncode, normal(done.stdout), normal(done.stderr)

    def assert_same(self, line, redirection="</dev/null", **options):
        with self.subTest(line, redirection=redirection):
            real = self.run_line(REAL, line, redirection, **options)
            front = self.run_line(FRONT, line, redirection, **options)
            if line == "nmcli" and self.lpar.nm_version() >= (1, 46):
                # It shows devices in another order each time.
                real, front = (list(map(sorted, map(str.splitlines, out[1:])))
                               for out in (real, front))
            self.assertEqual(front, real)
            self.assertNotIn("kvm-routed.", str(front))

    def test_there_are_enough(self):
        self.assertGreaterEqual(len(set(LOOKS)), 80)

    def test_looks(self):
        for line in LOOKS:
            self.assert_same(line)

    def test_input_through_a_pipe(self):
        for line, text in INPUTS:
            self.assert_same(line, "", input=text)

    def test_input_from_a_file(self):
        for line in ("nmcli --offline c modify ipv4.method disabled",
                     "nmcli --offline c modify connection.id other"):
            self.assert_same(line, "</run/keyfile")

    def test_input_is_closed(self):
        for line in ("nmcli device", "nmcli c s o5s_10g_1"):
            self.assert_same(line, "<&-")

    def test_output_is_closed_or_full(self):
        for redirection in (">&-", ">/dev/full"):
            for line in ("nmcli device", "nmcli c s o5s_10g_1"):
                self.assert_same(line, f"{redirection} </dev/null")

    def test_terminal(self):
        """Colours and width of a terminal; of pagers, one that waits for nobody."""
        for line in ("nmcli device", "nmcli c", "nmcli c s o5s_10g_1", "nmcli -p g",
                     "nmcli c up nonesuch", "nmcli c add type nonsense", "nmcli",
                     "nmcli -c no d"):
            with self.subTest(line):
                shown = [self.lpar.run("env", "TERM=xterm-256color", "PAGER=cat", "script", "-qec",
                                       line.replace("nmcli", program, 1), "/dev/null",
                                       check=False, timeout=30, input="")
                         for program in (REAL, FRONT)]
                texts = [normal(done.stdout) for done in shown]
                self.assertEqual(texts[1], texts[0])
                self.assertEqual(shown[1].returncode, shown[0].returncode)
                self.assertTrue(texts[0].strip(), "there is something to compare")

    def test_lives(self):
        """Profiles and devices that come, change and go; the same state before each life."""
        for life in LIVES:
            seen = {}
            for program in (REAL, FRONT):
                seen[program] = [(line, *self.run_line(program, line)) for line in life]
                self.lpar.connected()
            for front, real in zip(seen[FRONT], seen[REAL], strict=True):
                with self.subTest(front[0]):
                    self.assertEqual(front, real)

    def test_monitor(self):
        """It runs until it is ended."""
        done = [self.lpar.run("timeout", "-s", "INT", "3", program, "monitor", check=False)
                for program in (REAL, FRONT)]
        self.assertEqual((done[1].returncode, done[1].stdout, done[1].stderr),
                         (done[0].returncode, done[0].stdout, done[0].stderr))

    def test_environment_and_arguments_arrive(self):
        """Also odd ones: what is no UTF-8, very long, or empty."""
        for words in (["connection", "show", b"\xff\xfe"], ["connection", "show", "x" * 100_000],
                      ["connection", "modify", "", "x", ""], ["connection", "add", "type", "\n"]):
            with self.subTest(str(words)[:60]):
                done = [self.lpar.run("env", "LC_ALL=C", program, *words, check=False)
                        for program in (REAL, FRONT)]
                self.assertEqual((done[1].returncode, done[1].stdout, done[1].stderr),
                                 (done[0].returncode, done[0].stdout, done[0].stderr))

    def test_the_network_was_not_touched(self):
        self.assertEqual(self.lpar.service_state("guests11"), "active")


if __name__ == "__main__":
    labcase.main()
