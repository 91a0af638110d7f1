# SPDX-License-Identifier: GPL-2.0-or-later
"""An LPAR of the virtual CEC: a host with a D-Bus, a NetworkManager and the product of its own."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import uuid

import sandbox
import words
from hosts import Host, LabError, link_commands, tail, wait_for

# The root of the Debian whose programs the LPARs have, see matrix/; empty: the machine's.
SYSTEM = os.environ.get("KVMR_SYSTEM", "")

BUS_NAME = "org.freedesktop.NetworkManager.KvmRouted"

# NetworkManager takes part in nothing here but the links: no resolver, no host name, no polkit.
# The ports of the guests are left alone, as those of running virtual machines are.
NM_CONFIG = """\
[main]
plugins=keyfile
dns=none
rc-manager=unmanaged
systemd-resolved=false
hostname-mode=none
auth-polkit=false
no-auto-default=*

[keyfile]
unmanaged-devices=interface-name:vnet*

[connectivity]
enabled=false

[logging]
level={level}
"""

# What dbus-daemon says even if all is well. The rest of its log is what the services wrote.
BUS_ROUTINE = r"^dbus-daemon.*(Activating|Successfully activated|Reloaded|fd limit|hostname1)"

GENERATOR = "/usr/lib/systemd/system-generators/kvm-routed-generator"
UNIT = "usr/lib/systemd/system/nm-kvm-routed.service"
ACTIVATION = f"/usr/share/dbus-1/system-services/{BUS_NAME}.service"
ACTIVATION_TEXT = f"""\
[D-BUS Service]
Name={BUS_NAME}
Exec={{command}}
User=root
"""

OUR_TABLE = re.compile(r"^(table \w+ kvm_routed \{\n)(.*?\n)(\}\n)", re.MULTILINE | re.DOTALL)

LINK_PROFILE = """\
[connection]
id={name}
uuid={uuid}
type=ethernet
interface-name={name}

[ethernet]
mtu={mtu}

