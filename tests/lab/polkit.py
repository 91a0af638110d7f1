# SPDX-License-Identifier: GPL-2.0-or-later
"""The polkit of an LPAR: Debian's own polkitd, which the LPAR's bus starts when it is asked."""

import re

ACTION = "org.freedesktop.NetworkManager.KvmRouted."
ACTIONS = tuple(ACTION + name for name in ("control", "explain", "reapply", "restore", "try",
                                          "verify"))
RULES = "/etc/polkit-1/rules.d/00-lab.rules"
ACTIVATION = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
NAME = "org.freedesktop.PolicyKit1"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
DAEMON = ("setpriv", "--reuid=1", "--regid=1", "--clear-groups")

RULE = """\
polkit.addRule(function(action, subject) {{
    if ({actions}.indexOf(action.id) >= 0 && {users}.indexOf(subject.user) >= 0)
        return polkit.Result.YES;
}});
"""

# Waits until the agent is there, then is what the agent is for.
WITH_AGENT = """\
directory=$(mktemp -d)
mkfifo "$directory/fifo"
pkttyagent --process $$ --notify-fd 4 4>"$directory/fifo" &
read nothing <"$directory/fifo" || rm -r "$directory"
exec "$@"
"""


class Polkit:
    """Of one LPAR. Every change is taken back by `reset`."""

    def __init__(self, lpar):
        self._lpar = lpar

    def pid(self):
        """polkitd's process id inside the LPAR, None if it does not run; asking starts none."""
        answer = self._bus("GetConnectionUnixProcessID", NAME, check=False)
        number = re.search(r"uint32 (\d+)", answer.stdout)
        return int(number[1]) if number else None

    def kill(self):
        """The next question starts another one."""
        pid = self.pid()
        if pid:
            self._lpar.run("kill", "-KILL", str(pid))
            self._lpar.wait_for(lambda: self.pid() != pid, 10, "the end of polkitd")

    def allow(self, *actions, users=("nobody",)):
        """One rule, and no other; the next polkitd has it from its start."""
        self._lpar.write_file(RULES, RULE.format(actions=list(actions), users=list(users)))
        self.kill()

    def remove(self):
        """As if it were not installed."""
        self._lpar.run("mv", ACTIVATION, "/run/polkit-is-away")
        self._bus("ReloadConfig")
        self.kill()

    def reset(self):
        self._lpar.sh(f"rm -f {RULES}; if [ -e /run/polkit-is-away ]; then "
                      f"mv /run/polkit-is-away {ACTIVATION}; fi")
        self._bus("ReloadConfig")
        self.kill()

    def _bus(self, method, *arguments, check=True):
        return self._lpar.run("gdbus", "call", "--system", "--dest", "org.freedesktop.DBus",
                              "--object-path", "/org/freedesktop/DBus", "--method",
                              f"org.freedesktop.DBus.{method}", *arguments, check=check)

    def set_password(self, password):
        """Of root, the administrator whom polkit asks here."""
        self._lpar.run("chpasswd", input=f"root:{password}\n")
