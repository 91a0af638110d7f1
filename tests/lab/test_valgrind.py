# SPDX-License-Identifier: GPL-2.0-or-later
"""One life of the service under valgrind: no access that is wrong, nothing lost."""

import analysis
import labcase

# Valgrind and the sanitizers do not work together.
BUILD_KIND = "plain"
SYSTEMS = "machine"

NAME = "guests11"
SERVICE = "/usr/libexec/nm-kvm-routed"
LOG = "/run/valgrind.log"


class Life(labcase.LabCase):
    maxDiff = None

    def setUp(self):
        self.lpar = self.cec["lpar11"]
        self.guest = self.cec["lpar11/guest1"]
        self.lpar.signal_service()
        valgrind, *options = analysis.VALGRIND
        # It writes the code that it runs.
        self.lpar.set_service_command(f"/usr/bin/{valgrind}", *options, f"--log-file={LOG}",
                                      SERVICE, confined=False)

    def test_life(self):
        lpar, profile = self.lpar, self.lpar.profile(NAME)
        lpar.load_profile(profile, NAME)
        lpar.up(NAME, timeout=120)
        self.assertTrue(self.guest.ping("10.10.10.10"))
        self.look()
        self.change(profile)
        self.disturb()
        lpar.down(NAME, timeout=60)
        self.end()
        self.assertEqual(lpar.run("cat", LOG).stdout, "")

    def look(self):
        """Every question that can be asked."""
        for argv in (["status"], ["check", NAME], ["plan", NAME],
                     ["explain", self.guest.address, "10.10.10.10"],
                     ["explain", "10.10.10.10", self.guest.address]):
            done = self.lpar.run("kvm-routedctl", *argv, check=False, timeout=120)
            self.assertEqual(done.returncode, 0, f"{argv}\n{done.stdout}{done.stderr}")
        # The other LPAR has no network: that its guests do not answer is no failure of ours.
        self.assertIn(" 0 failed", self.lpar.run("kvm-routedctl", "verify", NAME, check=False,
                                                 timeout=120).stdout)

    def change(self, profile):
        text = profile.replace("[kvm-routed]\n", "[kvm-routed]\nhost-access=basic\n")
        self.lpar.load_profile(text, NAME)
        self.lpar.nmcli("device", "reapply", self.lpar.switch)
        self.lpar.wait_for(lambda: not self.tcp_to_host(), 60, "no more than basic access")

    def tcp_to_host(self):
        self.lpar.serve(7000)
        return self.guest.tcp("10.136.11.254", 7000, timeout=1)

    def disturb(self):
        """Everything is put back after somebody else took it away."""
        self.lpar.run("nft", "flush", "ruleset")
        self.lpar.sysctl("net/ipv4/conf/br-ex/forwarding", 0)
        self.lpar.run("ip", "route", "flush", "proto", "kvm-routed")
        self.lpar.wait_for(lambda: self.lpar.run("ip", "route", "show", "proto", "kvm-routed").stdout,
                           60, "the routes")
        self.lpar.wait_for(lambda: self.guest.ping("10.10.10.10", count=1), 60, "forwarding")
        self.lpar.run("ip", "link", "set", "o5s_10g_1", "down")
        self.lpar.wait_state(NAME, "degraded", 60)
        self.lpar.run("ip", "link", "set", "o5s_10g_1", "up")
        self.lpar.wait_state(NAME, "active", 60)

    def end(self):
        pid = self.lpar.service_pid()
        self.assertIn("valgrind", self.lpar.run("cat", f"/proc/{pid}/cmdline").stdout)
        self.lpar.signal_service()
        self.lpar.wait_for(lambda: not self.lpar.is_running(pid), 60, "the end of the service")


if __name__ == "__main__":
    labcase.main()
