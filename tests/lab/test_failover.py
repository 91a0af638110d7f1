# SPDX-License-Identifier: GPL-2.0-or-later
"""OSA failover, under a kernel that has bonding and VLAN: in_vm/test_failover.py has the tests."""

import pathlib
import re
import subprocess
import unittest

import labcase
import product

BUILD_KIND = "plain"

LAB = pathlib.Path(__file__).resolve().parent
TIMEOUT = 900  # seconds, all in all; one to two minutes is usual where nothing helps QEMU


class Failover(unittest.TestCase):
    def test_in_vm(self):
        installed = product.installed()
        # Should this program be killed, the virtual machine is, too.
        argv = ["setpriv", "--pdeathsig", "TERM", "--", LAB / "vm/run", "--timeout", str(TIMEOUT),
                "--share", installed, "--", "env", f"KVMR_PRODUCT={installed}",
                "/usr/bin/python3", "-B", "in_vm/test_failover.py"]
        result = subprocess.run(argv, cwd=LAB, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        self.assertEqual(result.returncode, 0, f"\n{result.stdout}")
        measured = re.findall(r"(?:there|back): .* s without a reply", result.stdout)
        self.assertEqual(len(measured), 4, result.stdout)
        print(*measured, sep="\n")


if __name__ == "__main__":
    labcase.main()
