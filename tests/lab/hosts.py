# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts of the virtual CEC: one set of Linux namespaces each, and what a test does with them.

A host is a *holder* process, PID 1 of a PID namespace of its own, with its own network, mount, UTS
and IPC namespaces. Nothing is registered anywhere else (no /run/netns, no mount of the machine), so
the death of the holder takes everything along: processes, links, mounts.
"""

import contextlib
import ctypes
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import threading
import time

# What a sanitizer prints, wherever it was caught.
COMPLAINT = re.compile(r"ERROR: (Address|Leak)Sanitizer|runtime error: |Sanitizer: DEADLYSIGNAL|"
                       r"LeakSanitizer has encountered")

CLONE_NEWNET = 0x40000000

# What the programs in a host see; nothing of the caller's environment, least of all its D-Bus.
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "TERM": os.environ.get("TERM", "dumb"),
}

# How many times as long as on a usual machine anything may take: for one that is emulated.
PATIENCE = float(os.environ.get("KVMR_PATIENCE") or 1)

_libc = ctypes.CDLL(None, use_errno=True)


class LabError(Exception):
    """A step of the lab failed: what was done and came back (`text`), and what the logs say."""

    def __init__(self, text, logs=""):
        super().__init__(f"{text}\n{logs}" if logs else text)
        self.text = text


def describe(argv):
    return " ".join(argv)


def wait_for(predicate, timeout, what, interval=0.05, details=None):
    """Poll until predicate() is true and return its value.

    A LabError or AssertionError of the predicate counts as "not yet". When time is over, the error
    says what was waited for and what was seen last; details() adds text, e.g. logs.
    """
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    while True:
        try:
            seen = predicate()
            if seen:
                return seen
        except LabError as error:
            seen = error.text
        except (AssertionError, OSError) as error:
            seen = error
        if time.monotonic() >= deadline:
            raise LabError(f"waited {timeout:g} s in vain for: {what}\nlast seen: {seen}",
                           details() if details else "")
        time.sleep(interval)


def tail(path, lines=15, skip=None):
    """The last lines of a log, without those that match skip, as indented text, if any."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            text = [line for line in log if not (skip and re.search(skip, line))][-lines:]
    except OSError:
        text = []
    return f"--- end of {path}\n" + "".join("    " + line for line in text) if text else ""


