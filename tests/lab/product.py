# SPDX-License-Identifier: GPL-2.0-or-later
"""Getting the product: the packages it needs, its build, its installation into a directory.

Nothing is installed into this machine but Debian packages.
"""

import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("KVMR_BUILD") or TOP / "build-lab")
PACKAGES = pathlib.Path(__file__).with_name("packages.txt")


class ProductError(Exception):
    """A build step failed; the text has its output."""


def packages(*sections):
    """The names of the packages in these sections of packages.txt."""
    names, section = [], None
    for line in PACKAGES.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and section in sections:
            names.append(line)
    return names


def missing_packages(*sections):
    wanted = packages(*sections)
    result = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=False)
    present = {line.split()[0] for line in result.stdout.splitlines()
               if line.endswith(" installed")}
    return [name for name in wanted if name not in present]


def is_debian():
    with contextlib.suppress(OSError):
        text = pathlib.Path("/etc/os-release").read_text()
        return "ID=debian" in text.replace('"', "").splitlines()
    return False


def ensure_packages(*sections):
    """Install what is missing, quietly; returns what was installed."""
    if not is_debian():
        if shutil.which("meson") and shutil.which("nmcli") and shutil.which("nft"):
            return []
        raise ProductError("this is not Debian: install what provides these Debian packages, then "
                           "start again:\n    " + "\n    ".join(packages(*sections)))
    missing = missing_packages(*sections)
    if not missing:
        return []
    if os.geteuid() != 0:
        raise ProductError("run me as root (sudo), or install: " + " ".join(missing))
    with locked("packages"):  # steps that go on side by side may want some at once
        missing = missing_packages(*sections)
        if missing:
            _install(missing)
    return missing


def _install(missing):
    # Installing NetworkManager or D-Bus must not start them on this machine.
    with _no_daemons():
        install = ["apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", "install",
                   "--no-install-recommends", *missing]
        if _run(install, check=False).returncode != 0:
            run(["apt-get", "-q", "update"])
            run(install)


@contextlib.contextmanager
def _no_daemons():
    """Keep Debian's packages from starting services, unless the machine has a policy of its own."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def _run(argv, check=True, timeout=1800, **options):
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
                   **options.pop("environment", {})}
    try:
        result = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, cwd=TOP,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace", timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ProductError(f"{argv[0]}: not installed") from error
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace")
        raise ProductError(f"{' '.join(argv)}: not done after {timeout} s\n{output}") from None
    if check and result.returncode != 0:
        raise ProductError(f"{' '.join(argv)}: exit status {result.returncode}\n{result.stdout}")
    return result


def run(argv, **options):
    """Run a command in the source tree; its output, or a ProductError with it."""
    return _run([str(word) for word in argv], **options).stdout


def build(directory, *options, compiler="gcc"):
    """Configure (again) and compile."""
    setup = ["meson", "setup", "--prefix=/usr", *options, directory]
    if (directory / "build.ninja").exists():
        setup.insert(2, "--reconfigure")
    run(setup, environment={"CC": compiler})
    try:
        run(["ninja", "-C", directory])
    except ProductError as error:
        # What went well is of no interest then.
        text = re.sub(r"^\[\d+/\d+\] .*\n", "", str(error), flags=re.MULTILINE)
        raise ProductError(text) from None


def install(directory, destination):
    """Install a build below a directory, which then has its usr/ and maybe etc/."""
    shutil.rmtree(destination, ignore_errors=True)
    run(["meson", "install", "--no-rebuild", "-C", directory, "--destdir", destination])
    return destination


@contextlib.contextmanager
def locked(name):
    """Keep others from building in the same place meanwhile."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with open(BUILD / f"{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def installed(name="lab", *options):
    """The product, installed below BUILD/NAME-root: built now unless KVMR_PRODUCT names one."""
    if os.environ.get("KVMR_PRODUCT"):
        return pathlib.Path(os.environ["KVMR_PRODUCT"])
    with locked(name):
        build(BUILD / name, *options)
        return install(BUILD / name, BUILD / f"{name}-root")
