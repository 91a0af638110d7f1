# SPDX-License-Identifier: GPL-2.0-or-later
"""systemd's journal in an LPAR: the real journald as a plain process, and the service connected to
it as systemd connects a unit.

    journal = Journal(lpar)
    journal.entries(MESSAGE_ID="…")     # a dictionary of fields for each message
"""

import json
import os
import subprocess

# The machine's audit and kernel log are none of the LPAR's.
CONFIG = """\
[Journal]
Storage=volatile
Audit=
ReadKMsg=no
ForwardToSyslog=no
ForwardToWall=no
RateLimitIntervalSec=0
"""

# systemd makes standard error of a unit such a stream; systemd-cat does the same, then is the unit.
COMMAND = ("/usr/bin/systemd-cat", "--identifier=nm-kvm-routed", "/usr/libexec/nm-kvm-routed")


class Journal:
    """The journal of an LPAR, running until the LPAR ends; its service starts anew, with it."""

    def __init__(self, lpar):
        self._lpar = lpar
        lpar.write_file("/etc/systemd/journald.conf", CONFIG)
        lpar.sh("""
            mkdir -p /run/systemd/journal /run/log/journal
            mount -t cgroup2 -o ro cgroup2 /sys/fs/cgroup
            mount -t tmpfs tmpfs /var/lib/systemd/catalog
            journalctl --update-catalog
        """)
        self._log = lpar.popen("/usr/lib/systemd/systemd-journald", stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        sockets = f"/proc/{lpar.holder}/root/run/systemd/journal"
        lpar.wait_for(lambda: {"socket", "stdout"} <= set(os.listdir(sockets)), 10,
                      "journald runs", interval=0.01)
        lpar.set_service_command(*COMMAND)
        lpar.run("gdbus", "call", "--system", "--dest", "org.freedesktop.DBus", "--object-path",
                 "/org/freedesktop/DBus", "--method", "org.freedesktop.DBus.ReloadConfig")
        lpar.signal_service()

    def run(self, *argv):
        """journalctl; its standard output."""
        return self._lpar.run("journalctl", "--no-pager", "--quiet",
                              "--directory=/run/log/journal", *argv).stdout

    def entries(self, **fields):
        """The messages of the service with these fields, the oldest first."""
        wanted = {"SYSLOG_IDENTIFIER": "nm-kvm-routed", **fields}
        lines = self.run("-o", "json", *(f"{key}={value}" for key, value in wanted.items()))
        return [json.loads(line) for line in lines.splitlines()]

    def wait_for(self, what, since=0, **fields):
        """The first of the entries from number `since` on with these fields, once there is one."""
        def found():
            return self.entries(**fields)[since:]

        return self._lpar.wait_for(found, 15, f"a message: {what}", interval=0.1)[0]