class Process:
    """A program that runs on in a host. Always killed when its host ends."""

    def __init__(self, argv, **streams):
        self.argv = argv
        self._popen = subprocess.Popen(argv, env=ENVIRONMENT, start_new_session=True, **streams)
        self.stdout = self._popen.stdout
        self.stderr = self._popen.stderr
        self.stdin = self._popen.stdin

    @property
    def pid(self):
        """The program's process id as this machine sees it (nsenter, its parent, only waits)."""
        nsenter = self._popen.pid
        children = f"/proc/{nsenter}/task/{nsenter}/children"

        def child():
            with open(children, encoding="ascii") as file:
                return file.read().split()

        return int(wait_for(child, 5, f"the start of {describe(self.argv)}", 0.002)[0])

    def running(self):
        return self._popen.poll() is None

    def send_signal(self, number):
        if self.running():
            with contextlib.suppress(LabError, ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout=10):
        timeout *= PATIENCE
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"`{describe(self.argv)}` did not end within {timeout:g} s") from None

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream:
                stream.close()

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Ask the program to end and wait until it has; returns its exit status."""
        self.send_signal(number)
        return self.wait(timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Ping:
    """The result of a ping; true when every echo request was answered."""

    def __init__(self, output):
        self.output = output
        counts = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", output)
        self.sent, self.received = map(int, counts.groups()) if counts else (0, 0)
        self.times_ms = [float(ms) for ms in re.findall(r"time=([\d.]+) ms", output)]

    def __bool__(self):
        return 0 < self.sent == self.received

    def __repr__(self):
        return f"<Ping {self.received} of {self.sent} answered>"


class TcpReply:
    """What a server of the lab said of a connection: from where, and how many bytes, it got."""

    def __init__(self, source, received):
        self.source = source
        self.received = received

    def __repr__(self):
        return f"<TcpReply source={self.source} received={self.received}>"


class TcpServer(threading.Thread):
    """Reads what a client sends until its end and answers `ADDRESS COUNT`, as it saw them."""

    def __init__(self, listener):
        super().__init__(daemon=True)
        self._listener = listener
        self._listener.listen(16)
        self.start()

    def run(self):
        while True:
            try:
                connection, (source, _) = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection, source), daemon=True).start()

    @staticmethod
    def _answer(connection, source):
        connection.settimeout(10)
        count = 0
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                count += len(data)
            connection.sendall(f"{source} {count}".encode())

    def close(self):
        # shutdown() wakes the thread in accept(); close() alone would leave it there.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.join(5)


class Capture:
    """tcpdump on a link: a context manager; `lines` holds a line per packet, at last after the end.

    It is listening when the block begins, and packets of the block are in when it has ended.
    """

    SETTLE = 0.3  # seconds: packets just sent are on their way through the kernel to tcpdump

    def __init__(self, host, device, expression):
        self._host, self._device, self._expression = host, device, expression
        self._process = self._reader = None
        self._remarks = []
        self.lines = []

    def __enter__(self):
        argv = ["tcpdump", "-i", self._device, "-n", "-e", "-l", "--immediate-mode", "-tt",
                "-Z", "root"]
        self._process = self._host.popen(*argv, *self._expression.split(),
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        listening = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(listening,), daemon=True)
        self._reader.start()
        if not listening.wait(10 * PATIENCE) or not self._process.running():
            self._process.kill()
            raise LabError(f"{self._host.name}: tcpdump on {self._device} does not start: "
                           + "; ".join(self._remarks))
        return self

    def _read(self, listening):
        for raw in self._process.stdout:
            line = raw.decode(errors="replace").rstrip()
            if re.match(r"\d+\.\d+ ", line):
                self.lines.append(line)
            elif line.startswith("listening on"):
                listening.set()
            else:
                self._remarks.append(line)
        listening.set()

    def __exit__(self, *_):
        time.sleep(self.SETTLE)
        self._process.send_signal(signal.SIGINT)
        self._reader.join(5)
        self._process.kill()

    def matching(self, pattern):
        return [line for line in self.lines if re.search(pattern, line)]


class Host:
    """A system of the lab: a guest, a server, a z/OS, a network segment; an LPAR is a subclass."""

    NAMESPACES = ("--net", "--mount", "--uts", "--ipc", "--pid")
    SETUP = """
        set -e
        hostname "$1"
        mount -t sysfs sysfs /sys
        ip link set lo up
        sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    """
    # An ignored SIGCHLD makes the kernel reap the orphans that PID 1 inherits; exec keeps it.
    STAY = "trap '' CHLD; echo ready; exec sleep infinity"

    def __init__(self, name, config, keep=False):
        self.name = name
        self.config = config
        self.links = config.get("links", [])
        self.holder = None  # process id of the namespaces' PID 1, as this machine sees it
        self._keep = keep
        self._unshare = None
        self._servers = {}
        self._processes = []

    def __repr__(self):
        return f"<{type(self).__name__} {self.name}>"

    # -- life

    def setup_arguments(self):
        """$1, $2, … of SETUP."""
        return [self.name.replace("/", "-")]

    def start(self):
        """Begin to make the namespaces; ready() waits until they are there."""
        leash = [] if self._keep else ["setpriv", "--pdeathsig", "KILL", "--"]
        argv = leash + ["unshare", *self.NAMESPACES, "--fork", "--kill-child", "--mount-proc",
                        "sh", "-c", self.SETUP + self.STAY, "sh", *self.setup_arguments()]
        self._unshare = subprocess.Popen(argv, env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         start_new_session=True)

    def ready(self, timeout=20):
        pipe = self._unshare.stdout
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            deadline = time.monotonic() + timeout * PATIENCE
            while not said.endswith(b"ready\n"):
                chunk = b""
                if selector.select(max(0, deadline - time.monotonic())):
                    chunk = os.read(pipe.fileno(), 4096)
                if not chunk:
                    raise LabError(f"cannot make the namespaces of {self.name}: "
                                   f"{said.decode(errors='replace').strip() or 'no answer'}")
                said += chunk
        pipe.close()
        pid = self._unshare.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            self.holder = int(children.read().split()[0])
        for key, value in self.config.get("sysctl", {}).items():
            self.sysctl(key, value)

    def stop(self):
        """End the host with all that runs in it."""
        self.begin_stop()
        for process in self._processes:
            process.kill()
        self._processes.clear()
        if self._unshare:
            self._unshare.stdout.close()
            self._unshare.wait()
        self._unshare = self.holder = None

    def begin_stop(self):
        """Send the host to its end; the kernel takes a while, so several hosts go together."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        if self.holder:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.holder, signal.SIGKILL)
        elif self._unshare:
            self._unshare.kill()

    def diagnosis(self):
        """Text that helps to understand a failure on this host."""
        return ""

    # -- programs

    def enter(self):
        """The command that enters this host, to be put before another one."""
        # -r: the host's own root directory, also where this program itself runs in a chroot.
        return ["nsenter", "-t", str(self.holder), "-m", "-u", "-i", "-n", "-p", "-r", "--"]

    def popen(self, *argv, **streams):
        """Start a program that runs on: a Process."""
        process = Process(self.enter() + list(argv), **streams)
        self._processes.append(process)
        return process

    def run(self, *argv, check=True, input=None, timeout=30):
        """Run a program in this host to its end: a CompletedProcess with text output."""
        if not self.holder:
            raise LabError(f"{self.name} is not running: cannot run `{describe(argv)}`")
        timeout *= PATIENCE
        streams = dict(stdin=subprocess.PIPE if input is not None else subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
        with subprocess.Popen(self.enter() + list(argv), env=ENVIRONMENT, start_new_session=True,
                              **streams) as process:
            try:
                out, err = process.communicate(input, timeout)
            except BaseException as error:
                # The group: nsenter alone would leave its child behind, holding our pipes open.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    out, err = process.communicate()
                    raise self._failed(argv, f"did not end within {timeout:g} s", out + err)
                raise
        if check and process.returncode != 0:
            raise self._failed(argv, f"exit status {process.returncode}", out + err)
        if COMPLAINT.search(err):
            raise self._failed(argv, "a sanitizer complains", err)
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def _failed(self, argv, how, output):
        lines = [f"{self.name}: `{describe(argv)}`: {how}"]
        lines += [f"    {line}" for line in output.splitlines()]
        return LabError("\n".join(lines), self.diagnosis())

    def sh(self, script, **options):
        """Run a shell script; it stops at the first failing command."""
        return self.run("sh", "-ec", script, **options)

    def write_file(self, path, text, mode="644"):
        """Write a file as this host sees its files; in an LPAR, /usr and /etc are its own."""
        self.run("sh", "-ec", 'cat > "$1"; chmod "$2" "$1"', "sh", path, mode, input=text)

    def ip(self, *argv):
        """`ip -json …` as Python data."""
        output = self.run("ip", "-json", *argv).stdout
        return json.loads(output) if output.strip() else []

    def ip_batch(self, lines):
        if lines:
            self.run("ip", "-batch", "-", input="".join(f"{line}\n" for line in lines))

    # -- links and settings

    def configure(self, links):
        """Give new links of the topology their addresses and routes, as a static network does."""
        batch = []
        for link in links:
            batch += link_commands(link)
        self.ip_batch(batch)

    def link(self, device):
        """All that `ip` knows of a link, with its counters; None when there is no such link."""
        return next((link for link in self.ip("-details", "-statistics", "link", "show")
                     if link["ifname"] == device), None)

    def mac(self, device):
        return self.link(device)["address"]

    def counters(self, device):
        """Packets that went through a link: {"rx": N, "tx": N}."""
        stats = self.link(device)["stats64"]
        return {way: stats[way]["packets"] for way in ("rx", "tx")}

    def sysctl(self, key, value=None):
        """Read or write a kernel setting, named as a path: net/ipv4/conf/br-ex/forwarding."""
        if value is not None:
            self.run("sh", "-c", 'printf %s "$1" > "/proc/sys/$2"', "sh", str(value), key)
            return str(value)
        return self.run("cat", f"/proc/sys/{key}").stdout.strip()

    # -- packets

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        """A Python socket that lives in this host's network (for raw or packet sockets, too)."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
             open(f"/proc/{self.holder}/ns/net", "rb") as there:
            # Namespaces belong to threads: nothing else of this process is moved.
            _setns(there)
            try:
                return socket.socket(family, kind, protocol)
            finally:
                _setns(home)

    def ping(self, address, count=2, interval=0.2, wait=1, source=None, size=None, df=None):
        """df: whether packets say "don't fragment"; else path MTU discovery decides."""
        argv = ["ping", "-n", "-c", str(count), "-i", str(interval), "-W", str(wait)]
        argv += ["-I", source] if source else []
        argv += ["-s", str(size)] if size is not None else []
        argv += ["-M", "do" if df else "dont"] if df is not None else []
        patience = 10 + count * (interval + wait)
        result = self.run(*argv, address, check=False, timeout=patience)
        return Ping(result.stdout + result.stderr)

    def serve(self, port=7000, address="0.0.0.0"):
        """Let this host answer TCP connections to a port from now on."""
        if port not in self._servers:
            listener = self.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            self._servers[port] = TcpServer(listener)

    def tcp(self, address, port=7000, size=1000, timeout=3, source=None):
        """Send size bytes to a host that serve()s: its TcpReply, or None if it can't be reached."""
        with self.socket() as client:
            client.settimeout(timeout)
            try:
                if source:
                    client.bind((source, 0))
                client.connect((address, port))
                client.sendall(b"x" * size)
                client.shutdown(socket.SHUT_WR)
                said = b""
                while data := client.recv(4096):
                    said += data
            except OSError:
                return None
        words = said.decode().split()
        return TcpReply(words[0], int(words[1])) if len(words) == 2 else None

    def capture(self, device, expression=""):
        """Record packets: `with host.capture("eth0", "arp") as seen: …`, then `seen.lines`."""
        return Capture(self, device, expression)


def _setns(namespace):
    if _libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def link_commands(link):
    """The lines for `ip -batch` that configure a link of the topology. Addresses come before `up`:
    NetworkManager takes an interface that goes up without one for its own, and flushes it."""
    name = link["name"]
    batch = [f"link set {name} arp off"] if not link.get("arp", True) else []
    batch += [f"address add {address} dev {name}" for address in link.get("addresses", [])]
    batch.append(f"link set {name} up")
    batch += [f"route add {route} dev {name}" for route in link.get("routes", [])]
    return batch
