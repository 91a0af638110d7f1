# SPDX-License-Identifier: GPL-2.0-or-later
"""What the virtual machines of the lab have in common: the initramfs with `init`, the channels to
it, the run of one command. `run` and `../s390x/run` say which machine, and where its files come
from.

The initramfs is a memory file and all channels are socket pairs, so that nothing can be left
behind; the virtual machine is killed with this program, however that ends.
"""

import argparse
import contextlib
import io
import os
import pathlib
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]
STATUS_TIME_OVER, STATUS_NOT_STARTED = 124, 125


class VmError(Exception):
    """The virtual machine can't be had: what failed, and what to do."""


# -- the kernel

class Kernel:
    """A kernel: the file that QEMU boots, the directory of its modules, and a static busybox for
    its architecture."""

    def __init__(self, image, modules, busybox):
        self.image, self.modules, self.busybox = image, modules, busybox

    def contents(self, names):
        """The contents of these modules and of what they need, in the order of loading."""
        needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, others = line.partition(":")
            needs[path] = others.split()
        by_name = {pathlib.PurePath(path).stem: path for path in needs}
        ordered = []

        def want(path):
            for other in needs[path]:
                want(other)
            if path not in ordered:
                ordered.append(path)

        for name in names:
            want(by_name[name])
        return [(self.modules / path).read_bytes() for path in ordered]


class Machine:
    """A kind of virtual machine.

    name            for people
    qemu            QEMU's command line but for what is the same everywhere
    append          the kernel's, with its console
    boot_modules    what the initramfs must load to see the files and to speak to this program
    lower           the arguments of `mount` for the root file system, which stays as it is
    own_modules     whether the root file system has this kernel's modules
    boot_seconds    until the command must have been started
    """

    def __init__(self, name, qemu, append, boot_modules, lower, own_modules, boot_seconds):
        self.name, self.qemu, self.append = name, qemu, append
        self.boot_modules, self.lower = boot_modules, lower
        self.own_modules, self.boot_seconds = own_modules, boot_seconds


