# SPDX-License-Identifier: GPL-2.0-or-later
"""nmcli with kvm-routed: what an administrator types, in an LPAR, through the front."""

import os
import pathlib
import re
import select
import signal
import subprocess
import time

import labcase
import product
from bus import Bus

SYSTEMS = "all"

FRONT = "/usr/sbin/nmcli"
REAL = "/usr/bin/nmcli"
ID = "guests"
ADDRESS = "10.136.11.254"
PEER = "10.136.12.0/24 172.31.56.2"
# As the talk's scenarios need it, in nmcli's words.
TALK = ("connection", "add", "type", "kvm-routed", "con-name", ID, "ifname", "br-ex",
        "ip4", f"{ADDRESS}/24", "uplink", "o5s_10g_1", "hipersockets", "hs56k_0", "peer", PEER,
        "masquerade", "o5s_1g_1")
QUIET = (*TALK, "autoconnect", "no")
KEYS = ("switch", "uplinks", "hipersockets", "masquerade", "peers", "allow", "host-access",
        "conntrack", "tx-queue-length", "reach", "dhcp")


class Front(labcase.LabCase):
    """What the classes below share: the first LPAR and the front in it."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]

    def setUp(self):
        self.addCleanup(self.lpar.reset)  # after what a test cleans up itself

    def front(self, *argv, program=FRONT, **options):
        options.setdefault("check", False)
        return self.lpar.run(program, *argv, **options)

    def good(self, *argv, **options):
        """It worked, and nothing is on standard error; its output."""
        done = self.front(*argv, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def warned(self, *argv):
        """It worked, with warnings; the lines on standard error."""
        done = self.front(*argv)
        self.assertEqual(done.returncode, 0, done)
        return done.stderr.splitlines()

    def bad(self, status, says, *argv, **options):
        """One line of error, with these words; nothing on standard output."""
        done = self.front(*argv, **options)
        self.assertEqual((done.returncode, done.stdout), (status, ""), done)
        self.assertRegex(done.stderr, r"\AError: [^\n]+\n\Z")
        for word in says:
            self.assertIn(word, done.stderr)

    def profiles(self):
        """What NetworkManager has stored, and the files of it."""
        files = self.lpar.sh("find /run/NetworkManager/system-connections "
                             "/etc/NetworkManager/system-connections -type f | sort").stdout
        return self.lpar.nmcli("-f", "NAME,UUID,TYPE", "connection"), files

    def setting(self, name=ID):
        """The setting as nmcli shows it: {key: value}."""
        lines = self.good("-t", "-f", "kvm-routed", "connection", "show", name).splitlines()
        return dict(line.removeprefix("kvm-routed.").split(":", 1) for line in lines)


class Add(Front):
    def test_it_is_found_first(self):
        self.assertEqual(self.lpar.run("which", "nmcli").stdout.strip(), FRONT)
        needed = self.lpar.run("ldd", FRONT).stdout
        self.assertNotRegex(needed, "glib|gio|libnm|dbus")

    def test_the_talks_profile(self):
        output = self.good(*QUIET)
        self.assertRegex(output, rf"\AConnection '{ID}' \([-0-9a-f]{{36}}\) successfully added\.\n")
        self.assertEqual(self.setting(), {
            "switch": "bridge", "uplinks": "o5s_10g_1", "hipersockets": "hs56k_0",
            "masquerade": "o5s_1g_1", "peers": PEER, "allow": "", "host-access": "all",
            "conntrack": "auto", "tx-queue-length": "2500", "reach": "", "dhcp": ""})
        native = self.lpar.nmcli("-g", "connection.type,connection.interface-name,ipv4.addresses,"
                                 "ipv4.method,ipv6.method,802-3-ethernet.mtu,bridge.stp",
                                 "connection", "show", ID).splitlines()
        self.assertEqual(native, ["bridge", "br-ex", f"{ADDRESS}/24", "manual", "disabled",
                                  "57344", "no"])
        mac = self.lpar.nmcli("-g", "bridge.mac-address", "connection", "show", ID)
        self.assertRegex(mac, r"\A[0-9A-F]{2}(\\:[0-9A-F]{2}){5}\n\Z")

    def test_open_vswitch_where_networkmanager_has_none(self):
        """NetworkManager of Debian 12 and 13 is built without; that of sid has a package for it."""
        plugins = self.lpar.sh("ls /usr/lib/*/NetworkManager/*/libnm-device-plugin-ovs.so",
                               check=False)
        before = self.profiles()
        done = self.front(*QUIET, "switch", "openvswitch")
        if plugins.returncode == 0:
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(len(self.profiles()[0].splitlines()), len(before[0].splitlines()) + 3)
            return
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"\AError: kvm-routed.switch: [^\n]+\n\Z")
        for word in ("NetworkManager-ovs", "network-manager-ovs", "“bridge”"):
            self.assertIn(word, done.stderr)
        self.assertEqual(self.profiles(), before)
        self.assertIn("switch=openvswitch",
                      self.good("--offline", *QUIET, "switch", "openvswitch"))

    def test_order_and_abbreviations_do_not_matter(self):
        self.good("c", "a", "uplink", "o5s_10g_1", "peer", PEER, "hipersockets", "hs56k_0",
                  "masquerade", "o5s_1g_1", "autoconnect", "no", "con-name", ID, "--",
                  "ipv4.addresses", f"{ADDRESS}/24", "type", "kvm-r", "ifname", "br-ex")
        self.assertEqual(self.setting()["peers"], PEER)

    def test_setting_as_properties(self):
        self.good("connection", "add", "type", "kvm-routed", "con-name", ID, "ifname", "br-ex",
                  "ip4", f"{ADDRESS}/24", "autoconnect", "no", "kvm-routed.uplinks", "o5s_10g_1",
                  "kvm-routed.host-access", "basic", "+kvm-routed.allow", "rp-filter",
                  "bridge.stp", "yes")
        setting = self.setting()
        self.assertEqual((setting["uplinks"], setting["host-access"], setting["allow"]),
                         ("o5s_10g_1", "basic", "rp-filter"))
        self.assertEqual(self.lpar.nmcli("-g", "bridge.stp", "connection", "show", ID), "yes\n")

    def test_many_peers(self):
        """More than one value of NetworkManager's holds."""
        peers = [f"10.{100 + i // 250}.{i % 250}.0/24 172.31.56.2" for i in range(600)]
        self.good(*QUIET[:-2], "autoconnect", "no", "kvm-routed.peers", ", ".join(peers))
        self.assertEqual(self.setting()["peers"], ", ".join(peers))

    def test_default_name(self):
        unnamed = ("connection", "add", "type", "kvm-routed", "ifname", "br-ex", "ip4",
                   f"{ADDRESS}/24", "autoconnect", "no")
        self.assertIn("'kvm-routed-br-ex'", self.front(*unnamed).stdout)
        self.assertIn("'kvm-routed-br-ex-1'", self.front(*unnamed).stdout)

    def test_same_name_is_said(self):
        self.good(*QUIET)
        lines = self.warned(*QUIET)
        self.assertRegex(lines[0], rf"\AWarning: .* the name '{ID}'.* uuid '[-0-9a-f]+'\Z")
        self.assertRegex(lines[1], rf"\AWarning: '{ID}' \([-0-9a-f]+\) has the interface br-ex")
        self.assertEqual(len(lines), 2)

    def test_findings_are_said(self):
        """What is wrong with it on this host, before anybody brings it up."""
        lines = self.warned(*QUIET, "uplink", "o5s_10g_9", "uplink", "hs57_0")
        self.assertRegex(lines[0], r"\AError: layer3-uplink: .*hs57_0.*; .*kvm-routed.hipersockets")
        self.assertRegex(lines[1], r"\AWarning: link-missing: .*o5s_10g_9.*; ")
        self.assertEqual(len(lines), 2)

    def test_in_memory(self):
        _, before = self.profiles()
        self.good(*QUIET, "save", "no")
        _, after = self.profiles()
        added = set(after.splitlines()) - set(before.splitlines())
        self.assertEqual([os.path.dirname(file) for file in added],
                         ["/run/NetworkManager/system-connections"])
        self.assertEqual(self.setting()["uplinks"], "o5s_10g_1")

    def test_autoconnect_routes(self):
        """Added, it comes up by itself, as every profile of NetworkManager."""
        self.good(*TALK)
        self.lpar.wait_state(ID, "active")

    def test_under_the_other_name(self):
        self.good(*QUIET, program="/usr/bin/kvm-routedctl")
        self.assertEqual(self.good("-g", "kvm-routed.peers", "connection", "show", ID,
                                   program="/usr/bin/kvm-routedctl"), PEER + "\n")
        self.good("connection", "modify", ID, "kvm-routed.peers", "",
                  program="/usr/bin/kvm-routedctl")
        self.assertEqual(self.setting()["peers"], "")
        self.good("connection", "up", ID, program="/usr/bin/kvm-routedctl")
        self.assertEqual(self.lpar.service_state(ID), "active")


