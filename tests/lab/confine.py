# SPDX-License-Identifier: GPL-2.0-or-later
"""confine.py INSTRUCTIONS PROGRAM [ARGUMENT…]: becomes the program, without what sandbox.py says.

Only the standard library, and little of it: it runs before each life of the service.
"""

import ctypes
import json
import os
import sys

# By number, as in linux/capability.h.
CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_NET_BIND_SERVICE": 10,
                "CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_SYS_ADMIN": 21}
CLONE_NEWNS = 0x20000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_SLAVE = 2, 4, 8, 4096, 16384, 1 << 19
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 24, 38, 22
SECCOMP_MODE_FILTER = 2
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, ATTR_RDONLY = 442, -100, 0x8000, 1

_libc = ctypes.CDLL(None, use_errno=True)


class MountAttributes(ctypes.Structure):
    """struct mount_attr"""

    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


class Program(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def check(result, what):
    if result < 0:
        number = ctypes.get_errno()
        sys.exit(f"confine.py: {what}: {os.strerror(number)}")


def mount(source, target, kind, flags, options=None):
    encode = (lambda text: text.encode() if text else None)
    check(_libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags),
                      encode(options)), f"mount {target}")


def read_only(path, on, recursive):
    attributes = MountAttributes(set=ATTR_RDONLY if on else 0, clear=0 if on else ATTR_RDONLY)
    check(_libc.syscall(MOUNT_SETATTR, AT_FDCWD, path.encode(), AT_RECURSIVE if recursive else 0,
                        ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes))),
          f"mount_setattr {path}")


def set_mounts(instructions):
    """ProtectSystem=strict, ProtectHome, PrivateTmp, ProtectProc=invisible."""
    directory = instructions["runtime_directory"]
    check(_libc.unshare(CLONE_NEWNS), "unshare")
    mount(None, "/", None, MS_REC | MS_SLAVE)
    mount(directory, directory, None, MS_BIND)
    read_only("/", True, True)
    read_only("/dev", False, False)
    read_only(directory, False, False)
    safe = MS_NOSUID | MS_NODEV | MS_NOEXEC
    mount("proc", "/proc", "proc", safe, "hidepid=invisible")
    for path in ("/tmp", "/var/tmp"):
        mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for path in ("/home", "/root"):
        mount("tmpfs", path, "tmpfs", safe, "mode=000")


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        instructions = json.load(file)
    # Read before /tmp is another one; kept until they are loaded.
    filters = []
    for path in instructions["filters"]:
        with open(path, "rb") as file:
            filters.append(file.read())
    os.makedirs(instructions["runtime_directory"], instructions["runtime_mode"], exist_ok=True)
    if instructions["mounts"]:
        set_mounts(instructions)
    os.umask(instructions["umask"])
    kept = {CAPABILITIES[name] for name in instructions["capabilities"]}
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for number in set(range(last + 1)) - kept:
        check(_libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0), f"drop capability {number}")
    check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    environment = {**os.environ, **instructions["environment"],
                   "RUNTIME_DIRECTORY": instructions["runtime_directory"]}
    for code in filters:
        program = Program(len(code) // 8, code)
        check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
              "seccomp")
    os.execve(sys.argv[2], sys.argv[2:], environment)


main()
