# SPDX-License-Identifier: GPL-2.0-or-later
"""The real firewalld in an LPAR, with its defaults; its files are the LPAR's own.

    with Firewalld(lpar) as firewalld:
        assert firewalld.zone_of("br-ex") == "kvm-routed"
"""

import re
import signal

NAME = "org.fedoraproject.FirewallD1"
FILES = "/usr/lib/firewalld"
OURS = ("zones/kvm-routed.xml", "policies/kvm-routed-in.xml", "policies/kvm-routed-out.xml")


class Firewalld:
    """Runs from start() on, as a context manager inside the block."""

    def __init__(self, lpar):
        self.lpar = lpar
        self.log = f"{lpar.directory}/firewalld.log"
        self._process = None
        self._begin = 0  # of this life, in the log

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        with open(self.log, "ab") as log:
            self._begin = log.tell()
            self._process = self.lpar.popen("firewalld", "--nofork", "--nopid", "--log-target",
                                            "console", stdout=log, stderr=log)
        self.lpar.wait_for(self.runs, 30, "firewalld runs", interval=0.1)

    def runs(self):
        """Whether it answers: its name comes before its rules."""
        assert self._process.running(), open(self.log, encoding="utf-8").read()
        return self.lpar.run("firewall-cmd", "--state", check=False).stdout == "running\n"

    def stop(self):
        if self._process:
            self._process.stop(timeout=20)
            self._process = None

    def kill(self):
        """As the kernel does when memory is short: it cannot take its rules along."""
        self._process.stop(signal.SIGKILL)
        self._process = None

    def restart(self):
        self.stop()
        self.start()

    def cmd(self, *argv, check=True):
        """Run firewall-cmd; what it prints, without the end of the line."""
        return self.lpar.run("firewall-cmd", *argv, check=check).stdout.strip()

    def reload(self):
        self.cmd("--reload")

    def zone_of(self, interface):
        """The zone that an interface is in by name; "" if by default only."""
        done = self.lpar.run("firewall-cmd", f"--get-zone-of-interface={interface}", check=False)
        return "" if done.returncode else done.stdout.strip()

    def wait_zone(self, interface, zone, timeout=15):
        def there():
            seen = self.zone_of(interface)
            assert seen == zone, seen
            return True

        self.lpar.wait_for(there, timeout, f"{interface} in firewalld's zone {zone}", interval=0.1)

    def complaints(self):
        """What it wrote to its log since its start that is no routine."""
        with open(self.log, encoding="utf-8") as log:
            log.seek(self._begin)
            return [line for line in log if re.search("ERROR|WARNING", line)]


def remove_files(lpar):
    """Take our zone and policies away, as on a host where they are not installed: their texts."""
    texts = {name: lpar.run("cat", f"{FILES}/{name}").stdout for name in OURS}
    lpar.run("rm", *(f"{FILES}/{name}" for name in OURS))
    return texts


def put_files(lpar, texts):
    for name, text in texts.items():
        lpar.write_file(f"{FILES}/{name}", text)