class AllOrNothing(Front):
    NATIVE = ("[connection]\nid={name}\nuuid={uuid}\ntype=bridge\ninterface-name={name}\n"
              "autoconnect=false\n[ipv4]\nmethod=disabled\n[ipv6]\nmethod=disabled\n")

    def test_second_profile_refused(self):
        """Two profiles with one UUID: NetworkManager refuses the second."""
        root = product.installed()
        program = pathlib.Path(str(root).removesuffix("-root")) / "tests/unit/add-profiles"
        uuid = "5d7a1e40-0000-4000-8000-00000000aaaa"
        for name in ("first", "second"):
            self.lpar.write_file(f"/run/{name}", self.NATIVE.format(name=name, uuid=uuid), "600")
        before = self.profiles()
        done = self.lpar.run(str(program), "/run/first", "/run/second", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("'second' cannot be added: ", done.stderr)
        self.assertEqual(self.profiles(), before)

        # The first alone is not what is refused.
        self.lpar.run(str(program), "/run/first")
        self.assertNotEqual(self.profiles(), before)

    def test_networkmanager_is_stopped(self):
        before = self.profiles()
        self.lpar.stop_nm()
        self.addCleanup(self.lpar.connected)
        self.addCleanup(self.lpar.start_nm)
        real = self.front("connection", "add", "type", "bridge", "ifname", "br-ex", program=REAL)
        for argv in (QUIET, ("connection", "show", ID), ("connection", "up", ID),
                     ("connection", "modify", ID, "kvm-routed.peers", PEER)):
            with self.subTest(argv[1]):
                self.bad(real.returncode, ["NetworkManager is not running."], *argv)
        files = self.lpar.sh("find /etc/NetworkManager/system-connections -type f | sort").stdout
        self.assertEqual([line for line in before[1].splitlines() if "/etc/" in line],
                         files.splitlines())

    def test_full_disk(self):
        """NetworkManager cannot store it; what it says is what the user sees."""
        self.lpar.sh("mount -t tmpfs -o size=4k,nr_inodes=1 tmpfs "
                     "/etc/NetworkManager/system-connections")
        self.addCleanup(self.lpar.sh, "umount /etc/NetworkManager/system-connections")
        before = self.profiles()
        self.bad(1, ["system-connections"], *QUIET)
        self.assertEqual(self.profiles(), before)


class Up(Front):
    def test_first_ping(self):
        """Right after `up`, with guests attached before and after, and with none: no second ping
        is needed."""
        guest, server = self.cec["lpar11/guest1"], self.cec["lanserver"]
        self.good(*QUIET)
        self.assertIn("The guests of 'guests' are routed.", self.good("connection", "up", ID))
        self.assertTrue(server.ping(ADDRESS, count=1), "the bridge has no port yet")
        self.lpar.attach_guests()
        # NetworkManager 1.54 and later switch forwarding off when a port comes; it is put back.
        pings = 2 if self.lpar.nm_writes_forwarding() else 1
        self.assertTrue(guest.ping("10.10.10.10", count=pings).received)
        self.assertEqual(self.lpar.service_state(ID), "active")

    def test_it_waits_itself(self):
        """Without a dispatcher program, and without a service that runs, nobody else waits."""
        self.good(*QUIET)
        self.lpar.signal_service()
        directory = "/usr/lib/NetworkManager/dispatcher.d"
        self.lpar.sh(f"mount -t tmpfs tmpfs {directory}")
        self.addCleanup(self.lpar.sh, f"umount {directory}")
        warning, = self.warned("connection", "up", ID)
        self.assertIn("dispatcher-disabled", warning)
        self.assertIn("kvm_routed", self.lpar.run("nft", "list", "tables").stdout)
        self.assertEqual(self.lpar.service_state(ID), "active")

    def test_ports_are_said_to_be_lost(self):
        self.good(*QUIET)
        self.good("connection", "up", ID)
        self.lpar.attach_guests()
        done = self.front("connection", "up", ID)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"\AWarning: 'guests' was up before, .* \(vnet1, .*reapply br-ex'.*\n\Z")
        ports = self.lpar.ip("link", "show", "master", "br-ex")
        self.assertEqual(ports, [], "what the warning says is so")
        self.good("connection", "up", ID)

    def test_degraded(self):
        self.warned(*QUIET, "uplink", "o5s_10g_9")
        done = self.front("connection", "up", ID)
        self.assertEqual(done.returncode, 0)
        self.assertIn("successfully activated", done.stdout)
        lines = done.stderr.splitlines()
        self.assertRegex(lines[0], r"\AWarning: 'guests' routes in part only: .*o5s_10g_9")
        self.assertRegex(lines[1], r"\AHint: link-missing: \S")
        self.assertEqual(len(lines), 2)
        self.assertNotIn("are routed", done.stdout)

    def test_failed(self):
        """Another editor broke it: nmcli calls it activated, and its guests are not routed."""
        self.good(*QUIET)
        path = self.lpar.sh("grep -l br-ex /etc/NetworkManager/system-connections/*").stdout.strip()
        self.lpar.sh(f"sed -i 's|^kvm-routed.peers=.*|kvm-routed.peers=rubbish|' {path}")
        self.lpar.nmcli("connection", "load", path)
        done = self.front("connection", "up", ID)
        self.assertEqual(done.returncode, 4)
        self.assertRegex(done.stderr, r"\AError: 'guests' is up in NetworkManager, but its guests "
                         r"are not routed: kvm-routed.peers: “rubbish”.*\n\Z")

    def test_finding_that_forbids_it(self):
        """An uplink without ARP: nothing is routed, and the cure is said."""
        self.warned(*QUIET, "uplink", "hs57_0")
        done = self.front("connection", "up", ID)
        self.assertEqual(done.returncode, 4)
        lines = done.stderr.splitlines()
        self.assertRegex(lines[0], r"\AError: 'guests' is up in NetworkManager, but .*hs57_0")
        self.assertRegex(lines[1], r"\AHint: layer3-uplink: .*kvm-routed.hipersockets")

    def test_finding_that_warns(self):
        """The talk's dead LAN, which our filter prevents, but which is no good host."""
        self.lpar.ip_batch(["address add 10.131.11.77/8 dev o5s_1g_1"])
        self.addCleanup(self.lpar.ip_batch, ["address del 10.131.11.77/8 dev o5s_1g_1"])
        self.warned(*QUIET)
        done = self.front("connection", "up", ID)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"\AWarning: shared-subnet: .*o5s_1g_1.*; [^\n]*\n\Z")

    def test_does_not_wait_longer_than_it_may(self):
        self.good(*QUIET)
        self.lpar.networks()  # it runs
        self.lpar.run("kill", "-STOP", str(self.lpar.service_pid()))
        begin = time.monotonic()
        try:
            done = self.front("-w", "3", "connection", "up", ID)
        finally:
            self.lpar.run("kill", "-CONT", str(self.lpar.service_pid()))
        self.assertEqual(done.returncode, 3)
        self.assertRegex(done.stderr, r"\AError: Timeout expired \(3 seconds\): [^\n]+\n\Z")
        self.assertLess(time.monotonic() - begin, 20)

    def test_no_wait(self):
        self.good(*QUIET)
        self.lpar.networks()
        self.lpar.run("kill", "-STOP", str(self.lpar.service_pid()))
        try:
            done = self.front("-w", "0", "connection", "up", ID)
        finally:
            self.lpar.run("kill", "-CONT", str(self.lpar.service_pid()))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_unknown_and_foreign(self):
        for argv in (("connection", "up", "nonesuch"), ("connection", "up", "uuid", "5d7a"),
                     ("connection", "up", "id"), ("connection", "up")):
            with self.subTest(argv):
                done, real = self.front(*argv), self.front(*argv, program=REAL)
                self.assertEqual((done.returncode, done.stdout, done.stderr),
                                 (real.returncode, real.stdout, real.stderr))


