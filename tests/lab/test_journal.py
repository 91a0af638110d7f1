# SPDX-License-Identifier: GPL-2.0-or-later
"""What the service tells the journal: each change once, with its fields; and nothing else."""

import contextlib

import labcase
from bus import Bus, BusError
from journald import Journal

NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
UPLINK = "o5s_10g_1"

ACTIVE = "9474c1b92de74836a51ce6d4d24f2922"
ACTIVATING = "7e3946647f2b4a4da0680790c7caca36"
DEGRADED = "9ed26341f09941bcbe19341c0e9051d9"
FAILED = "b5b94ec282e04905962bc031f6ad2ff6"
INACTIVE = "09bf120e01534848bd8f1cf3e1d41238"
FINDING = "69074cd42a8a496eb1dae71e6db60f45"
FINDING_OVER = "c5d892375b9a42049f993ab1f7504768"
PUT_BACK = "de4e6178039d43e2ac7f66384e68305d"
NOT_APPLIED = "85d3abf3ac10421cb9bf7542f174c9db"
APPLIED = "4295f8726004413da73e179359157bd8"
REFUSED = "cad2160936904077a6825b80774106e7"
PRIORITIES = {ACTIVE: "5", ACTIVATING: "5", DEGRADED: "4", FAILED: "3", INACTIVE: "5",
              FINDING: "4", FINDING_OVER: "5", PUT_BACK: "5", NOT_APPLIED: "3", APPLIED: "5",
              REFUSED: "5"}