[ipv4]
method=manual
{addresses}
[ipv6]
method=disabled
"""


def in_fixed_order(ruleset):
    """What nft lists, with our tables at the end and the objects of each in one order: the kernel
    lists both in that of their making, which is another one where a table was put back."""
    def in_order(table):
        begin, objects, end = table
        return begin + "\n\n".join(sorted(objects.rstrip("\n").split("\n\n"))) + "\n" + end

    ours = map(in_order, OUR_TABLE.findall(ruleset))
    return OUR_TABLE.sub("", ruleset) + "".join(sorted(ours))


class Guest(Host):
    """A guest: its one NIC is a veth whose other end is a port in the LPAR."""

    def __init__(self, name, config, lpar, keep=False):
        super().__init__(name, config, keep)
        self.lpar = lpar
        self.port = config["port"]
        self.nic = self.links[0]["name"]
        self.address = self.links[0]["addresses"][0].split("/")[0]

    def diagnosis(self):
        return self.lpar.diagnosis()


class Lpar(Host):
    """See the module's text. `guests` are its Guests by their short names."""

    # /usr and /etc are overlays of the machine's, or of another Debian's ($4), with the product
    # (DESTDIR tree, $3) between: installed here and nowhere else. What the LPAR writes there ends
    # with it.
    # NetworkManager does without udev only where it finds /sys read-only.
    SETUP = Host.SETUP + """
        mount -o remount,ro,bind /sys
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p /run/dbus /run/lock /run/NetworkManager
        directory=$2
        mount -t tmpfs tmpfs "$directory/overlay"
        for tree in usr etc; do
            mkdir "$directory/overlay/$tree" "$directory/overlay/$tree.work"
            lower=$4/$tree
            if [ -n "$3" ] && [ -d "$3/$tree" ]; then lower="$3/$tree:$lower"; fi
            mount -t overlay -o "lowerdir=$lower,upperdir=$directory/overlay/$tree" \
                  -o "workdir=$directory/overlay/$tree.work" overlay "/$tree"
        done
        mount --bind "$directory/etc" /etc/NetworkManager
        mkdir -p /var/lib/NetworkManager
        mount --bind "$directory/var" /var/lib/NetworkManager
    """

    def __init__(self, name, config, directory, product=None, keep=False):
        super().__init__(name, config, keep)
        self.id = config["id"]
        self.switch = config["switch"]
        self.product = product
        self.guests = {short: Guest(f"{name}/{short}", guest, self, keep)
                       for short, guest in config["guests"].items()}
        self.directory = pathlib.Path(directory)
        self.profiles_directory = self.directory / "etc/system-connections"
        self.logs = {daemon: self.directory / f"{daemon}.log"
                     for daemon in ("NetworkManager", "dbus")}
        self._bus = self._nm = None
        self._prepare_files()

    def _prepare_files(self):
        for sub in ("overlay", "var", "etc/conf.d", "etc/system-connections",
                    "etc/dispatcher.d/pre-up.d", "etc/dispatcher.d/pre-down.d",
                    "etc/dispatcher.d/no-wait.d"):
            (self.directory / sub).mkdir(parents=True)
        level = os.environ.get("KVMR_NM_LOG", "INFO")
        (self.directory / "etc/NetworkManager.conf").write_text(NM_CONFIG.format(level=level))
        for link in self.managed_links():
            self.write_profile(link["name"], self._link_profile(link))

    def managed_links(self):
        """The links that are profiles of NetworkManager: all that the topology does not call
        "external", which are configured by `ip` instead."""
        return [link for link in self.links if not link.get("external")]

    @staticmethod
    def _link_profile(link):
        addresses = "".join(f"address{n}={address}\n"
                            for n, address in enumerate(link["addresses"], 1))
        return LINK_PROFILE.format(name=link["name"], mtu=link["mtu"], addresses=addresses,
                                   uuid=uuid.uuid5(uuid.NAMESPACE_DNS, f"{link['name']}.lab"))

    # -- life

    def setup_arguments(self):
        return [self.name, str(self.directory), str(self.product or ""), SYSTEM]

    def configure(self, links):
        batch = []
        for link in links:
            if link not in self.links:
                continue  # a guest's port: attach_guests()
            if link.get("external"):
                batch += link_commands(link)
            elif not link.get("arp", True):
                batch.append(f"link set {link['name']} arp off")
        self.ip_batch(batch)

    def start_daemons(self):
        """Start D-Bus and NetworkManager, as at boot; connected() waits for the links."""
        if self.product:
            # systemd has it make units before anything is started.
            self.run(GENERATOR, *["/run/systemd/generator"] * 3)
        # The bus starts services on demand with its own launch helper; what they write to standard
        # error, it passes on to its own.
        if self.product:
            self.set_service_command("/usr/libexec/nm-kvm-routed")
        self._bus = self._daemon("dbus", "dbus-daemon", "--system", "--nofork", "--nopidfile",
                                 "--nosyslog")
        bus_socket = f"/proc/{self.holder}/root/run/dbus/system_bus_socket"
        self.wait_for(lambda: os.path.exists(bus_socket), 10, "the D-Bus socket", interval=0.01)
        self.start_nm()

    def set_service_command(self, *argv, mounts=False, confined=True):
        """What the bus starts as the service from its next start on: as confined as systemd's unit
        has it (see sandbox.py), or not at all (KVMR_UNCONFINED=1: for what writes files or code,
        such as a build that counts, and valgrind)."""
        if confined and not os.environ.get("KVMR_UNCONFINED"):
            argv = [*self._confined(mounts), *argv]
        self.write_file(ACTIVATION, ACTIVATION_TEXT.format(command=" ".join(argv)))

    def _confined(self, mounts):
        directory = self.directory / "sandbox"
        before = sandbox.prepare(pathlib.Path(self.product) / UNIT, directory, mounts)
        shutil.copy(pathlib.Path(__file__).with_name(sandbox.CONFINE), directory)
        return before

    def _daemon(self, log, *argv):
        with open(self.logs[log], "ab") as file:
            return self.popen(*argv, stdin=subprocess.DEVNULL, stdout=file,
                              stderr=subprocess.STDOUT)

    def connected(self, timeout=30):
        """Wait until NetworkManager has brought up all links of the topology."""
        wanted = {link["name"] for link in self.managed_links()}

        def all_connected():
            states = self.devices()
            missing = {name: states.get(name, "absent") for name in wanted
                       if states.get(name) != "connected"}
            # An AssertionError is what wait_for() quotes if it stays so.
            assert not missing, missing
            return True

        self.wait_for(all_connected, timeout, f"{', '.join(sorted(wanted))} connected",
                      interval=0.1)

    def start_nm(self):
        self._nm = self._daemon("NetworkManager", "NetworkManager", "--debug")

    def stop_nm(self, timeout=20):
        """Stop NetworkManager as a service manager does; it leaves the links as they are."""
        self._nm.stop(timeout=timeout)

    def kill_nm(self):
        """The hard way."""
        self._nm.send_signal(signal.SIGKILL)
        self._nm.wait()

    def kill_bus(self):
        self._bus.send_signal(signal.SIGKILL)
        self._bus.wait()
        self.run("rm", "/run/dbus/system_bus_socket")

    def start_nm_when_dead(self, timeout=20):
        """Wait for the end of a NetworkManager that somebody killed, and start the next one."""
        self._nm.wait(timeout)
        self.start_nm()
        self.connected()

    def restart_nm(self):
        self.stop_nm()
        self.start_nm()
        self.connected()

    def diagnosis(self):
        logs = "".join(tail(path, skip=BUS_ROUTINE) for path in self.logs.values())
        return f"{self.name}:\n{logs}" if logs else ""

    def wait_for(self, predicate, timeout, what, interval=0.05):
        return wait_for(predicate, timeout, f"{self.name}: {what}", interval, self.diagnosis)

    # -- NetworkManager

    def nmcli(self, *argv, check=True, timeout=40):
        """Run NetworkManager's own nmcli; its standard output."""
        return self.run("/usr/bin/nmcli", *argv, check=check, timeout=timeout).stdout

    def nm_version(self):
        """Such as (1, 42)."""
        text = self.run("NetworkManager", "--version").stdout
        return tuple(int(number) for number in text.split(".")[:2])

    def nm_writes_forwarding(self):
        """Since 1.54 NetworkManager writes `forwarding` of its devices at each activation and
        reapply (ipv4.forwarding): for a moment it is what it is by default."""
        return self.nm_version() >= (1, 54)

    def devices(self):
        """NetworkManager's devices and their states, e.g. {"o5s_10g_1": "connected"}."""
        lines = self.nmcli("-t", "-f", "DEVICE,STATE", "device").splitlines()
        return dict(line.split(":", 1) for line in lines)

    def write_profile(self, name, text):
        path = self.profiles_directory / f"{name}.nmconnection"
        path.touch(mode=0o600)
        path.write_text(text)
        return f"/etc/NetworkManager/system-connections/{path.name}"

    def expand(self, text):
        """The native keyfile of a profile with type=kvm-routed, as the product expands it."""
        return self.run("kvm-routedctl", "expand", "-", input=text).stdout

    def load_profile(self, text, name):
        """Put a profile (keyfile text, may be type=kvm-routed) where NetworkManager has it."""
        if re.search(r"^\s*type\s*=\s*kvm-routed\s*$", text, re.MULTILINE):
            text = self.expand(text)
        self.nmcli("connection", "load", self.write_profile(name, text))

    def add_profile(self, text):
        """Add a profile with type=kvm-routed as an administrator does; the command that did it."""
        argv = ["nmcli", "connection", "add", *words.from_text(text)]
        self.run(*argv)
        return words.shown(argv)

    def profile(self, name):
        """The text of a kvm-routed profile of the topology."""
        return "\n".join(self.config["profiles"][name]) + "\n"

    def up(self, name, state="active", timeout=30):
        """Bring a profile of the guest interface up and attach the guests. With the product, wait
        until its network is in that state (None: don't)."""
        self.begin_up(name)
        self.wait_up(name, state, timeout)

    def begin_up(self, name):
        self.nmcli("connection", "up", name)
        self.attach_guests()

    def wait_up(self, name, state="active", timeout=30):
        self.wait_for(lambda: self.devices().get(self.switch) == "connected", timeout,
                      f"{self.switch} connected", interval=0.1)
        if self.product and state:
            self.wait_state(name, state, timeout)

    def down(self, name, timeout=20):
        """Take a profile down and wait until its interface, and what was done for it, is gone."""
        self.nmcli("connection", "down", name)
        self.wait_for(lambda: not self.link(self.switch), timeout, f"no {self.switch}")
        if self.product:
            self.wait_for(lambda: self.service_state(name) in (None, "inactive"), timeout,
                          f"network {name} ended", interval=0.1)

    def delete_profile(self, name):
        """Delete a profile, whatever state it is in."""
        self.nmcli("connection", "delete", name)

    def reset(self, timeout=20):
        """Back to how the LPAR was built: the links up, no other profile, no guest interface."""
        links = {link["name"] for link in self.managed_links()}
        profiles = self.nmcli("-t", "-f", "NAME,UUID", "connection").splitlines()
        for name, identifier in (line.rsplit(":", 1) for line in profiles):
            if name not in links and name != "lo":
                self.nmcli("connection", "delete", identifier, check=False)
        self.wait_for(lambda: not self.link(self.switch), timeout, f"no {self.switch}")
        if self.product:
            self.wait_for(lambda: not self.networks(), timeout, "no network left", interval=0.1)
        states = self.devices()
        for name in links:
            if states.get(name) != "connected":
                self.nmcli("connection", "up", name)

    # -- guests

    def attach_guests(self, switch=None):
        """Plug the guests into the switch; those that are in it already stay untouched."""
        switch = switch or self.switch
        # The one of before may be there still, about to go.
        self.wait_for(lambda: self._attach(switch), 10, f"guests in {switch}")

    def _attach(self, switch):
        masters = {link["ifname"]: link.get("master") for link in self.ip("link", "show")}
        if switch not in masters:
            return False
        try:
            self.ip_batch([f"link set {guest.port} master {switch} up"
                           for guest in self.guests.values() if masters[guest.port] != switch])
        except LabError:
            if self.link(switch):
                raise
            return False
        return True

    def detach_guests(self):
        self.ip_batch([f"link set {guest.port} nomaster down" for guest in self.guests.values()])

    # -- the product

    def status(self):
        """`kvm-routedctl status --json` as Python data: {"networks": […], "counters": {…}}."""
        # Its exit status tells the networks' state too; if it fails it prints nothing.
        done = self.run("kvm-routedctl", "status", "--json", check=False)
        if not done.stdout:
            raise LabError(f"{self.name}: kvm-routedctl status: {done.stderr}")
        return json.loads(done.stdout)

    def networks(self):
        return self.status()["networks"]

    def network(self, name):
        """One network of the service, by its id, UUID or interface; None when it has none such."""
        return next((network for network in self.networks()
                     if name in (network["id"], network["uuid"], network["interface"])), None)

    def service_state(self, name):
        """`active`, `degraded`, … of a network; None when the service does not know it."""
        network = self.network(name)
        return network and network["state"]

    def wait_state(self, name, state, timeout=30):
        def reached():
            network = self.network(name) or {}
            assert network.get("state") == state, network
            return network

        return self.wait_for(reached, timeout, f"network {name} {state}", interval=0.1)

    def service_pid(self):
        """The service's process id inside the LPAR; None when it does not run (asking does not
        start it)."""
        answer = self.run("gdbus", "call", "--system", "--dest", "org.freedesktop.DBus",
                          "--object-path", "/org/freedesktop/DBus", "--method",
                          "org.freedesktop.DBus.GetConnectionUnixProcessID", BUS_NAME, check=False)
        number = re.search(r"uint32 (\d+)", answer.stdout)
        return int(number.group(1)) if number else None

    def signal_service(self, number=signal.SIGTERM):
        """Send the service a signal and wait until it left the bus; false when none ran."""
        pid = self.service_pid()
        if pid is None:
            return False
        self.run("kill", f"-{int(number)}", str(pid))
        self.wait_for(lambda: self.service_pid() != pid, 10, "the end of the service")
        return True

    def is_running(self, pid):
        """Whether a process of the LPAR is there and has not ended, by its id inside it."""
        command = self.run("cat", f"/proc/{pid}/cmdline", check=False).stdout
        return bool(command)  # of one that ended, but whom nobody asked for how, it is empty

    # -- what is in the kernel

    def fingerprint(self):
        """The LPAR's network state as texts that are byte-identical as long as nothing changed.

        All of net.ipv4 is in it: none of these settings changes by itself (a TCP server with fast
        open would draw tcp_fastopen_key; there is none here).
        """
        return {
            "nft list ruleset": in_fixed_order(self.run("nft", "list", "ruleset").stdout),
            "ip route": self.run("ip", "-4", "route", "show", "table", "all").stdout,
            "ip rule": self.run("ip", "-4", "rule", "show").stdout,
            "sysctl net.ipv4": self.ipv4_values(),
        }

    def ipv4_values(self):
        """All settings of net.ipv4 that can be read. An interface may vanish meanwhile."""
        values = self.run("grep", "-rs", ".", "/proc/sys/net/ipv4", check=False).stdout
        if "/conf/all/forwarding:" not in values:
            raise LabError(f"{self.name}: the settings of net.ipv4 can't be read: {values!r}")
        return values

    def settled_fingerprint(self, seconds=0.5, timeout=15):
        """fingerprint(), once it has stayed the same for a while."""
        deadline = time.monotonic() + timeout
        before = self.fingerprint()
        while time.monotonic() < deadline:
            time.sleep(seconds)
            after = self.fingerprint()
            if after == before:
                return after
            before = after
        raise LabError(f"{self.name}: the network state does not settle within {timeout} s")
