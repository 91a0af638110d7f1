# SPDX-License-Identifier: GPL-2.0-or-later
"""Open vSwitch in an LPAR: the real ovsdb-server and ovs-vswitchd, with whatever datapath a test
wants: the machine's kernel may have none."""

DIRECTORY = "/run/openvswitch"
DATABASE = f"{DIRECTORY}/conf.db"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"


class OpenVSwitch:
    """Both daemons, as long as it is entered; their files are in the LPAR's /run."""

    def __init__(self, lpar):
        self.lpar = lpar
        self._processes = {}

    def __enter__(self):
        self.lpar.sh(f"mkdir -p {DIRECTORY} && cd / && ovsdb-tool create {DATABASE} {SCHEMA}")
        self._start("ovsdb-server", f"--remote=punix:{DIRECTORY}/db.sock",
                    f"--unixctl={DIRECTORY}/ovsdb-server.ctl", DATABASE)
        self.vsctl("--no-wait", "init")
        self.start_switch()
        return self

    def start_switch(self):
        self._start("ovs-vswitchd", f"unix:{DIRECTORY}/db.sock",
                    f"--unixctl={DIRECTORY}/ovs-vswitchd.ctl")

    def _start(self, program, *argv):
        path = self.lpar.directory / f"{program}.log"
        with open(path, "ab") as log:
            self._processes[program] = self.lpar.popen(program, *argv, stdout=log, stderr=log)
        socket = "db.sock" if program == "ovsdb-server" else "ovs-vswitchd.ctl"
        self.lpar.wait_for(lambda: self.lpar.run("test", "-S", f"{DIRECTORY}/{socket}",
                                                 check=False).returncode == 0, 20, program)

    def stop_switch(self):
        self._processes["ovs-vswitchd"].stop()

    def vsctl(self, *argv):
        return self.lpar.run("ovs-vsctl", f"--db=unix:{DIRECTORY}/db.sock", "--timeout=20",
                             *argv).stdout

    def appctl(self, *argv):
        return self.lpar.run("ovs-appctl", f"--target={DIRECTORY}/ovs-vswitchd.ctl", *argv).stdout

    def bridges(self):
        return self.vsctl("list-br").split()

    def attach(self, guest, bridge):
        """Plug a guest in. The userspace datapath computes no checksums, which a NIC would."""
        self.vsctl("--may-exist", "add-port", bridge, guest.port)
        self.lpar.run("ip", "link", "set", guest.port, "up")
        guest.run("ethtool", "-K", guest.nic, "tx", "off")

    def __exit__(self, *_):
        for process in reversed(self._processes.values()):
            process.stop()
        self.lpar.run("rm", "-rf", DIRECTORY)
