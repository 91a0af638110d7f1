# SPDX-License-Identifier: GPL-2.0-or-later
"""A host without NetworkManager: networks come from files, by name, by D-Bus and by wicked's hook."""

import json
import re
import signal

import labcase
import test_reachability
import wicked
from lpar import BUS_NAME

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
FILE = f"{wicked.FILES}/{NAME}.nmconnection"
OBJECT = "/org/freedesktop/NetworkManager/KvmRouted"
LAN_SERVER = "10.10.10.10"


class WickedCase(labcase.LabCase):
    """LPAR 11 with a file, and nothing up."""

    without_nm = ("lpar11",)

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]
        self.addCleanup(self.lpar.reset)
        self.lpar.load_profile(self.text(), NAME)

    def text(self):
        return self.lpar.profile(NAME)

    def write(self, *changes):
        """Write the file with some of its lines changed: pairs of what is, and what shall be."""
        text = self.text()
        for before, after in changes:
            self.assertIn(before, text)
            text = text.replace(before, after)
        self.lpar.load_profile(text, NAME)

    def ctl(self, *words, check=True):
        return self.lpar.run("kvm-routedctl", *words, check=check)

    def up(self):
        done = self.ctl("up", NAME)
        self.lpar.attach_guests()
        return done

    def assert_fails(self, part, *words, status=1):
        done = self.ctl(*words, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, part)
        self.assertRegex(done.stderr, r"\AError: [^\n]*\n\Z")

    def addresses(self, interface="br-ex"):
        return [f"{one['local']}/{one['prefixlen']}"
                for link in self.lpar.ip("-4", "address", "show", "dev", interface)
                for one in link.get("addr_info", [])]

    def assert_guest_reaches_lan(self):
        self.assert_reaches(self.guest, LAN_SERVER, server="lanserver")


class Scenarios(test_reachability.Scenarios):
    """All four scenarios, in both directions, and what is refused: the other LPAR has
    NetworkManager."""

    without_nm = ("lpar11",)


class LargePackets(test_reachability.LargePackets):
    without_nm = ("lpar11",)


class Absence(WickedCase):
    """That the LPAR is one without NetworkManager."""

    def test_there_is_nothing_of_it(self):
        for path in "/usr/sbin/NetworkManager", "/usr/bin/nmcli", "/usr/lib/*/libnm.so.0":
            self.assertNotEqual(self.lpar.sh(f"ls {path}", check=False).returncode, 0, path)
        names = self.lpar.run("gdbus", "call", "--system", "--dest", "org.freedesktop.DBus",
                              "--object-path", "/org/freedesktop/DBus", "--method",
                              "org.freedesktop.DBus.ListNames").stdout
        self.assertNotIn("org.freedesktop.NetworkManager'", names)

    def test_service_runs_without_its_library(self):
        self.up()
        maps = self.lpar.run("cat", f"/proc/{self.lpar.service_pid()}/maps").stdout
        self.assertIn("libnftables", maps)
        self.assertNotIn("libnm.so", maps)

    def test_report(self):
        self.up()
        done = self.ctl("report", "--text")
        self.assertIn(f"{wicked.FILES}/{NAME}.nmconnection", done.stdout)
        self.assertIn("/run/nm-kvm-routed/files", done.stdout)
        self.assertIn("table arp kvm_routed {", done.stdout)
        self.assertIn("NetworkManager's profiles", done.stdout)

    def test_what_needs_networkmanager_says_so(self):
        self.assert_fails("a profile is tried by NetworkManager, which is not on this host",
                          "try", FILE)