class Show(Front):
    def setUp(self):
        super().setUp()
        self.good(*QUIET)

    def both(self, *argv):
        """The output of the front and of the real nmcli."""
        return self.good(*argv), self.lpar.nmcli(*argv)

    def test_all_of_nmcli_is_there(self):
        for mode in ((), ("-t",), ("-p",), ("-m", "tabular"), ("-t", "-m", "tabular"),
                     ("-t", "-e", "no"), ("-f", "all"), ("-f", "profile")):
            with self.subTest(mode):
                front, real = self.both(*mode, "connection", "show", ID)
                others = [line for line in front.splitlines() if "kvm-routed" not in line]
                for line in real.splitlines():
                    self.assertIn(line, others)
                self.assertIn("10.136.12.0/24 172.31.56.2", front)

    def test_between_profile_and_activation(self):
        self.good("connection", "up", ID)
        lines = self.good("connection", "show", ID).splitlines()
        names = [line.split(":")[0] for line in lines]
        first = names.index("kvm-routed.switch")
        self.assertEqual(names[first:first + len(KEYS)], [f"kvm-routed.{key}" for key in KEYS])
        self.assertEqual(names[first - 1].split(".")[0], "proxy")
        self.assertEqual(names[first + len(KEYS)], "GENERAL.NAME")

    def test_profile_among_fields(self):
        front, real = self.both("-f", "profile,active", "connection", "show", ID)
        self.assertIn(PEER, front)
        self.assertNotIn(PEER, "".join(re.findall("^kvm-routed.*", real, re.MULTILINE)))

    def test_active_only(self):
        self.assertEqual(self.good("connection", "show", "--active", ID), "")
        self.good("connection", "up", ID)
        self.assertIn("kvm-routed.peers:", self.good("connection", "show", "--active", ID))

    def test_width_and_empty_values(self):
        lines = self.good("-f", "kvm-routed.peers,kvm-routed.allow,connection.id", "connection",
                          "show", ID).splitlines()
        self.assertEqual(lines, ["kvm-routed.peers:                       " + PEER,
                                 "kvm-routed.allow:                       --",
                                 "connection.id:                          " + ID])

    def test_values_only(self):
        self.assertEqual(self.good("-g", "kvm-routed.uplinks,connection.id,KVM-ROUTED.Peers",
                                   "connection", "show", ID), f"o5s_10g_1\n{ID}\n{PEER}\n")
        self.assertEqual(self.good("-g", "kvm-routed", "c", "s", ID),
                         f"kvm-routed:bridge:o5s_10g_1:hs56k_0:o5s_1g_1:{PEER}::all:auto:2500::\n")

    def test_table(self):
        table = self.good("-m", "tabular", "-f", "kvm-routed.uplinks,connection.id", "c", "s", ID)
        self.assertEqual(table, "uplinks   \no5s_10g_1 \n\nid     \nguests \n")

    def test_pretty_like_nmcli(self):
        ours = self.good("-p", "-f", "kvm-routed.switch", "c", "s", ID).splitlines()
        theirs = self.lpar.nmcli("-p", "-f", "bridge.stp", "c", "s", ID).splitlines()
        self.assertEqual(ours[:3] + ours[4:], theirs[:3] + theirs[4:])

    def test_several(self):
        output = self.good("-f", "connection.id,kvm-routed.switch", "-t", "c", "s", "o5s_10g_1", ID)
        self.assertEqual(output, "connection.id:o5s_10g_1\n\nconnection.id:guests\n"
                         "kvm-routed.switch:bridge\n")

    def test_by_uuid_and_path(self):
        uuid = self.lpar.nmcli("-g", "connection.uuid", "c", "s", ID).strip()
        listed = self.lpar.nmcli("-t", "-f", "NAME,DBUS-PATH", "c")
        path = re.search(rf"^{ID}:(.*)$", listed, re.MULTILINE).group(1)
        for words in ((uuid,), ("uuid", uuid[:8]), ("id", ID), ("path", path),
                      ("path", path.rsplit("/", 1)[1])):
            with self.subTest(words):
                self.assertEqual(self.good("-g", "kvm-routed.switch", "c", "s", *words), "bridge\n")

    def test_wrong_fields(self):
        self.bad(2, ["kvm-routed.foo", "kvm-routed.peers"], "-f", "kvm-routed.foo", "c", "s", ID)
        done = self.front("-f", "kvm-routed.peers,foo", "c", "s", ID)
        self.assertEqual(done.returncode, 2)
        self.assertIn("invalid field 'foo'", done.stderr)

    def test_a_profile_without_it(self):
        self.assertEqual(self.good("-f", "kvm-routed", "c", "s", "o5s_10g_1"), "")
        self.bad(10, ["nonesuch"], "-f", "kvm-routed", "c", "s", "nonesuch")

    def test_list_of_profiles(self):
        """There is no column of ours; nmcli says which there are."""
        done, real = (self.front("-f", "kvm-routed", "c", program=name) for name in (FRONT, REAL))
        self.assertEqual((done.returncode, done.stderr), (real.returncode, real.stderr))

    def test_terminal(self):
        """On a terminal as elsewhere, and no pager that waits for a key."""
        done = self.lpar.sh("script -qec 'nmcli -f profile c s guests' /dev/null </dev/null",
                            timeout=20)
        self.assertIn("kvm-routed.peers:", done.stdout)

    def test_a_broken_one(self):
        path = self.lpar.sh("grep -l br-ex /etc/NetworkManager/system-connections/*").stdout.strip()
        self.lpar.sh(f"sed -i 's|^kvm-routed.peers=.*|kvm-routed.peers=rubbish|' {path}")
        self.lpar.nmcli("connection", "load", path)
        done = self.front("connection", "show", ID)
        self.assertEqual(done.returncode, 2)
        self.assertIn("ipv4.addresses", done.stdout)
        self.assertRegex(done.stderr, r"\AError: kvm-routed.peers: “rubbish”.*\n\Z")
        self.good("connection", "modify", ID, "kvm-routed.peers", PEER)
        self.assertEqual(self.setting()["peers"], PEER)


