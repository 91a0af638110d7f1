# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on an Open vSwitch whose datapath is the kernel's, which the virtual IBM Z has."""

import os

import labcase
import test_ovs

SYSTEMS = "z"


if os.environ.get("KVMR_SYSTEM"):  # Debian 12's NetworkManager knows no Open vSwitch
    class OneProfile(test_ovs.Scenarios):
        """`switch=openvswitch`: NetworkManager makes the bridge."""

        DATAPATH = "system"
else:
    class KernelDatapath(test_ovs.InternalPort):
        DATAPATH = "system"

        def test_the_kernel_forwards(self):
            self.make()
            self.lpar.run("kvm-routedctl", "up", test_ovs.NAME)
            self.wait_routed()
            link, = self.lpar.ip("-d", "link", "show", "dev", test_ovs.SWITCH)
            self.assertEqual(link["linkinfo"]["info_kind"], "openvswitch")
            self.assert_reaches(self.guest, test_ovs.LAN, server="lanserver", size=1_000_000)
            self.assertIn("system@ovs-system", self.ovs.appctl("dpctl/show"))
            self.assertIn("packets:", self.ovs.appctl("dpctl/dump-flows", "system@ovs-system"))

        def test_spoofed_and_refused(self):
            self.make()
            self.lpar.run("kvm-routedctl", "up", test_ovs.NAME)
            self.wait_routed()
            self.assert_refused_as_on_a_bridge()


if __name__ == "__main__":
    labcase.main()
