# SPDX-License-Identifier: GPL-2.0-or-later
"""What the README tells a newcomer to type, typed in an LPAR, in the order of the README."""

import pathlib
import re

import labcase

SYSTEMS = "machine"

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"


def blocks():
    """The README's shell blocks."""
    return re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)


class Readme(labcase.LabCase):
    def test_use(self):
        install, use, look, change, down, file = blocks()
        self.assertIn("meson install", install)
        lpar, guest = self.cec["lpar11"], self.cec["lpar11/guest1"]
        self.addCleanup(lpar.nmcli, "connection", "delete", "guests11", check=False)

        self.assertIn("guests11 (br-ex) is active", self.type_in(use))
        lpar.attach_guests()
        for address in ("10.10.10.10", "172.18.0.100"):
            ping = guest.ping(address)
            self.assertTrue(ping, ping.output)

        other = self.cec["lpar12"]
        other.load_profile(other.profile("guests12"), "guests12")
        other.up("guests12")
        seen = self.type_in(look)
        self.assertIn("10.136.11.1 reaches 10.10.10.10", seen)
        self.assertIn("172.31.56.2", seen)
        self.assertIn(".tar.gz", seen)

        self.assertIn("10.136.13.0/24 172.31.56.3", self.type_in(change))
        lpar.wait_for(lambda: "10.136.13.0/24" in lpar.run("ip", "route").stdout, 10, "the route")
        self.assertEqual(lpar.service_state("guests11"), "active")
        self.type_in(down)
        lpar.wait_for(lambda: not lpar.networks(), 20, "the network ended")
        self.assertNotIn("kvm_routed", lpar.fingerprint()["nft list ruleset"])
        self.assertIn("table arp kvm_routed", self.type_in(file))

    def type_in(self, block):
        """In a shell of the LPAR that ends with the first command that fails; the output."""
        script = f"cd /run\n{block}"
        return self.cec["lpar11"].run("bash", "-euo", "pipefail", "-c", script, timeout=120).stdout


if __name__ == "__main__":
    labcase.main()