class Modify(Front):
    def setUp(self):
        super().setUp()
        self.good(*QUIET)

    def test_lists(self):
        other = "10.136.13.0/24 172.31.56.3"
        for argv, value in (
                (("+kvm-routed.peers", other), f"{PEER}, {other}"),
                (("-kvm-routed.peers", "10.136.12.0/24"), other),
                (("kvm-routed.peers", PEER), PEER),
                (("peer", other), f"{PEER}, {other}"),
                (("-kvm-routed.peers", "0"), other),
                (("kvm-routed.peers", ""), "")):
            with self.subTest(argv):
                self.assertEqual(self.good("connection", "modify", ID, *argv), "")
                self.assertEqual(self.setting()["peers"], value)

    def test_native_and_ours_together(self):
        self.good("connection", "modify", ID, "ipv4.addresses", "10.136.11.253/24",
                  "kvm-routed.conntrack", "no", "connection.id", "renamed")
        self.assertEqual(self.setting("renamed")["conntrack"], "no")
        self.assertEqual(self.lpar.nmcli("-g", "ipv4.addresses", "c", "s", "renamed"),
                         "10.136.11.253/24\n")
        self.assertEqual(self.setting("renamed")["peers"], PEER)

    def test_only_native(self):
        before = self.setting()
        self.good("connection", "modify", ID, "connection.autoconnect-priority", "7")
        self.assertEqual(self.setting(), before)
        self.assertEqual(self.lpar.nmcli("-g", "connection.autoconnect-priority", "c", "s", ID),
                         "7\n")

    def test_temporary(self):
        self.good("connection", "modify", "--temporary", ID, "kvm-routed.peers", "")
        self.assertEqual(self.setting()["peers"], "")
        self.lpar.nmcli("connection", "reload")
        stored = self.lpar.sh("cat /etc/NetworkManager/system-connections/*guests*").stdout
        self.assertIn(PEER, stored)

    def test_remove(self):
        self.good("connection", "modify", ID, "remove", "kvm-routed")
        self.assertEqual(self.good("-f", "kvm-routed", "c", "s", ID), "")
        self.good("connection", "modify", ID, "kvm-routed.switch", "bridge")
        self.assertEqual(self.setting()["switch"], "bridge")

    def test_remove_from_a_running_network(self):
        """On purpose: nobody takes it for a setting that an editor dropped."""
        self.good("connection", "up", ID)
        self.good("connection", "modify", ID, "remove", "kvm-routed")
        network = self.lpar.network(ID)
        self.assertEqual((network["state"], network["findings"]), ("active", []))
        self.good("device", "reapply", "br-ex")
        self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "it is no network any more")
        self.assertEqual(self.lpar.run("nft", "list", "tables").stdout, "")

    def test_refused(self):
        before = self.setting(), self.profiles()
        for status, says, argv in (
                (2, ["kvm-routed.peers", "“rubbish”"], ["kvm-routed.peers", "rubbish"]),
                (2, ["ipv4.method", "“auto”"], ["ipv4.method", "auto"]),
                (2, ["“uplnks”", "“uplinks”"], ["kvm-routed.uplnks", "x"]),
                (2, ["kvm-routed.peers", "missing"], ["kvm-routed.peers"]),
                (2, ["ambiguous"], ["kvm-routed.h", "x"]),
                (2, ["br-ex"], ["uplink", "br-ex"]),
                (2, ["kvm-routed.switch"], ["-kvm-routed.switch", "bridge"]),
                (2, ["foo"], ["ipv4.foo", "x"]),
                (2, ["nonsense"], ["nonsense", "x"])):
            with self.subTest(argv):
                self.bad(status, says, "connection", "modify", ID, *argv)
        self.bad(2, ["o5s_10g_1", "bridge"], "connection", "modify", "o5s_10g_1",
                 "kvm-routed.peers", PEER)
        self.bad(10, ["nonesuch"], "connection", "modify", "nonesuch", "kvm-routed.peers", PEER)
        self.assertEqual((self.setting(), self.profiles()), before)

    def test_wrong_order_changes_nothing(self):
        """Behind the name an option of nmcli's is a property."""
        before = self.setting(), self.profiles()
        for argv in (["--temporary", "connection.autoconnect-priority", "7"], ["help", "x"]):
            self.bad(2, ["invalid <setting>.<property>"], "connection", "modify", ID, *argv)
        self.assertEqual((self.setting(), self.profiles()), before)

    def test_beginning_of_two_uuids(self):
        """As in nmcli it is none: not the first that fits."""
        uuids = [f"5d7a1e40-0000-4000-8000-00000000000{i}" for i in (1, 2)]
        for uuid in uuids:
            self.warned(*QUIET, "connection.uuid", uuid, "connection.id", uuid[-1])
        self.bad(10, ["5d7a1e4"], "connection", "modify", "uuid", "5d7a1e4", "peer", "")
        self.good("connection", "modify", "uuid", uuids[1], "kvm-routed.peers", "")
        self.assertEqual([self.setting(uuid)["peers"] for uuid in uuids], [PEER, ""])

    def test_takes_effect_by_reapply(self):
        self.good("connection", "up", ID)
        self.lpar.attach_guests()
        other = "10.136.99.0/24 172.31.56.2"
        self.good("connection", "modify", ID, "peer", other)
        self.assertNotIn("10.136.99.0/24", self.lpar.run("ip", "route").stdout)
        self.good("device", "reapply", "br-ex")
        self.lpar.wait_for(lambda: "10.136.99.0/24" in self.lpar.run("ip", "route").stdout, 10,
                           "the new route")