class UpAndDown(WickedCase):
    """`kvm-routedctl up` and `down`: the service makes the bridge."""

    def test_up_and_down_leave_nothing(self):
        before = self.lpar.settled_fingerprint()
        done = self.up()
        self.assertEqual(done.stdout, f"The guests of '{NAME}' are routed.\n")
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.assert_guest_reaches_lan()
        done = self.ctl("down", NAME)
        self.assertEqual(done.stdout, f"'{NAME}' is down.\n")
        self.assertFalse(self.lpar.link("br-ex"))
        self.assertEqual(self.lpar.networks(), [])
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_the_bridge_is_as_networkmanager_makes_it(self):
        self.up()
        link, = self.lpar.ip("-d", "link", "show", "dev", "br-ex")
        native = self.lpar.expand(self.text())
        mac = re.search(r"^mac-address=(.*)$", native, re.M).group(1)
        self.assertEqual((link["mtu"], link["address"].lower(), link["txqlen"]),
                         (57344, mac.lower(), 2500))
        self.assertEqual(link["linkinfo"]["info_data"]["stp_state"], 0)
        self.assertEqual(self.addresses(), ["10.136.11.254/24", "10.137.11.254/24"])
        self.assertEqual(self.lpar.sysctl("net/ipv6/conf/br-ex/disable_ipv6"), "1")

    def test_names(self):
        for name in NAME, UUID, "br-ex":
            with self.subTest(name):
                self.ctl("up", name)
                self.ctl("down", name)
        self.lpar.run("mv", FILE, f"{wicked.FILES}/other.nmconnection")
        for name in "other", NAME:
            self.ctl("up", "other")
            self.ctl("down", name)

    def test_by_dbus(self):
        def call(method):
            return self.lpar.run("gdbus", "call", "--system", "--dest", BUS_NAME, "--object-path",
                                 OBJECT, "--method", f"{BUS_NAME}.{method}", NAME).stdout

        self.assertEqual(call("Up"), "('active', '')\n")
        self.assertTrue(self.lpar.link("br-ex"))
        self.assertEqual(call("Down"), "()\n")
        self.assertFalse(self.lpar.link("br-ex"))

    def test_up_again_takes_the_file_in_and_keeps_the_guests(self):
        self.up()
        self.write(("masquerade=o5s_1g_1\n", ""))
        self.assertEqual(len(self.lpar.network(NAME)["links"]), 4)
        self.ctl("up", NAME)
        self.assertEqual(len(self.lpar.network(NAME)["links"]), 3)
        self.assert_guest_reaches_lan()
        self.assert_refused(self.guest, "172.18.0.100", server="intraserver")

    def test_reapply_takes_the_file_in(self):
        self.up()
        self.write(("masquerade=o5s_1g_1\n", ""))
        self.lpar.run("gdbus", "call", "--system", "--dest", BUS_NAME, "--object-path", OBJECT,
                      "--method", f"{BUS_NAME}.Reapply", UUID)
        self.assertEqual(len(self.lpar.network(NAME)["links"]), 3)

    def test_reapply_of_a_refused_file(self):
        """The caller learns why, and what runs goes on as it did."""
        self.up()
        before = self.lpar.settled_fingerprint()
        self.write(("uplinks=", "uplinks=../x,"))
        done = self.lpar.run("gdbus", "call", "--system", "--dest", BUS_NAME, "--object-path",
                             OBJECT, "--method", f"{BUS_NAME}.Reapply", UUID, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"network guests11 runs as before: .*uplinks.*\.\./x")
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.assertEqual(self.lpar.settled_fingerprint(), before)

    def test_degraded_is_up(self):
        self.lpar.ip_batch(["link set hs56k_0 down"])
        self.addCleanup(self.lpar.ip_batch, ["link set hs56k_0 up"])
        done = self.up()
        self.assertRegex(done.stderr, r"Warning: 'guests11' routes in part only: .*hs56k_0 is down; "
                                      r"bring it up, by wicked ifup hs56k_0")
        self.assert_guest_reaches_lan()

    def test_what_cannot_be_routed_is_said(self):
        self.write(("172.31.56.2\n", "172.31.99.2\n"), ("10.136.12.0/24 172.31.56.2, ", ""))
        done = self.ctl("up", NAME, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertRegex(done.stderr, r"Error: 'guests11' is up, but its guests are not routed: "
                                      r".*172\.31\.99\.2")

    def test_routes_through_guests(self):
        self.write(("address2=", "route1=10.140.0.0/16,10.136.11.1\naddress2="))
        self.up()
        self.assertIn("10.140.0.0/16 via 10.136.11.1 dev br-ex",
                      self.lpar.run("ip", "route").stdout)
        self.guest.run("ip", "address", "add", "10.140.0.1/32", "dev", "lo")
        self.addCleanup(self.guest.run, "ip", "address", "del", "10.140.0.1/32", "dev", "lo")
        self.assertTrue(self.cec["lanserver"].ping("10.140.0.1", count=4))
        self.lpar.run("ip", "route", "del", "10.140.0.0/16")
        self.lpar.wait_for(lambda: "10.140.0.0/16" in self.lpar.run("ip", "route").stdout, 5,
                           "the route is back")
        self.ctl("down", NAME)
        self.assertNotIn("10.140.0.0/16", self.lpar.run("ip", "route").stdout)

    def test_plan_and_check_know_files(self):
        for name in NAME, "br-ex", UUID:
            self.assertIn("table ip kvm_routed", self.ctl("plan", name).stdout)
            self.ctl("check", name)
        self.assertFalse(self.lpar.link("br-ex"))


class BadInput(WickedCase):
    """What is refused, in which words; nothing is up then."""

    def assert_refused_up(self, part, *changes, status=1):
        self.write(*changes)
        before = self.lpar.fingerprint()
        self.assert_fails(part, "up", NAME, status=status)
        self.assertFalse(self.lpar.link("br-ex"))
        self.assertEqual(self.lpar.networks(), [])
        self.assertEqual(self.lpar.fingerprint(), before)

    def test_unknown_names(self):
        self.assert_fails(r"no file in /etc/NetworkManager/kvm-routed is, or has .* “nobody”",
                          "up", "nobody", status=10)
        self.assert_fails(r"no network of a file is up with .* “guests11”; kvm-routedctl status",
                          "down", NAME, status=10)

    def test_arguments(self):
        for words in ["up"], ["down"], ["up", ""], ["up", "a", "b"], ["up", "--fast", "a"]:
            done = self.ctl(*words, check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("--help", done.stderr)

    def test_an_invalid_file(self):
        self.assert_refused_up(r"guests11\.nmconnection: .*kvm-routed\.uplinks",
                               ("uplinks=o5s_10g_1", "uplinks=a*"))

    def test_a_file_that_others_may_write(self):
        self.lpar.run("chmod", "666", FILE)
        self.assert_fails(r"guests11\.nmconnection: .*chmod 600", "up", NAME)

    def test_what_only_networkmanager_does(self):
        self.assert_refused_up(r"bridge\.vlan-filtering: only NetworkManager does that",
                               ("[ipv4]", "[bridge]\nvlan-filtering=true\n\n[ipv4]"))
        self.assert_refused_up(r"NetworkManager does not run.*ovs-vsctl.*existing",
                               ("[kvm-routed]", "[kvm-routed]\nswitch=openvswitch"))

    def test_an_interface_of_that_name(self):
        self.lpar.ip_batch(["link add br-ex type bridge"])
        self.assert_fails(r"there is an interface br-ex already.*kvm-routed\.switch=existing",
                          "up", NAME)
        self.assertTrue(self.lpar.link("br-ex"), "it was somebody's")
        self.assertEqual(self.lpar.networks(), [])

    def test_a_second_network_on_the_interface(self):
        self.up()
        other = self.text().replace(f"uuid={UUID}\n", "").replace("id=guests11", "id=others")
        self.lpar.run("mv", FILE, "/root/kept")
        self.lpar.load_profile(other, "others")
        self.assert_fails(r"guest interface br-ex belongs to network guests11, which is up",
                          "up", "others")
        self.assert_guest_reaches_lan()

    def test_only_those_with_the_right(self):
        done = self.lpar.run("setpriv", "--reuid", "65534", "--clear-groups", "kvm-routedctl", "up",
                             NAME, check=False)
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertRegex(done.stderr, r"Error: .*(KvmRouted\.control|polkit)")
        self.assertFalse(self.lpar.link("br-ex"))


class Life(WickedCase):
    """The service dies, the bridge is removed, the host is booted."""

    def test_killed_service(self):
        self.up()
        self.lpar.signal_service(signal.SIGKILL)
        self.assert_guest_reaches_lan()
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.ctl("down", NAME)
        self.assertFalse(self.lpar.link("br-ex"))

    def test_service_ends_when_nothing_is_up(self):
        self.up()
        self.ctl("down", NAME)
        self.lpar.wait_for(lambda: self.lpar.service_pid() is None, 30, "the end of the service")
        self.assertEqual(self.lpar.run("find", "/run/nm-kvm-routed", "-type", "f", "-size",
                                       "+0").stdout, "")

    def test_bridge_removed_by_somebody(self):
        before = self.lpar.settled_fingerprint()
        self.up()
        self.lpar.ip_batch(["link del br-ex"])
        self.lpar.wait_for(lambda: not self.lpar.networks(), 10, "no network", interval=0.1)
        self.assertRegex(self.lpar.logs["dbus"].read_text(),
                         r"network guests11: somebody removed its guest interface br-ex, so it is "
                         r"down; kvm-routedctl up")
        self.assertEqual(self.lpar.settled_fingerprint(), before)
        self.up()
        self.assert_guest_reaches_lan()

    def test_bridge_replaced_by_somebody(self):
        self.up()
        self.lpar.ip_batch(["link del br-ex", "link add br-ex type bridge"])
        self.lpar.wait_for(lambda: not self.lpar.networks(), 10, "no network", interval=0.1)
        self.assertTrue(self.lpar.link("br-ex"))
        self.assertEqual(self.addresses(), [])

    def test_lost_address_is_set_again(self):
        self.up()
        self.lpar.run("ip", "address", "del", "10.136.11.254/24", "dev", "br-ex")
        self.lpar.wait_for(lambda: "10.136.11.254/24" in self.addresses(), 10, "the address")
        self.lpar.wait_state(NAME, "active")

    def test_boot(self):
        self.up()
        self.cec.reboot(self.lpar)
        self.assertEqual(self.lpar.networks(), [])
        self.up()
        self.assert_guest_reaches_lan()

    def test_unit_for_the_boot(self):
        text = self.lpar.run("cat", "/usr/lib/systemd/system/kvm-routed@.service").stdout
        start = re.search(r"^ExecStart=(.*)$", text, re.M).group(1).replace("%i", NAME).split()
        stop = re.search(r"^ExecStop=-(.*)$", text, re.M).group(1).replace("%i", NAME).split()
        self.lpar.run(*start)
        self.assertEqual(self.lpar.service_state(NAME), "active")
        self.lpar.run(*stop)
        self.assertFalse(self.lpar.link("br-ex"))


class ExistingCase(WickedCase):
    """`switch=existing`: somebody else makes the bridge, as wicked does. Each has another MAC."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.forget_macs)

    def forget_macs(self):
        """The guests are told the gateway's, not those of all that it answers for by proxy ARP."""
        for guest in self.lpar.guests.values():
            guest.run("ip", "neigh", "flush", "dev", guest.nic)

    def text(self):
        return super().text().replace("[kvm-routed]", "[kvm-routed]\nswitch=existing")

    def make_bridge(self, *more, mtu=1500):
        # Its ports would change an MTU that nobody set.
        self.lpar.ip_batch(["link add br-ex type bridge", f"link set br-ex mtu {mtu + 1}",
                            f"link set br-ex mtu {mtu}", *more])

    def wait_routed(self):
        self.lpar.wait_state(NAME, "active")
        self.lpar.attach_guests()
        self.assert_guest_reaches_lan()


class Existing(ExistingCase):
    def test_all_is_as_before_after_down(self):
        self.make_bridge()
        before = self.lpar.settled_fingerprint(), self.lpar.ip("link", "show", "dev", "br-ex")
        self.up()
        self.wait_routed()
        self.assertEqual(self.addresses(), ["10.136.11.254/24", "10.137.11.254/24"])
        link, = self.lpar.ip("link", "show", "dev", "br-ex")
        self.lpar.detach_guests()
        self.ctl("down", NAME)
        after = self.lpar.settled_fingerprint(), self.lpar.ip("link", "show", "dev", "br-ex")
        self.assertEqual(after[0], before[0])
        self.assertEqual(after[1][0]["flags"], before[1][0]["flags"])
        self.assertEqual(after[1][0]["ifindex"], link["ifindex"], "it is not made anew")
        self.assertEqual(self.addresses(), [])

    def test_what_others_set_stays(self):
        self.make_bridge("link set br-ex up", "address add 10.136.11.254/24 dev br-ex")
        self.up()
        self.wait_routed()
        self.ctl("down", NAME)
        self.assertEqual(self.addresses(), ["10.136.11.254/24"])
        self.assertIn("UP", self.lpar.ip("link", "show", "dev", "br-ex")[0]["flags"])

    def test_mtu_is_its_own_unless_the_file_has_one(self):
        self.make_bridge(mtu=9000)
        self.up()
        self.assertEqual(self.lpar.network(NAME)["mtu"], 9000)
        self.ctl("down", NAME)
        self.write(("[ipv4]", "[ethernet]\nmtu=4000\n\n[ipv4]"))
        self.up()
        self.assertEqual(self.lpar.ip("link", "show", "dev", "br-ex")[0]["mtu"], 4000)
        self.lpar.detach_guests()
        self.ctl("down", NAME)
        self.assertEqual(self.lpar.ip("link", "show", "dev", "br-ex")[0]["mtu"], 9000)

    def test_appears_later_vanishes_and_comes_back(self):
        done = self.ctl("up", NAME)
        self.assertEqual(done.stderr, "Warning: 'guests11' is up, and waits: guest interface br-ex "
                                      "does not exist yet\n")
        self.assertEqual(self.lpar.service_state(NAME), "activating")
        self.assertFalse(self.lpar.link("br-ex"), "nobody made it")
        for _ in range(2):
            self.make_bridge()
            self.wait_routed()
            self.lpar.ip_batch(["link del br-ex"])
            self.lpar.wait_state(NAME, "activating")
            self.assertFalse(self.lpar.link("br-ex"), "nobody made it again")
            self.assertNotIn("br-ex", self.lpar.run("ip", "route").stdout)
        self.ctl("down", NAME)
        self.assertEqual(self.lpar.networks(), [])

    def test_what_others_take_away_is_theirs_to_decide(self):
        self.make_bridge()
        self.up()
        self.wait_routed()
        self.lpar.run("ip", "address", "del", "10.137.11.254/24", "dev", "br-ex")
        network = self.lpar.wait_state(NAME, "activating")
        self.assertEqual(network["state-reason"], "guest interface br-ex lacks an address of its "
                         "profile; if it stays so: kvm-routedctl up br-ex")
        self.assert_guest_reaches_lan()
        self.ctl("up", "br-ex")
        self.lpar.wait_state(NAME, "active")

    def test_waits_over_the_services_death(self):
        self.ctl("up", NAME)
        self.lpar.signal_service(signal.SIGKILL)
        self.make_bridge()
        self.lpar.networks()  # starts it, as systemd would
        self.wait_routed()

    def test_verify_finds_nothing_wrong(self):
        self.make_bridge()
        self.up()
        self.wait_routed()
        self.guest.ping(LAN_SERVER)
        rows = json.loads(self.ctl("verify", "--json", NAME, check=False).stdout)
        failed = [row for network in rows["networks"] for row in network["rows"]
                  if row["result"] == "failed"]
        self.assertEqual(failed, [])


class Hook(ExistingCase):
    """wicked's calls: the hook's action and interface, and wicked's environment."""

    def setUp(self):
        super().setUp()
        self.lpar.signal_service()

    def assert_quiet(self, done):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_ifup_and_ifdown_of_the_bridge(self):
        self.assert_quiet(self.lpar.hook("pre-up", "br-ex"))
        self.make_bridge("link set br-ex up", "address add 10.136.11.254/24 dev br-ex",
                         "address add 10.137.11.254/24 dev br-ex")
        self.assertIsNone(self.lpar.service_pid(), "pre-up is no reason to start the service")
        self.assert_quiet(self.lpar.hook("post-up", "br-ex"))
        self.wait_routed()
        self.assert_quiet(self.lpar.hook("pre-down", "br-ex"))
        self.assertEqual(self.lpar.networks(), [])
        self.assertEqual(len(self.addresses()), 2, "wicked takes them down itself")
        self.lpar.ip_batch(["link del br-ex"])
        self.assert_quiet(self.lpar.hook("post-down", "br-ex"))

    def test_all_scenarios_by_the_hook(self):
        self.make_bridge("link set br-ex up", mtu=57344)
        self.assert_quiet(self.lpar.hook("post-up", "br-ex"))
        self.wait_routed()
        other = self.cec["lpar12"]
        self.addCleanup(other.reset)
        other.load_profile(other.profile("guests12"), "guests12")
        other.up("guests12")
        for target, server in ((LAN_SERVER, "lanserver"), ("10.136.12.1", "lpar12/guest1"),
                               ("172.31.57.10", "zos"), ("172.18.0.100", "intraserver"),
                               ("10.136.11.2", "lpar11/guest2")):
            with self.subTest(server):
                self.assert_reaches(self.guest, target, server=server)

    def test_twice_is_as_once(self):
        self.make_bridge()
        self.assert_quiet(self.lpar.hook("post-up", "br-ex"))
        self.assert_quiet(self.lpar.hook("post-up", "br-ex"))
        self.wait_routed()
        self.assert_quiet(self.lpar.hook("pre-down", "br-ex"))
        self.assert_quiet(self.lpar.hook("pre-down", "br-ex"))

    def test_other_interfaces_are_none_of_ours(self):
        self.assert_quiet(self.lpar.hook("post-up", "eth9"))
        self.assert_quiet(self.lpar.hook("pre-down", "o5s_10g_1"))
        self.assert_quiet(self.lpar.hook("post-up", "o5s_10g_1"))
        self.assertIsNone(self.lpar.service_pid())

    def test_what_goes_wrong_is_told(self):
        self.write(("uplinks=o5s_10g_1", "uplinks=a*"))
        done = self.lpar.hook("post-up", "br-ex")
        self.assertRegex(done.stderr, r"kvm-routed\[\d+\]: post-up of br-ex: a file is refused: "
                                      r"/etc/NetworkManager/kvm-routed/guests11.nmconnection: ")
        self.write(("172.31.56.2\n", "172.31.99.2\n"), ("10.136.12.0/24 172.31.56.2, ", ""))
        self.make_bridge()
        done = self.lpar.hook("post-up", "br-ex")
        self.assertRegex(done.stderr, r"kvm-routed\[\d+\]: post-up of br-ex: network guests11: "
                                      r"failed: .*172\.31\.99\.2")
        done = self.lpar.run(wicked.HOOK, "post-up", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("ACTION INTERFACE", done.stderr)

    def test_a_service_that_hangs_does_not_hold_wicked(self):
        self.make_bridge()
        self.ctl("status", check=False)
        self.lpar.run("kill", "-STOP", str(self.lpar.service_pid()))
        try:
            done = self.lpar.hook("post-up", "br-ex", timeout=25)
        finally:
            self.lpar.run("kill", "-CONT", str(self.lpar.service_pid()))
        self.assertEqual(done.returncode, 1)
        self.assertIn("did not answer within 10 s", done.stderr)

    def test_no_bus(self):
        self.make_bridge()
        self.lpar.run("mv", "/run/dbus/system_bus_socket", "/run/dbus/away")
        try:
            done = self.lpar.hook("post-up", "br-ex")
        finally:
            self.lpar.run("mv", "/run/dbus/away", "/run/dbus/system_bus_socket")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"post-up of br-ex: the system bus: ")


class HookOfALink(WickedCase):
    """A bridge that the service makes comes up with the links that wicked brings up."""

    def test_ifup_of_an_uplink(self):
        done = self.lpar.hook("post-up", "o5s_10g_1")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.lpar.attach_guests()
        self.lpar.wait_state(NAME, "active")
        self.assert_guest_reaches_lan()

    def test_ifdown_of_an_uplink_leaves_the_rest(self):
        self.up()
        self.lpar.hook("pre-down", "o5s_10g_1")
        self.assertTrue(self.lpar.link("br-ex"))
        self.assertEqual(self.lpar.service_state(NAME), "active")


if __name__ == "__main__":
    labcase.main()