def output(*argv, cwd=None, stdin=subprocess.DEVNULL):
    """Run a program to its end; its output, or a VmError with it."""
    try:
        result = subprocess.run(argv, cwd=cwd, stdin=stdin, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", timeout=900,
                                check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    except FileNotFoundError as error:
        raise VmError(f"{argv[0]}: not installed; the virtual machine needs Debian 12") from error
    except subprocess.TimeoutExpired as error:
        raise VmError(f"{argv[0]}: not done after {error.timeout} s") from error
    if result.returncode != 0:
        words = " ".join(map(str, argv))
        raise VmError(f"{words}: exit status {result.returncode}\n{result.stdout}")
    return result.stdout


# -- the initramfs

class Archive:
    """A cpio archive as the kernel reads it (its Documentation, "initramfs buffer format")."""

    def __init__(self):
        self._data = io.BytesIO()
        self._number = 0

    def add(self, name, content=None, mode=0o100755):
        """A file; a directory when it has no content."""
        self._number += 1
        content, mode = (b"", 0o040755) if content is None else (content, mode)
        name = name.encode() + b"\0"
        fields = (self._number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        self._write(b"070701" + b"".join(b"%08x" % field for field in fields) + name)
        self._write(content)

    def _write(self, data):
        self._data.write(data + b"\0" * (-len(data) % 4))

    def memory_file(self):
        """The whole as an anonymous file: its descriptor."""
        self.add("TRAILER!!!", b"", 0)
        descriptor = os.memfd_create("initramfs")
        with open(descriptor, "wb", closefd=False) as file:
            file.write(self._data.getbuffer())
        return descriptor


def initramfs(machine, kernel, command, share):
    archive = Archive()
    for name in ("bin", "dev", "modules", "proc", "sys", "host", "memory", "root", "files"):
        archive.add(name)
    archive.add("bin/busybox", kernel.busybox.read_bytes())
    archive.add("init", (HERE / "init").read_bytes())
    archive.add("job", job(machine, kernel, command, share).encode())
    for number, module in enumerate(kernel.contents(machine.boot_modules)):
        archive.add(f"modules/{number:02}.ko", module)
    return archive.memory_file()


def job(machine, kernel, command, share):
    """What is to be done in the virtual machine, as shell text for `init`."""
    values = {"lower": machine.lower, "modules": "" if machine.own_modules else str(kernel.modules),
              "directory": os.getcwd(), "term": os.environ.get("TERM", "dumb"),
              "command": shlex.join(command), "shared": shlex.join(map(str, share))}
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


# -- the virtual machine

class Vm:
    """A running virtual machine. `ready` is true once it has started the command; `status` is the
    command's exit status once it has ended."""

    def __init__(self, machine, kernel, memory, initrd):
        self.ready = False
        self.status = None
        self._console = b""
        self._control = b""
        self._selector = selectors.DefaultSelector()
        self._ours, theirs = {}, {}
        for name in ("console", "control", "stdout", "stderr"):
            self._ours[name], theirs[name] = socket.socketpair()
            self._selector.register(self._ours[name], selectors.EVENT_READ, name)
        argv = command_line(machine, kernel, memory, initrd,
                            {name: end.fileno() for name, end in theirs.items()})
        inherited = [initrd, *(end.fileno() for end in theirs.values())]
        self._process = subprocess.Popen(argv, pass_fds=inherited, start_new_session=True,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.PIPE)
        for end in theirs.values():
            end.close()
        self._selector.register(self._process.stderr, selectors.EVENT_READ, "qemu")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()
        self._selector.close()
        for end in self._ours.values():
            end.close()

    def follow(self, deadline, until=lambda vm: False):
        """Pass on what the virtual machine says until it has ended, or until(self), or the deadline
        is over; only then it returns false."""
        while self._selector.get_map() and not until(self):
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                self._take(key)
        return True

    def _take(self, key):
        data = b""
        with contextlib.suppress(ConnectionResetError):
            data = os.read(key.fd, 65536)
        if not data:
            self._selector.unregister(key.fileobj)
        elif key.data in ("stdout", "stderr"):
            stream = getattr(sys, key.data).buffer
            stream.write(data)
            stream.flush()
        elif key.data == "control":
            self._control += data
            *lines, self._control = self._control.split(b"\n")
            for line in lines:
                self._hear(line.split())
        else:
            self._console = (self._console + data)[-20000:]

    def _hear(self, words):
        if words == [b"ready"]:
            self.ready = True
        elif len(words) == 2 and words[0] == b"exit":
            self.status = int(words[1])

    def last_words(self):
        """The end of what kernel and QEMU wrote, for a person."""
        lines = self._console.decode(errors="replace").splitlines()[-20:]
        return "".join(f"    {line}\n" for line in lines) or "    (nothing)\n"


def command_line(machine, kernel, memory, initrd, channels):
    """QEMU's command line; channels are descriptors of sockets by their names."""
    # Should this program be killed, the virtual machine is, too.
    argv = ["setpriv", "--pdeathsig", "KILL", "--", *machine.qemu,
            "-smp", str(min(2, os.cpu_count() or 1)), "-m", str(memory),
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", kernel.image, "-initrd", f"/proc/self/fd/{initrd}",
            "-append", f"{machine.append} quiet panic=-1 bonding.max_bonds=0 dummy.numdummies=0"]
    for name, descriptor in channels.items():
        argv += ["-chardev", f"socket,id={name},fd={descriptor}"]
        if name == "console":
            argv += ["-serial", "chardev:console"]
        else:
            argv += ["-device", f"virtserialport,chardev={name},name={name}"]
    return argv


def run(machines, kernel, options, share):
    """Boot the first of these machines that does, and run the command: the exit status of this
    program. options are those of options()."""
    end = time.monotonic() + options.timeout
    for machine in machines:
        descriptor = initramfs(machine, kernel, options.command, share)
        try:
            with Vm(machine, kernel, options.memory, descriptor) as vm:
                begin = time.monotonic()
                vm.follow(min(end, begin + machine.boot_seconds), lambda vm: vm.ready)
                if vm.ready:
                    if options.verbose:
                        seconds = time.monotonic() - begin
                        print(f"run: {machine.name}: booted in {seconds:.1f} s", file=sys.stderr)
                    return follow_command(vm, end, options.timeout)
                said = vm.last_words()
        finally:
            os.close(descriptor)
        print(f"run: the virtual machine did not start ({machine.name}); it said last:\n{said}",
              end="", file=sys.stderr)
        if time.monotonic() >= end:
            return STATUS_TIME_OVER
    return STATUS_NOT_STARTED


def follow_command(vm, end, timeout):
    if not vm.follow(end, lambda vm: vm.status is not None):
        print(f"run: not done after {timeout:g} s: stopped", file=sys.stderr)
        return STATUS_TIME_OVER
    if vm.status is None:
        print(f"run: the virtual machine ended before its command; it said last:\n"
              f"{vm.last_words()}", end="", file=sys.stderr)
        return STATUS_NOT_STARTED
    # What the command wrote last is on its way; the virtual machine ends by itself.
    vm.follow(time.monotonic() + 20)
    return vm.status


# -- the program

def directory(path):
    if not os.path.isdir(path):
        raise argparse.ArgumentTypeError(f"{path} is not a directory")
    return os.path.abspath(path)


def options(description, memory):
    """The parser of the options that all machines have; memory is in MB."""
    parser = argparse.ArgumentParser(prog="run", description=description.split("\n", 1)[0],
                                     epilog="More in the head of this file.")
    parser.add_argument("--memory", type=int, default=memory, metavar="MB")
    parser.add_argument("--timeout", type=float, default=600, metavar="S")
    parser.add_argument("--share", action="append", default=[], type=directory, metavar="DIR",
                        help="a directory that the command shall see, too")
    parser.add_argument("--verbose", action="store_true", help="tell how long the boot took")
    parser.add_argument("command", nargs="+", metavar="COMMAND")
    return parser


def leave(number, _frame):
    """End by a signal through every `finally`."""
    sys.exit(128 + number)


def main(function, *arguments):
    """Run a function that returns the exit status; a signal or a VmError ends it in good order."""
    # Nobody reads on: no reason to go on, nor to complain.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        if os.geteuid() != 0:
            raise VmError("run me as root (sudo): the command sees root's files")
        return function(*arguments)
    except VmError as error:
        print(f"run: {error}", file=sys.stderr)
        return STATUS_NOT_STARTED
