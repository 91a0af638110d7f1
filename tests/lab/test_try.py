# SPDX-License-Identifier: GPL-2.0-or-later
"""`kvm-routedctl try`: applied until somebody confirms it, and else taken back without a trace."""

import contextlib
import json
import re

import labcase
from test_dbus import NOBODY
from test_lifecycle import Pinging
from trycase import (FILE, IN_MEMORY, KEPT, LONG, NAME, NOT_FOUND, NOT_KEPT, STORED, USAGE, UUID,
                     Terminal, Try, boot_time)


class NewFile(Try):
    """A file that no profile is stored of."""

    def test_not_kept(self):
        before = self.fingerprint()
        command = self.begin(self.profile(), timeout=4, state=None)
        self.lpar.attach_guests()
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assertIn("guests11 (br-ex) is active", command.out)
        self.assertIn("kvm-routedctl try --confirm br-ex", command.out)
        self.assertEqual(command.err,
                         "Error: guests11 was taken back: nobody confirmed it in time\n")
        self.assert_back(before)

    def test_kept(self):
        command = self.begin(self.profile())
        self.assertEqual(self.lpar.network(NAME)["state"], "active")
        self.assertTrue(self.guest.ping("10.10.10.10"))
        self.assertEqual(self.lpar.sh(f"grep -rl {UUID} {STORED} || :").stdout, "")
        status = self.lpar.run("kvm-routedctl", "status", "guests11").stdout
        self.assertRegex(status, r"guests11 \(br-ex\) is being tried and taken back in \d+ s; "
                                 r"'kvm-routedctl try --confirm br-ex' keeps it")
        self.assertEqual(self.end("--confirm", "br-ex").returncode, 0)
        self.assertEqual(command.ended(), KEPT)
        self.assertIn("guests11 is kept, and stored on disk", command.out)
        self.assertEqual(command.err, "")
        self.assertEqual(self.lpar.sh(f"grep -l {UUID} {STORED}/*").stdout,
                         f"{STORED}/guests11.nmconnection\n")
        self.assertTrue(self.guest.ping("10.10.10.10"))
        self.assertEqual(self.lpar.nmcli("-g", "connection.autoconnect,ipv4.addresses",
                                         "connection", "show", NAME).split(),
                         ["no", "10.136.11.254/24,", "10.137.11.254/24"])