class Offline(Front):
    def test_add_prints_a_file(self):
        before = self.profiles()
        text = self.good("--offline", *TALK)
        self.assertEqual(self.profiles(), before)
        for line in ("type=kvm-routed", "[kvm-routed]", "uplinks=o5s_10g_1", f"peers={PEER}",
                     f"address1={ADDRESS}/24"):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("method=auto", text)
        native = self.lpar.run("kvm-routedctl", "expand", "-", input=text).stdout
        self.assertIn("type=bridge", native)

    def test_modify_a_file(self):
        text = self.good("--offline", *TALK)
        changed = self.good("--offline", "connection", "modify", "kvm-routed.peers", "",
                            "connection.autoconnect", "no", input=text)
        self.assertIn("type=kvm-routed", changed)
        self.assertIn("autoconnect=false", changed)
        self.assertNotIn("peers=", changed)
        native = self.lpar.run("kvm-routedctl", "expand", "-", input=text).stdout
        self.assertIn(f"kvm-routed.peers={PEER}", native)
        changed = self.good("--offline", "connection", "modify", "-peer", "10.136.12.0/24",
                            input=native)
        self.assertNotIn("kvm-routed.peers", changed)
        self.assertIn("kvm-routed.uplinks=o5s_10g_1", changed)

    def test_bad(self):
        self.bad(2, ["kvm-routed.peers"], "--offline", *TALK, "kvm-routed.peers", "rubbish")
        self.bad(2, ["kvm-routed.peers"], "--offline", "connection", "modify", "kvm-routed.peers",
                 "rubbish", input=self.good("--offline", *TALK))