class Messages(labcase.LabCase):
    """Of LPAR 11, whose network is up."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.journal = Journal(cls.lpar)
        cls.bus = Bus(cls.lpar)
        cls.addClassCleanup(cls.bus.close)
        cls.lpar.load_profile(cls.lpar.profile(NAME), NAME)

    def setUp(self):
        self.lpar.up(NAME)
        self.settle()
        self.seen = len(self.journal.entries())

    def settle(self):
        """All that the service has been told of is done, and written."""
        with contextlib.suppress(BusError):  # it is down, or failed
            self.bus.call("Reapply", "(s)", UUID)

    def news(self):
        """The messages since the test began; each is fit for its kind."""
        self.settle()
        entries = self.journal.entries()[self.seen:]
        for entry in entries:
            self.assertEqual(entry["_TRANSPORT"], "journal")
            self.assertEqual(entry["PRIORITY"], PRIORITIES[entry["MESSAGE_ID"]], entry)
            self.assertEqual(entry["_COMM"], "nm-kvm-routed")
            self.assertTrue(entry["MESSAGE"].isprintable())
        return entries

    def wait_news(self, identifier, number=1):
        """As many messages of that kind since the test began."""
        def come():
            entries = [entry for entry in self.news() if entry["MESSAGE_ID"] == identifier]
            return len(entries) >= number and entries

        return self.lpar.wait_for(come, 15, f"{number} messages {identifier}", interval=0.1)

    def assert_about(self, entry, **fields):
        self.assertEqual({key: entry.get(f"KVM_ROUTED_{key.upper()}") for key in fields}, fields)

    def test_up_and_down(self):
        self.lpar.down(NAME)
        down, = self.wait_news(INACTIVE)
        self.assertEqual(down["MESSAGE"], f"{NAME} (br-ex): inactive")
        self.assert_about(down, network=NAME, uuid=UUID, interface="br-ex", state="inactive")
        self.lpar.up(NAME)
        up, = self.wait_news(ACTIVE)
        self.assertEqual(up["MESSAGE"], f"{NAME} (br-ex): active")
        self.assert_about(up, network=NAME, uuid=UUID, interface="br-ex", state="active",
                          finding=None, hint=None)
        kinds = {entry["MESSAGE_ID"] for entry in self.news()}
        self.assertNotIn(PUT_BACK, kinds)
        self.assertNotIn(FAILED, kinds)

    def test_a_finding_comes_and_goes(self):
        segment = self.cec.segments["lan"]
        cable = lambda state: segment.run("ip", "link", "set", "lpar11-0", state)
        self.addCleanup(cable, "up")
        cable("down")
        finding, = self.wait_news(FINDING)
        self.assertRegex(finding["MESSAGE"],
                         rf"\A{NAME} \(br-ex\): warning link-missing \[{UPLINK}\]: .*carrier.*; ")
        self.assert_about(finding, network=NAME, uuid=UUID, interface=UPLINK,
                          finding="link-missing", severity="warning", state=None)
        hint = finding["KVM_ROUTED_HINT"]
        self.assertTrue(hint and finding["MESSAGE"].endswith(hint), finding)
        degraded, = self.wait_news(DEGRADED)
        self.assertIn("carrier", degraded["MESSAGE"])
        self.assert_about(degraded, network=NAME, interface="br-ex", state="degraded")
        cable("up")
        over, = self.wait_news(FINDING_OVER)
        self.assertEqual(over["MESSAGE"], f"{NAME} (br-ex): link-missing [{UPLINK}] is over")
        self.assert_about(over, network=NAME, interface=UPLINK, finding="link-missing")
        self.wait_news(ACTIVE)
        self.assertNotIn(PUT_BACK, {entry["MESSAGE_ID"] for entry in self.news()})

    def test_a_value_is_put_back(self):
        path = f"net/ipv4/conf/{UPLINK}/forwarding"
        self.lpar.sysctl(path, 0)
        healed, = self.wait_news(PUT_BACK)
        self.assertEqual(healed["MESSAGE"], f"forwarding of {UPLINK} was changed to 0 by somebody "
                                            "else, and is 1 again")
        self.assert_about(healed, network=NAME, uuid=UUID, interface=UPLINK)
        self.assertEqual(self.lpar.sysctl(path), "1")
        self.assertEqual(self.news(), [healed])

    def test_routes_are_put_back(self):
        self.lpar.run("ip", "route", "flush", "proto", "kvm-routed")
        healed = self.wait_news(PUT_BACK)[-1]
        self.assertRegex(healed["MESSAGE"], r"\A\d routes? through hs56k_0 w\w+ gone, ")
        self.assert_about(healed, network=NAME, interface="hs56k_0")

    def test_tables_are_put_back(self):
        self.lpar.run("nft", "delete", "table", "arp", "kvm_routed")
        changed, = self.wait_news(PUT_BACK)
        self.assertIn("tables kvm_routed were changed", changed["MESSAGE"])
        self.lpar.run("nft", "flush", "ruleset")
        removed = self.wait_news(PUT_BACK, 2)[-1]
        self.assertIn("tables kvm_routed were removed", removed["MESSAGE"])
        self.assertIn("table arp kvm_routed", self.lpar.run("nft", "list", "tables").stdout)
        self.assert_about(removed, network=None, interface=None)

    def test_others_tables_are_no_news(self):
        self.lpar.run("nft", "add", "table", "inet", "foreign")
        self.lpar.run("nft", "delete", "table", "inet", "foreign")
        self.assertEqual(self.news(), [])

    def test_nothing_new_is_no_message(self):
        for _ in range(3):
            self.settle()
        self.lpar.run("kvm-routedctl", "status")
        self.lpar.run("kvm-routedctl", "plan", NAME)
        self.lpar.run("kvm-routedctl", "check", NAME)
        self.assertEqual(self.news(), [])

    def test_a_changed_profile_repairs_nothing(self):
        """What the administrator changes was not changed by somebody else."""
        self.addCleanup(self._set, "")
        self._set("2600")
        self.lpar.wait_for(lambda: self.lpar.link("br-ex")["txqlen"] == 2600, 10, "the new length")
        news = self.news()
        if self.lpar.nm_writes_forwarding():
            news = [entry for entry in news if "forwarding of br-ex" not in entry["MESSAGE"]]
        self.assertEqual(news, [])

    def _set(self, length):
        text = self.lpar.profile(NAME)
        if length:
            text = text.replace("[kvm-routed]\n", f"[kvm-routed]\ntx-queue-length={length}\n")
        self.lpar.load_profile(text, NAME)
        self.lpar.nmcli("device", "reapply", "br-ex")

    def test_a_failure_and_its_end(self):
        """An interface of the host has the guests' subnet."""
        self.lpar.down(NAME)
        self.lpar.sh("ip link add vnet-bad type veth peer name vnet-worse; "
                     "ip address add 10.136.11.77/24 dev vnet-bad; "  # see link_commands
                     "ip link set vnet-bad up; ip link set vnet-worse up")
        remove = lambda: self.lpar.run("ip", "link", "del", "vnet-bad", check=False)
        self.addCleanup(remove)
        self.lpar.up(NAME, "failed")
        failed = self.wait_news(FAILED)[-1]
        self.assertRegex(failed["MESSAGE"], rf"\A{NAME} \(br-ex\): failed: .*vnet-bad")
        self.assert_about(failed, network=NAME, uuid=UUID, interface="br-ex", state="failed")
        finding, = (entry for entry in self.wait_news(FINDING)
                    if entry["KVM_ROUTED_FINDING"] == "subnet-overlap")
        self.assert_about(finding, network=NAME, severity="error")
        remove()
        self.wait_news(FINDING_OVER)
        self.wait_news(ACTIVE)

    def test_the_kernel_refuses(self):
        path = f"/proc/sys/net/ipv4/conf/{UPLINK}/forwarding"
        self.lpar.down(NAME)
        self.lpar.sh(f"mount --bind {path} {path}; mount -o remount,bind,ro {path}")
        with contextlib.ExitStack() as stack:
            stack.callback(self.lpar.run, "umount", path)
            self.lpar.up(NAME, "failed")
            refused = self.wait_news(NOT_APPLIED)[-1]
            self.assertIn(path, refused["MESSAGE"])
            self.assertRegex(refused["MESSAGE"], r"tried again within \d+ s\Z")
        self.lpar.wait_state(NAME, "active", 70)
        self.wait_news(APPLIED)

    def test_a_caller_is_refused(self):
        result = self.lpar.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               "gdbus", "call", "--system", "--dest",
                               "org.freedesktop.NetworkManager.KvmRouted", "--object-path",
                               "/org/freedesktop/NetworkManager/KvmRouted", "--method",
                               "org.freedesktop.NetworkManager.KvmRouted.Reapply", UUID,
                               check=False)
        self.assertNotEqual(result.returncode, 0)
        refused, = self.wait_news(REFUSED)
        self.assertRegex(refused["MESSAGE"],
                         r"\AReapply was called by user 65534 \(:1\.\d+\) and refused: ")

    def test_journalctl_explains(self):
        self.lpar.sysctl(f"net/ipv4/conf/{UPLINK}/proxy_arp", 0)
        self.wait_news(PUT_BACK)
        text = self.journal.run("-x", f"MESSAGE_ID={PUT_BACK}")
        self.assertIn("Subject: What somebody else changed was put back", text)
        text = self.journal.run("-x", f"MESSAGE_ID={ACTIVE}")
        self.assertIn(f"Subject: Network {NAME} is routed", text)
        self.assertNotIn("@", text)

    def test_a_new_life_begins_with_the_state(self):
        self.lpar.signal_service()
        self.lpar.wait_state(NAME, "active")
        self.assertEqual([entry["MESSAGE"] for entry in self.news()], [f"{NAME} (br-ex): active"])


class WithoutJournal(labcase.LabCase):
    """Where standard error is no journal, the same lines are text."""

    def test_text(self):
        lpar = self.cec["lpar12"]
        self.assertNotIn("(br-ex): active", lpar.logs["dbus"].read_text())
        lpar.load_profile(lpar.profile("guests12"), "guests12")
        lpar.up("guests12")
        self.assertIn("guests12 (br-ex): active\n", lpar.logs["dbus"].read_text())


if __name__ == "__main__":
    labcase.main()
