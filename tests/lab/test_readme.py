# SPDX-License-Identifier: GPL-2.0-or-later
"""What the README tells a newcomer to type, typed in an LPAR, in the order of the README."""

import pathlib
import re

import labcase

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"


def blocks():
    """The README's shell blocks."""
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


class Readme(labcase.LabCase):
    def test_use(self):
        install, use, reapply, down = blocks()
        self.assertIn("meson install", install)
        lpar, guest = self.cec["lpar11"], self.cec["lpar11/guest1"]
        self.addCleanup(lpar.nmcli, "connection", "delete", "guests11", check=False)

        shown = lpar.run("bash", "-euo", "pipefail", "-c", f"cd /run\n{use}").stdout
        self.assertIn("guests11 (br-ex) is active", shown)
        self.assertIn("table arp kvm_routed", shown)
        lpar.attach_guests()
        lpar.wait_state("guests11", "active")
        for address in ("10.10.10.10", "172.18.0.100"):
            ping = guest.ping(address)
            self.assertTrue(ping, ping.output)

        lpar.sh(reapply)
        self.assertEqual(lpar.service_state("guests11"), "active")
        lpar.sh(down)
        lpar.wait_for(lambda: not lpar.networks(), 20, "the network ended")
        self.assertNotIn("kvm_routed", lpar.fingerprint()["nft list ruleset"])


if __name__ == "__main__":
    labcase.main()