class Ask(Front):
    """Questions on a terminal, as nmcli --ask has them."""

    def dialogue(self, argv, answers):
        """Run on a terminal of its own; each answer is typed when its question is there."""
        master, slave = os.openpty()
        process = self.lpar.popen(FRONT, *argv, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        self.addCleanup(os.close, master)
        seen = ""
        for question, answer in answers:
            seen = self.read_until(master, question, seen)
            os.write(master, answer.encode() + b"\n")
            seen = ""
        return process.wait(20), self.read_rest(master)

    def read_until(self, master, question, seen):
        deadline = time.monotonic() + 20
        while question not in seen:
            ready, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
            self.assertTrue(ready, f"no question {question!r} in {seen!r}")
            seen += os.read(master, 4096).decode()
        return seen

    @staticmethod
    def read_rest(master):
        rest = b""
        while select.select([master], [], [], 0.2)[0]:
            try:
                chunk = os.read(master, 4096)
            except OSError:
                break
            if not chunk:
                break
            rest += chunk
        return rest.decode()

    def test_all(self):
        status, rest = self.dialogue(
            ("--ask", "connection", "add", "type", "kvm-routed", "con-name", ID, "autoconnect",
             "no"),
            [("Interface", "br-ex"), ("IPv4 address", ""), ("IPv4 address", "bad"), ("IPv4 address", f"{ADDRESS}/24"),
             ("provide them?", "yes"), ("Uplinks", "bad,,name"), ("Uplinks", "o5s_10g_1"),
             ("HiperSockets", "hs56k_0"), ("Peers", PEER), ("foreign", "")])
        self.assertEqual(status, 0, rest)
        setting = self.setting()
        self.assertEqual((setting["uplinks"], setting["peers"], setting["masquerade"]),
                         ("o5s_10g_1", PEER, ""))

    def test_what_is_given_is_not_asked(self):
        status, rest = self.dialogue(
            ("-a", *QUIET[:QUIET.index("hipersockets")], "autoconnect", "no"),
            [("There are 3 optional settings", "no")])
        self.assertEqual(status, 0, rest)
        self.assertEqual(self.setting()["uplinks"], "o5s_10g_1")

    def test_end_of_input(self):
        before = self.profiles()
        done = self.front("--ask", "connection", "add", "type", "kvm-routed", input="br-ex\n")
        self.assertEqual(done.returncode, 2)
        self.assertIn("nothing was added", done.stderr)
        self.assertEqual(self.profiles(), before)


class Completion(Front):
    def complete(self, *words):
        return self.good("--complete-args", *words).splitlines()

    def test_type(self):
        real = self.lpar.nmcli("--complete-args", "c", "add", "type", "").splitlines()
        self.assertEqual(self.complete("c", "add", "type", ""), [*real, "kvm-routed"])
        self.assertEqual(self.complete("connection", "add", "type", "kv"), ["kvm-routed"])
        self.assertNotIn("kvm-routed", self.complete("c", "add", "type", "b"))

    def test_properties(self):
        words = self.complete("c", "a", "type", "kvm-routed", "")
        for word in ("uplink", "peer", "kvm-routed.peers", "ifname", "con-name", "bridge.stp",
                     "ipv4.addresses"):
            self.assertIn(word, words)
        self.assertEqual(self.complete("c", "a", "type", "kvm-routed", "uplink", "x", "hip"),
                         ["hipersockets"])
        self.assertEqual(self.complete("c", "a", "type", "kvm-routed", "ipv4.meth"),
                         ["ipv4.method"])
        self.assertNotIn("uplink", self.complete("c", "a", "type", "bridge", ""))

    def test_values(self):
        self.assertEqual(self.complete("c", "a", "type", "kvm-routed", "uplink", "hs"),
                         ["hs56k_0", "hs57_0"])
        self.assertEqual(self.complete("c", "a", "type", "kvm-routed", "uplink", "o5s_10g_1,hs5"),
                         ["o5s_10g_1,hs56k_0", "o5s_10g_1,hs57_0"])
        self.assertEqual(self.complete("c", "a", "type", "kvm-routed", "kvm-routed.conntrack", ""),
                         ["auto", "yes", "no"])

    def test_modify(self):
        self.good(*QUIET)
        self.assertEqual(self.complete("c", "m", ID, "kvm-routed.p"), ["kvm-routed.peers"])
        self.assertIn("+kvm-routed.peers", self.complete("c", "m", ID, "+kvm"))
        self.assertNotIn("+kvm-routed.switch", self.complete("c", "m", ID, "+kvm"))
        self.assertIn("kvm-routed", self.complete("c", "m", ID, "remove", ""))
        self.assertEqual(self.complete("c", "m", "o5s_10g_1", "kvm-r"), [])

    def test_in_bash(self):
        """By nmcli's own completion, which asks whatever nmcli is found."""
        script = """
            source /usr/share/bash-completion/bash_completion
            source /usr/share/bash-completion/completions/nmcli
            COMP_WORDS=(nmcli connection add type kvm); COMP_CWORD=4
            COMP_LINE="nmcli connection add type kvm"; COMP_POINT=${#COMP_LINE}
            _nmcli; printf '%s\\n' "${COMPREPLY[@]}"
        """
        done = self.lpar.run("bash", "-c", script)
        self.assertEqual(done.stdout.split(), ["kvm-routed"], done)


class Help(Front):
    def test_add(self):
        done = self.front("connection", "add", "help")
        real = self.front("connection", "add", "help", program=REAL)
        self.assertEqual(done.returncode, 0)
        text = done.stdout + done.stderr
        for line in (real.stdout + real.stderr).splitlines():
            self.assertIn(line, text.splitlines())
        ours = text.index("kvm-routed:")
        self.assertLess(text.index("TYPE_SPECIFIC_OPTIONS:"), ours)
        following = re.search(r"(SLAVE|PORT)_OPTIONS:", text).start()
        self.assertLess(ours, following)
        for word in ("uplink", "peer", *KEYS):
            self.assertIn(word, text[ours:following])

    def test_modify(self):
        done = self.front("c", "m", "--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("+kvm-routed.peers", done.stdout + done.stderr)


class Missing(Front):
    def test_real_nmcli(self):
        """Hidden by an empty file that cannot be run; then by the front itself."""
        self.lpar.sh("touch /run/nothing; mount --bind /run/nothing /usr/bin/nmcli")
        self.addCleanup(self.lpar.sh, "umount /usr/bin/nmcli")
        self.bad(1, ["/usr/bin/nmcli", "network-manager"], "device")
        self.bad(1, ["/usr/bin/nmcli", "network-manager"], *QUIET)

    def test_it_never_runs_itself(self):
        self.lpar.sh("mount --bind /usr/sbin/nmcli /usr/bin/nmcli")
        self.addCleanup(self.lpar.sh, "umount /usr/bin/nmcli")
        for argv in (["device"], QUIET, ["connection", "add", "help"]):
            self.bad(1, ["/usr/bin/nmcli"], *argv, timeout=10)

    def test_helper(self):
        self.lpar.sh("touch /run/nothing; mount --bind /run/nothing /usr/libexec/kvm-routed-nmcli")
        self.addCleanup(self.lpar.sh, "umount /usr/libexec/kvm-routed-nmcli")
        self.bad(1, ["/usr/libexec/kvm-routed-nmcli"], *QUIET)
        self.good("-t", "-f", "DEVICE", "device")

    def test_interrupted(self):
        """^C in `up` ends it, by nmcli's status or by the signal, and no child stays."""
        self.good(*QUIET)
        self.lpar.networks()
        self.lpar.run("kill", "-STOP", str(self.lpar.service_pid()))
        try:
            process = self.lpar.popen(FRONT, "connection", "up", ID, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.lpar.wait_for(lambda: self.lpar.link("br-ex"), 20, "br-ex is there")
            # As a terminal does it: the front and the real nmcli, if that runs, get it.
            self.lpar.run("pkill", "-INT", "-f", "nmcli connection up")
            self.assertIn(process.wait(20), (1, -signal.SIGINT, 128 + signal.SIGINT))
        finally:
            self.lpar.run("kill", "-CONT", str(self.lpar.service_pid()))
        self.lpar.wait_for(lambda: self.lpar.run("pgrep", "nmcli", check=False).returncode, 10,
                           "no nmcli is left")


class Unprivileged(Front):
    """What a user may, the front does; what not, NetworkManager refuses."""

    def test_show(self):
        self.good(*QUIET)
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", FRONT)
        done = self.lpar.run(*nobody, "-g", "kvm-routed.peers", "c", "s", ID, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, PEER + "\n"), done.stderr)
        done = self.lpar.run(*nobody, "-g", "connection.id", "c", "s", "o5s_10g_1", check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "o5s_10g_1\n"), done.stderr)

    def test_bus_is_not_needed_offline(self):
        text = self.lpar.run("env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent", FRONT,
                             "--offline", *TALK).stdout
        self.assertIn("type=kvm-routed", text)


class BusAccess(Front):
    def test_no_bus(self):
        done = self.lpar.run("env", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent", FRONT, *QUIET,
                             check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\AError: The system bus cannot be reached: .*dbus'\n\Z")

    def test_the_service_sees_the_profile(self):
        self.good(*QUIET)
        bus = Bus(self.lpar)
        self.addCleanup(bus.close)
        self.assertEqual(bus.call("Check", "(s)", ID), [])


if __name__ == "__main__":
    labcase.main()