class Change(Try):
    """A profile that is up, with other settings."""

    def assert_was_tried(self, command):
        """What the command showed while the try was running."""
        self.assertIn("10.136.12.0/24", command.out)
        self.assertNotIn("10.137.12.0/24", command.out)

    def test_not_kept(self):
        """Guests lose no packet, neither on the way there nor back; nothing is stored."""
        self.bring_up()
        before = self.fingerprint()
        with Pinging(self.guest, "10.10.10.10") as lan, \
                Pinging(self.guest, "172.18.0.100") as intranet:
            command = self.begin(self.changed(), timeout=3, state=None)
            self.assertEqual(command.ended(), NOT_KEPT)
        self.assert_was_tried(command)
        self.assertGreater(lan.sent, 100)
        self.assertEqual((lan.lost, intranet.lost), (0, 0))
        self.assertEqual(self.peers(), ["10.136.12.0/24", "10.137.12.0/24"])
        self.assert_back(before)

    def test_kept(self):
        self.bring_up()
        command = self.begin(self.changed())
        self.assertEqual(self.end("--confirm").returncode, 0)
        self.assertEqual(command.ended(), KEPT)
        self.assertEqual(self.peers(), ["10.136.12.0/24"])
        stored = self.lpar.sh(f"cat {STORED}/guests11.nmconnection").stdout
        self.assertIn("10.136.12.0", stored)
        self.assertNotIn("10.137.12.0", stored)

    def test_only_the_applied_version_differs(self):
        """A stored profile that was modified, but not applied since."""
        self.bring_up()
        self.lpar.load_profile(self.changed(), NAME)
        before = self.fingerprint()
        command = self.begin(NAME)
        self.assertEqual(self.peers(), ["10.136.12.0/24"])
        self.assertEqual(self.end("--revert").returncode, 0)
        # When that is answered, not some time later.
        self.assertEqual(self.peers(), ["10.136.12.0/24", "10.137.12.0/24"])
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assert_back(before)

    def test_not_stored_by_restore(self):
        """Where an editor dropped the setting, what is put back is not what is only tried."""
        self.bring_up()
        native = self.lpar.expand(self.profile())
        self.lpar.load_profile(re.sub(r"(?ms)^\[user\]$.*?(?=^\[|\Z)", "", native), NAME)
        before = self.fingerprint()
        command = self.begin(self.changed())
        result = self.lpar.run("kvm-routedctl", "restore", NAME, check=False)
        self.assertEqual(result.returncode, NOT_KEPT)
        self.assertIn("is being tried", result.stderr)
        self.assertEqual(self.end("--revert").returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assert_back(before)
        self.lpar.run("kvm-routedctl", "restore", NAME)
        self.assertIn("10.137.12.0/24", self.lpar.sh(f"cat {STORED}/*").stdout)

    def test_went_down_meanwhile(self):
        """By what was tried, or by somebody: it ran before, so it runs again, as it did."""
        self.bring_up()
        command = self.begin(self.changed())
        self.lpar.down(NAME)
        self.assertEqual(self.end("--revert").returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.lpar.attach_guests()
        self.lpar.wait_state(NAME, "active")
        self.assertEqual(self.peers(), ["10.136.12.0/24", "10.137.12.0/24"])
        self.assertTrue(self.guest.ping("10.10.10.10"))

    def test_cannot_be_stored(self):
        """A disk that is full, say: the try goes on, and can be confirmed again."""
        command = self.begin(self.profile())
        self.lpar.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", STORED)
        result = self.end("--confirm")
        self.lpar.run("umount", STORED)
        self.assertEqual(result.returncode, NOT_KEPT)
        self.assertRegex(result.stderr, r"still only tried: .*Read-only file system")
        self.assertEqual(self.wait_state("running")["id"], NAME)
        self.assertEqual(self.end("--confirm").returncode, 0)
        self.assertEqual(command.ended(), KEPT)

    def test_what_needs_a_new_activation(self):
        """NetworkManager refuses; nothing is changed, and the message says what would do."""
        self.bring_up()
        before = self.fingerprint()
        text = self.profile() + "\n[bridge]\nmac-address=02:00:00:00:00:77\n"
        command = self.begin(text, state=None)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assertRegex(command.err, r"mac-address.*another id and no connection\.uuid.*br-ex")
        self.assert_back(before)

    def test_back_at_once_if_it_fails(self):
        """The host changes so that the network, as it is tried, must not be routed."""
        self.bring_up()
        since = boot_time()
        self.begin(self.changed())
        self.addCleanup(self.lpar.run, "ip", "link", "set", "o5s_10g_1", "arp", "on")
        self.lpar.run("ip", "link", "set", "o5s_10g_1", "arp", "off")
        subject = self.wait_state("taken-back", since=since)
        self.assertIn("o5s_10g_1", subject["reason"])
        self.assertEqual(self.peers(), ["10.136.12.0/24", "10.137.12.0/24"])


class Others(Try):
    """What else may be there when a try begins."""

    def test_stored_and_down(self):
        self.lpar.load_profile(self.profile(), NAME)
        before = self.fingerprint()
        command = self.begin("br-ex")
        self.assertEqual(self.lpar.network(NAME)["state"], "active")
        self.assertEqual(self.end("--revert", NAME).returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assertIn("as somebody asked for", command.err)
        self.assert_back(before)

    def test_stored_in_memory_only(self):
        """What a reboot would end is stored on disk when it is kept, as the command says."""
        path = f"{IN_MEMORY}/guests11.nmconnection"
        self.lpar.write_file(path, self.lpar.expand(self.profile()))
        self.lpar.run("chmod", "600", path)
        self.lpar.nmcli("connection", "load", path)
        command = self.begin(NAME)
        self.assertEqual(self.lpar.sh(f"grep -rl {UUID} {STORED} || :").stdout, "")
        self.assertEqual(self.end("--confirm").returncode, 0)
        self.assertEqual(command.ended(), KEPT)
        self.assertEqual(self.lpar.sh(f"grep -l {UUID} {STORED}/*").stdout,
                         f"{STORED}/guests11.nmconnection\n")

    def test_another_version_stored_and_down(self):
        self.lpar.load_profile(self.profile(), NAME)
        before = self.fingerprint()
        command = self.begin(self.changed())
        self.assertEqual(self.peers(), ["10.136.12.0/24"])
        self.assertEqual(self.end("--revert").returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assert_back(before)

    def test_another_profile_has_the_interface(self):
        """It runs again, as it was applied, which is not as it is stored."""
        self.bring_up()
        self.lpar.load_profile(self.changed(), NAME)
        before = self.fingerprint()
        other = self.profile().replace(UUID, UUID[:-2] + "99").replace(NAME, "other11")
        command = self.begin(other, state=None)
        self.wait_state("running", uuid=UUID[:-2] + "99")
        self.assertEqual([network["id"] for network in self.lpar.networks()], ["other11"])
        self.assert_guest_reaches_lan()
        self.assertEqual(self.end("--revert", "other11").returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assertIn("guests have to be attached to it anew", command.out)
        self.assert_guest_reaches_lan()
        after = self.fingerprint()
        self.assertEqual(self.peers(), ["10.136.12.0/24", "10.137.12.0/24"])
        for what in ("profiles", "files", "nft list ruleset"):
            self.assertEqual(after[what], before[what])

    def assert_guest_reaches_lan(self):
        """Its gateway has the MAC of another profile."""
        self.lpar.attach_guests()
        self.guest.run("ip", "neigh", "flush", "all")
        self.assertTrue(self.guest.ping("10.10.10.10"))

    def test_a_link_is_missing(self):
        """It is tried as far as it goes: the rest may be what the administrator wants to see."""
        command = self.begin(self.profile().replace("uplinks=", "uplinks=osa9,"))
        self.assertEqual(self.lpar.network(NAME)["state"], "degraded")
        self.assertEqual(self.end("--revert").returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assertIn("link-missing [osa9]", command.out)


class Refused(Try):
    """What is not tried: a message says why, and nothing is changed or written."""

    @contextlib.contextmanager
    def unchanged(self):
        before = self.fingerprint()
        yield
        self.assertEqual(self.fingerprint(), before)

    def assert_refused(self, result, status, *says):
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertRegex(result.stderr, r"\AError: .+\n(See .*\n)?\Z")
        for word in says:
            self.assertIn(word, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.live(), [])

    def test_bad_input(self):
        private = self.profile().replace("[connection]\n",
                                         "[connection]\npermissions=user:joe:;\n")
        cases = (("nonsense\n", "keyfile"),
                 ("", "empty"),
                 (self.profile().replace("10.136.11.254/24", "10.136.11.254/99"), "address1"),
                 (self.profile().replace("172.31.56.2", "172.31.99.2"), "172.31.99.2"),
                 (private, "private", "permissions"),
                 (self.profile() + "\n[ipv6]\nmethod=nonsense\n", "ipv6.method"),
                 (self.profile().replace("o5s_1g_1", "br-ex"), "br-ex"))
        with self.unchanged():
            for text, *says in cases:
                with self.subTest(says):
                    self.assert_refused(self.end(self.write(text)), NOT_KEPT, *says)
            self.assert_refused(self.end("/nonexistent"), NOT_KEPT, "/nonexistent")
            self.assert_refused(self.end("no-such-profile"), NOT_FOUND, "no-such-profile")
            self.assert_refused(self.end("o5s_10g_1"), NOT_KEPT, "o5s_10g_1", "kvm-routed")

    def test_usage(self):
        self.write(self.profile())
        with self.unchanged():
            for argv in (("--timeout", "0", FILE), ("--timeout", "x", FILE), ("--nonsense",),
                         ("--confirm", "--revert"), (FILE, FILE), ("",)):
                with self.subTest(argv):
                    self.assert_refused(self.end(*argv), USAGE)
            self.assert_refused(self.end("--timeout", "86401", FILE), NOT_KEPT, "86400")

    def test_nothing_is_being_tried(self):
        self.assert_refused(self.end("--confirm"), NOT_FOUND, "Nothing is being tried")
        self.assert_refused(self.end("--revert", "br-ex"), NOT_FOUND, "br-ex")
        self.assertEqual(self.end().stdout, "Nothing is being tried\n")
        self.assertEqual(json.loads(self.end("--json").stdout), {"tries": []})

    def test_nobody(self):
        self.write(self.profile())
        with self.unchanged():
            result = self.lpar.run(*NOBODY, "kvm-routedctl", "try", FILE, check=False)
        self.assert_refused(result, NOT_KEPT, "Try needs the authorization")

    def test_nobody_ends_it(self):
        command = self.begin(self.profile())
        for option in ("--confirm", "--revert"):
            result = self.lpar.run(*NOBODY, "kvm-routedctl", "try", option, check=False)
            self.assertEqual(result.returncode, NOT_KEPT)
            self.assertIn("needs the authorization", result.stderr)
        self.assertEqual(self.wait_state("running")["id"], NAME)
        self.end("--revert")
        command.ended()

    def test_interface_of_somebody_else(self):
        self.lpar.run("ip", "link", "add", "br-ex", "type", "bridge")
        self.lpar.run("ip", "link", "set", "br-ex", "up")
        self.lpar.run("ip", "address", "add", "10.136.11.254/24", "dev", "br-ex")
        self.addCleanup(self.lpar.run, "ip", "link", "del", "br-ex", check=False)
        self.lpar.wait_for(lambda: "connected" in self.lpar.devices().get("br-ex", ""), 10,
                           "NetworkManager has seen br-ex")
        with self.unchanged():
            self.assert_refused(self.end(self.write(self.profile())), NOT_KEPT, "br-ex",
                                "remove it")

    def test_nothing_to_try(self):
        self.bring_up()
        with self.unchanged():
            self.assert_refused(self.end(NAME), NOT_KEPT, "nothing to try")

    def test_second_try(self):
        first = self.begin(self.profile())
        self.lpar.settled_fingerprint(0.2)
        with self.unchanged():
            result = self.end(self.write(self.changed()))
        self.assertEqual(result.returncode, NOT_KEPT)
        self.assertIn("being tried already", result.stderr)
        self.assertIn("--revert br-ex", result.stderr)
        self.end("--revert")
        self.assertEqual(first.ended(), NOT_KEPT)

    def test_without_network_manager(self):
        self.lpar.stop_nm()
        self.addCleanup(lambda: (self.lpar.start_nm(), self.lpar.connected()))
        result = self.end(self.write(self.profile()))
        self.assertEqual(result.returncode, NOT_KEPT)
        self.assertIn("NetworkManager does not run", result.stderr)
        self.assertEqual(self.live(), [])


class AtATerminal(Try):
    """What the person there sees and says."""

    def at_terminal(self, timeout=LONG, typed=None, text=None):
        terminal = Terminal(self.lpar, "kvm-routedctl", "try",
                            self.write(text or self.profile()), "--timeout", str(timeout))
        self.addCleanup(terminal.process.kill)
        if typed:
            terminal.type(typed)
        terminal.wait_for(r"Keep it\? \[y/N\] ")
        return terminal

    def test_yes(self):
        terminal = self.at_terminal()
        self.assertRegex(terminal.text, r"guests11.* \(br-ex\) is .*active")
        self.assertRegex(terminal.text, r"Taken back in \d+ s\.")
        terminal.wait_for(r"\0337.*Taken back in \d+ s\.")
        terminal.type("perhaps\n")
        terminal.wait_for(r"(?s)Keep it.*Keep it")
        terminal.type("y\n")
        self.assertEqual(terminal.ended(), KEPT)
        self.assertIn("is kept, and stored on disk", terminal.text)
        self.assertEqual(self.lpar.network(NAME)["state"], "active")

    def test_no(self):
        before = self.fingerprint()
        for answer in ("n\n", "\n", "\x03"):
            with self.subTest(answer):
                terminal = self.at_terminal()
                terminal.type(answer)
                self.assertEqual(terminal.ended(), NOT_KEPT)
                self.assertIn("is taken back: everything is as it was before", terminal.text)
                self.assert_back(before)

    def test_no_where_another_had_the_interface(self):
        """All is as before but for the guests' ports, which is said."""
        self.bring_up()
        text = self.profile().replace(UUID, UUID[:-2] + "99").replace(NAME, "other11")
        terminal = self.at_terminal(text=text)
        terminal.type("n\n")
        self.assertEqual(terminal.ended(), NOT_KEPT)
        self.assertIn("up again: guests have to be attached to it anew",
                      " ".join(terminal.text.split()))
        self.lpar.wait_state(NAME, "active")

    def test_typed_before_it_was_asked(self):
        """That is no answer: an impatient Enter takes nothing back, a pasted y keeps nothing."""
        terminal = self.at_terminal(typed="y\n")
        terminal.wait_for(r"\0337.*Taken back in \d+ s\.")
        self.assertEqual(self.wait_state("running")["id"], NAME)
        terminal.type("n\n")
        self.assertEqual(terminal.ended(), NOT_KEPT)

    def test_end_of_input(self):
        """Nobody answers any more: the deadline does."""
        before = self.fingerprint()
        terminal = self.at_terminal(timeout=4)
        terminal.type("\x04")
        self.assertEqual(terminal.ended(), NOT_KEPT)
        self.assertIn("nobody confirmed it in time", terminal.text)
        self.assert_back(before)

    def test_terminal_goes(self):
        """The command ends, the try does not: another terminal keeps it."""
        terminal = self.at_terminal()
        terminal.close()
        terminal.process.wait()
        self.assertEqual(self.wait_state("running")["state"], "running")
        self.assertEqual(self.end("--confirm").returncode, 0)
        self.assertEqual(self.lpar.network(NAME)["state"], "active")

if __name__ == "__main__":
    labcase.main()
