# SPDX-License-Identifier: GPL-2.0-or-later
"""What the systemd unit takes from the service, as far as it can be taken without systemd.

There is no systemd in an LPAR: its bus starts the service. So that what works in the lab works
under the unit, the bus starts confine.py instead, which takes from itself what the unit would, and
becomes the service. This module makes its instructions of the unit, once for each LPAR:

    capabilities, NoNewPrivileges, the seccomp filters of SystemCallFilter, RestrictAddressFamilies,
    MemoryDenyWriteExecute, RestrictNamespaces and LockPersonality, UMask, Environment, the runtime
    directory;
    where a test wants it, the mounts of ProtectSystem, ProtectHome, PrivateTmp and ProtectProc,
    too. Not always: other tests break /proc/sys and the like by mounts, and the service is to see them

Not done: what needs control groups (IPAddressDeny, DevicePolicy), PrivateDevices, and what the
above forbids anyway.
"""

import errno
import functools
import json
import os
import platform
import socket
import subprocess

import seccomp

CONFINE = "confine.py"
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
NAMESPACES = (0x80, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000)
# Of this machine's architecture: s390x passes clone's flags second.
CLONE_FLAGS = 1 if platform.machine() == "s390x" else 0
FAMILIES_MAX = 46
# What this module turns into something, or the reason why it need not.
KNOWN = {
    "Type", "BusName", "Environment", "ExecStart", "Restart", "RestartSec", "RuntimeDirectory",
    "RuntimeDirectoryMode", "RuntimeDirectoryPreserve", "CapabilityBoundingSet",
    "RestrictAddressFamilies", "LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges",
    "PrivateTmp", "ProtectHome", "ProtectProc", "ProtectSystem", "RestrictNamespaces",
    "SystemCallArchitectures", "SystemCallErrorNumber", "SystemCallFilter", "UMask",
    "IPAddressAllow", "IPAddressDeny", "DevicePolicy", "PrivateDevices",  # see above
    "PrivateMounts",  # of a mount namespace of its own
    "ProtectControlGroups",  # /sys is read-only in an LPAR
    "KeyringMode", "ProtectClock", "ProtectHostname", "ProtectKernelLogs", "ProtectKernelModules",
    "RestrictRealtime", "RestrictSUIDSGID",  # by the capabilities, or the filter
}


class SandboxError(Exception):
    """The unit says something that this module does not know."""


def read_unit(path):
    """The [Service] section: {key: [values, in order]}."""
    section, keys = None, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            key, value = line.split("=", 1)
            keys.setdefault(key, []).append(value)
    if unknown := set(keys) - KNOWN:
        raise SandboxError(f"{path}: the lab does not know how to do {', '.join(sorted(unknown))}")
    return keys


@functools.cache
def _groups():
    """systemd's groups of system calls: {"@default": [names, and groups]}."""
    text = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter"], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    groups, names = {}, []
    for line in text.splitlines():
        if line.startswith("@"):
            names = groups[line.strip()] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            names.append(line.strip())
    return groups


def _expand(word):
    if not word.startswith("@"):
        return {word}
    return set().union(*map(_expand, _groups()[word]))


def system_calls(unit):
    """Those that SystemCallFilter allows; systemd itself adds @default to a list."""
    allowed = _expand("@default")
    for value in unit["SystemCallFilter"]:
        words = value.lstrip("~").split()
        names = set().union(*map(_expand, words))
        allowed = allowed - names if value.startswith("~") else allowed | names
    # At its end LeakSanitizer looks at its own threads as a debugger does.
    traced = {"ptrace"} if os.environ.get("KVMR_SANITIZED") else set()
    return allowed | traced | {"execve", "exit", "exit_group", "rt_sigreturn"}


def _filter_calls(unit):
    number = getattr(errno, unit["SystemCallErrorNumber"][0])
    rules = seccomp.SyscallFilter(seccomp.ERRNO(number))
    for name in sorted(system_calls(unit)):
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (RuntimeError, ValueError):
            continue  # of another architecture
    return rules


def _filter_families(unit):
    if platform.machine() == "s390x":
        # systemd has none there: sockets are made by socketcall, whose arguments lie in memory.
        return seccomp.SyscallFilter(seccomp.ALLOW)
    allowed = {int(getattr(socket, name)) for name in unit["RestrictAddressFamilies"][0].split()}
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(errno.EAFNOSUPPORT)
    for family in set(range(FAMILIES_MAX)) - allowed:
        rules.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.EQ, family))
    rules.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.GE, FAMILIES_MAX))
    return rules


def _filter_rest():
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    refuse = seccomp.ERRNO(errno.EPERM)
    both = PROT_WRITE | PROT_EXEC
    rules.add_rule(refuse, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, both, both))
    for name in ("mprotect", "pkey_mprotect"):
        rules.add_rule(refuse, name, seccomp.Arg(2, seccomp.MASKED_EQ, PROT_EXEC, PROT_EXEC))
    rules.add_rule(refuse, "shmat", seccomp.Arg(2, seccomp.MASKED_EQ, SHM_EXEC, SHM_EXEC))
    # Its flags lie in memory, where no filter looks; the C library then takes clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    rules.add_rule(refuse, "setns")
    for flag in NAMESPACES:
        rules.add_rule(refuse, "unshare", seccomp.Arg(0, seccomp.MASKED_EQ, flag, flag))
        if flag != 0x80:  # of clone's flags this one is part of a signal's number
            rules.add_rule(refuse, "clone", seccomp.Arg(CLONE_FLAGS, seccomp.MASKED_EQ, flag, flag))
    rules.add_rule(refuse, "personality", seccomp.Arg(0, seccomp.NE, 0))
    return rules


def _is(unit, key, value="yes"):
    if unit.get(key) != [value]:
        raise SandboxError(f"{key} is {unit.get(key)} in the unit: the lab only knows {value}")


def prepare(unit_path, directory, mounts=False):
    """Write the instructions into a directory: what to put before the service's command."""
    unit = read_unit(unit_path)
    for key in ("LockPersonality", "MemoryDenyWriteExecute", "NoNewPrivileges", "PrivateTmp",
                "ProtectHome", "RestrictNamespaces"):
        _is(unit, key)
    _is(unit, "ProtectSystem", "strict")
    _is(unit, "ProtectProc", "invisible")
    _is(unit, "SystemCallArchitectures", "native")
    directory.mkdir(exist_ok=True)
    # In the order of their loading: the last one may forbid to load another.
    filters = []
    for number, rules in enumerate((_filter_rest(), _filter_families(unit), _filter_calls(unit))):
        path = directory / f"{number}.bpf"
        with path.open("wb") as file:
            rules.export_bpf(file)
        filters.append(str(path))
    instructions = {
        "capabilities": unit["CapabilityBoundingSet"][0].split(),
        "environment": dict(value.split("=", 1) for value in unit.get("Environment", [])),
        "umask": int(unit["UMask"][0], 8),
        "runtime_directory": f"/run/{unit['RuntimeDirectory'][0]}",
        "runtime_mode": int(unit["RuntimeDirectoryMode"][0], 8),
        "mounts": mounts,
        "filters": filters,
    }
    path = directory / "instructions.json"
    path.write_text(json.dumps(instructions, indent=2) + "\n", encoding="utf-8")
    return ["/usr/bin/python3", "-I", "-S", "-B", str(directory / CONFINE), str(path)]
