# SPDX-License-Identifier: GPL-2.0-or-later
"""`kvm-routedctl try` where somebody dies: command, terminal, service, NetworkManager, the LPAR."""

import signal

import labcase
from bus import Bus
from test_lifecycle import Pinging
from trycase import (IN_MEMORY, KEPT, LEFT, NAME, NOT_KEPT, STORED, UUID, Command, Terminal, Try,
                     boot_time)

OTHER = UUID[:-2] + "99"


class Deaths(Try):
    """Whoever dies, at whatever moment: what nobody confirmed is taken back in time."""

    def begin_short(self, text, seconds):
        """A try that may end before it is looked at; its Command, and what it is then."""
        since = boot_time()
        command = self.begin(text, timeout=seconds, state=None)
        return command, self.wait_known(since)

    def wait_known(self, since):
        return self.wait_state("applying", "running", "taking-back", "taken-back", since=since)

    def kill_when(self, words, delay, pid):
        """Kill the service some seconds after its file has these words; from now on."""
        self.lpar.sh(f"""
            (until grep -q {words} /run/nm-kvm-routed/tries; do :; done
             sleep {delay}; kill -9 {pid}) >/dev/null 2>&1 &""")

    def kill_client(self, command):
        command.process.send_signal(signal.SIGKILL)
        command.process.wait()

    def test_command_killed(self):
        before = self.fingerprint()
        command, subject = self.begin_short(self.profile(), 3)
        self.kill_client(command)
        self.wait_state("taken-back", since=subject["started"])
        self.assert_back(before)

    def test_command_ended(self):
        """Its exit status says that the try goes on; so it does."""
        command = self.begin(self.profile())
        command.process.send_signal(signal.SIGTERM)
        self.assertEqual(command.ended(), LEFT)
        self.assertEqual(self.wait_state("running")["id"], NAME)
        self.assertEqual(self.end("--revert").returncode, 0)

    def test_service_killed(self):
        """It carries on, and knows the time that is left."""
        self.bring_up()
        before = self.fingerprint()
        with Pinging(self.guest, "10.10.10.10") as lan:
            command, subject = self.begin_short(self.changed(), 4)
            self.lpar.signal_service(signal.SIGKILL)
            again = self.wait_known(subject["started"])
            self.assertEqual((again["try"], again["deadline"]),
                             (subject["try"], subject["deadline"]))
            self.assertEqual(command.ended(), NOT_KEPT)
            self.assertIn("nobody confirmed it in time", command.err)
            self.assertGreaterEqual(boot_time(), subject["deadline"])
        self.assertEqual(lan.lost, 0)
        self.assert_back(before)

    def test_both_killed(self):
        """Nobody of the tests calls the service, whom only D-Bus starts here: not even to look."""
        before = self.fingerprint()
        since = boot_time()
        terminal = Terminal(self.lpar, "kvm-routedctl", "try", self.write(self.profile()),
                            "--timeout", "5")
        terminal.wait_for("Keep it")
        pid = self.lpar.service_pid()
        self.kill_client(terminal)
        terminal.close()
        self.lpar.run("kill", "-9", str(pid))
        self.lpar.wait_for(lambda: not self.lpar.link("br-ex"), 30, "the try is taken back")
        self.wait_state("taken-back", since=since)
        self.assert_back(before)

    def test_service_dead_at_the_deadline(self):
        """What was due meanwhile is done by the next life, at once; nobody starts it before."""
        before = self.fingerprint()
        since = boot_time()
        command = self.begin(self.profile())
        self.kill_client(command)
        self.lpar.sh("pkill -f -- '[t]ry --watch'")
        self.lpar.signal_service(signal.SIGKILL)
        # As if its time had been over meanwhile.
        self.lpar.run("sed", "-i", "s/^deadline=.*/deadline=1/", "/run/nm-kvm-routed/tries")
        self.assertTrue(self.lpar.link("br-ex"))
        self.wait_state("taken-back", since=since)
        self.assert_back(before)

    def test_service_killed_at_many_moments(self):
        """From the first byte written until it runs, and on the way back."""
        before = self.fingerprint()
        for delay in (0, 0.01, 0.05, 0.2):
            with self.subTest(delay):
                self.bus.version()
                pid = self.lpar.service_pid()
                self.kill_when("state=applying", delay, pid)
                command = self.begin(self.profile(), state=None)
                self.lpar.attach_guests()
                self.lpar.wait_for(lambda: self.lpar.service_pid() not in (pid, None), 20,
                                   "the next life of the service")
                self.wait_state("running")
                self.assertEqual(self.lpar.network(NAME)["state"], "active")
                self.end("--revert")
                self.assertEqual(command.ended(), NOT_KEPT)
                self.assert_back(before)

    def test_service_killed_between_two_profiles(self):
        """The one that had the interface is down already, or the other not up yet."""
        self.bring_up()
        before = self.fingerprint()
        other = self.profile().replace(UUID, OTHER).replace(NAME, "other11")
        for delay in (0, 0.1):
            with self.subTest(delay):
                pid = self.lpar.service_pid()
                self.kill_when("state=applying", delay, pid)
                command = self.begin(other, state=None)
                self.wait_state("running", uuid=OTHER)
                self.assertEqual(self.end("--revert").returncode, 0)
                self.assertEqual(command.ended(), NOT_KEPT)
                self.lpar.attach_guests()
                self.lpar.wait_state(NAME, "active")
                after = self.fingerprint()
                self.assertEqual((after["profiles"], after["files"]),
                                 (before["profiles"], before["files"]))

    def test_service_killed_while_it_takes_back(self):
        before = self.fingerprint()
        for delay in (0, 0.02, 0.1):
            with self.subTest(delay):
                command = self.begin(self.profile())
                self.kill_when("state=taking-back", delay, self.lpar.service_pid())
                revert = Command(self.lpar, "kvm-routedctl", "try", "--revert")
                self.assertEqual(revert.ended(), 0, revert.err)
                self.assertEqual(command.ended(), NOT_KEPT)
                self.assert_back(before)

    def test_service_killed_while_it_keeps(self):
        for delay in (0, 0.02):
            with self.subTest(delay):
                command = self.begin(self.profile())
                self.kill_when("state=keeping", delay, self.lpar.service_pid())
                confirm = Command(self.lpar, "kvm-routedctl", "try", "--confirm")
                self.assertEqual(confirm.ended(), 0, confirm.err)
                self.assertEqual(command.ended(), KEPT)
                self.assertTrue(self.lpar.sh(f"grep -l {UUID} {STORED}/*").stdout)
                self.lpar.delete_profile(NAME)
                self.lpar.wait_for(lambda: not self.lpar.networks(), 20, "no network")

    def test_network_manager_restarted(self):
        """It has forgotten what it had applied, not stored: that is applied again."""
        self.bring_up()
        before = self.fingerprint()
        command = self.begin(self.changed())
        self.lpar.restart_nm()
        self.lpar.wait_for(lambda: self.peers() == ["10.136.12.0/24"], 20, "tried again")
        self.wait_state("running")
        self.assertEqual(self.end("--revert").returncode, 0)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.assertEqual(self.peers(), ["10.136.12.0/24", "10.137.12.0/24"])
        self.assert_back(before)

    def test_network_manager_away_at_the_end(self):
        before = self.fingerprint()
        command = self.begin(self.profile())
        self.lpar.stop_nm()
        revert = self.end("--revert")
        self.lpar.start_nm()
        self.assertEqual(revert.returncode, NOT_KEPT)
        self.assertIn("NetworkManager does not run: guests11 is taken back as soon as it does",
                      revert.stderr)
        self.assertEqual(command.ended(), NOT_KEPT)
        self.lpar.connected()
        self.assert_back(before)

    def test_network_manager_killed_while_it_takes_back(self):
        """What it was asked for, its next life does not know, and is asked for again."""
        before = self.fingerprint()
        for delay in (0, 0.02, 0.1):
            with self.subTest(delay):
                command = self.begin(self.profile())
                self.kill_when("state=taking-back", delay,
                               self.lpar.sh("pgrep -x NetworkManager").stdout.strip())
                revert = Command(self.lpar, "kvm-routedctl", "try", "--revert")
                self.lpar.start_nm_when_dead()
                self.assertEqual(command.ended(), NOT_KEPT)
                revert.ended()  # with an error, where its call was cut off; it is tried again
                self.assert_back(before)

    def test_the_service_ends_afterwards(self):
        """Not before: a try keeps it alive; then nothing of it is left, no process either."""
        command = self.begin(self.profile())
        self.assertTrue(self.lpar.sh("pgrep -f -- '[t]ry --watch'").stdout)
        self.end("--revert")
        command.ended()
        self.lpar.wait_for(lambda: not self.lpar.service_pid(), 30, "the end of the service")
        self.assertEqual(self.lpar.sh("find /run/nm-kvm-routed -name 'tries*'").stdout, "")
        self.assertEqual(self.lpar.sh("pgrep -f -- '[t]ry --watch' || :").stdout, "")

    def test_reboot(self):
        """What was not confirmed is gone."""
        self.lpar.load_profile(self.profile(), NAME)
        command = self.begin(self.changed())
        digest = self.lpar.sh(f"sha256sum {STORED}/*").stdout
        self.kill_client(command)
        self.bus.close()
        self.cec.reboot(self.lpar)
        type(self).bus = Bus(self.lpar)
        self.addClassCleanup(self.bus.close)
        self.assertEqual(self.tries(), [])
        self.assertEqual(self.lpar.sh(f"sha256sum {STORED}/*").stdout, digest)
        self.assertEqual(self.lpar.sh(f"grep -l {UUID} {IN_MEMORY}/* || :").stdout, "")

if __name__ == "__main__":
    labcase.main()
