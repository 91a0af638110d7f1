# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian for s390x below BUILD/s390x, for a machine that is none: a tree that the cross compiler
and QEMU's user emulation use as their system root, the same tree as a disk for the virtual IBM Z,
and what meson needs to know of it.

A second tree, of a newer Debian, has the programs of LPARs whose NetworkManager knows Open vSwitch,
see ../matrix/debian.py.

Nothing of the trees is installed into this machine, and nothing of it runs while it is made:
Debian's packages are unpacked, not configured. What their scripts would have done, as far as the
lab needs it, is done here instead. It takes half a minute and the network, and is done again only
when this file, s390x.cross.in or the list of packages has changed.
"""

import hashlib
import pathlib
import shutil

import product
from matrix import debian
from product import BUILD, ProductError

HERE = pathlib.Path(__file__).resolve().parent
DIRECTORY = BUILD / "s390x"
ROOT = DIRECTORY / "root"
NEWEST = DIRECTORY / debian.FIRST
DISK = DIRECTORY / "disk.ext4"
CROSS = DIRECTORY / "s390x.cross"
KEY = DIRECTORY / "key"  # of what the rest was made from; there once all is
PRODUCT_BUILD = DIRECTORY / "gcc"
PRODUCT = DIRECTORY / "gcc-root"
JOB = DIRECTORY / "job.json"  # what is to be done on the virtual IBM Z

RELEASE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DISK_SIZE = 2 << 30  # a sparse file

# The users that files of the tree belong to, or that its programs become.
USERS = {"messagebus": 101, "polkitd": 102, "systemd-network": 103}
NSSWITCH = "passwd: files\ngroup: files\nhosts: files\n"


def packages():
    """The packages of the tree: to build with, all libraries that any build does; and to run."""
    libraries = [name for name in product.packages("build") if name.endswith("-dev")]
    return sorted({*libraries, *product.packages("s390x-root")})


def newest_packages():
    """Of the second tree, for LPARs only: no kernel, and nothing to build with."""
    base = [name for name in product.packages("s390x-root")
            if not name.startswith(("linux-image-", "busybox-")) and not name.endswith("-dev")]
    return sorted({*base, *debian.packages(debian.FIRST)})


def make():
    """Make what is missing or out of date."""
    with product.locked("s390x"):
        _make()


def _make():
    product.ensure_packages("build", "s390x")
    of = [*packages(), *newest_packages(), pathlib.Path(__file__).read_text(),
          (HERE / "s390x.cross.in").read_text()]
    key = hashlib.sha256("\n".join(of).encode()).hexdigest()
    if KEY.exists() and KEY.read_text() == key:
        return
    # The build, too: its dependencies are told by the age of files.
    shutil.rmtree(DIRECTORY, ignore_errors=True)
    DIRECTORY.mkdir(parents=True)
    _unpack(RELEASE, ROOT, packages())
    _configure(ROOT)
    _unpack(debian.FIRST, NEWEST, newest_packages())
    _configure(NEWEST)
    product.run(["depmod", "-b", ROOT, kernel_release()])
    _compile_python()
    _make_disk()
    CROSS.write_text((HERE / "s390x.cross.in").read_text().replace("@SYSROOT@", str(ROOT)))
    KEY.write_text(key)


def kernel_release():
    release, = (path.name for path in (ROOT / "usr/lib/modules").iterdir())
    return release


def _unpack(release, root, names):
    try:
        # What it may mount in the tree is not to be seen, nor left, outside.
        product.run(["unshare", "--mount", "--propagation", "private",
                     "mmdebstrap", "--mode=root", "--variant=extract", "--architectures=s390x",
                     f"--keyring={KEYRING}", "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
                     '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "3"',
                     '--aptopt=APT::Install-Recommends "false"',
                     *(f"--dpkgopt=path-exclude=/usr/share/{name}/*"
                       for name in ("doc", "info", "locale", "man")),
                     # What a release that never ends says of itself may be a week old on a mirror.
                     '--aptopt=Acquire::Check-Valid-Until "false"',
                     f"--include={','.join(names)}", release, root, _mirror()])
    except ProductError as error:
        raise ProductError(f"Debian for s390x cannot be had (is {_mirror()} reachable, and has it "
                           f"s390x?): {error}") from None


def _mirror():
    """Where this machine gets Debian from. Security updates do not exist for s390x."""
    output = product.run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)",
                          "Created-By: Packages", "Component: main"])
    found = [words[1] for words in map(str.split, output.splitlines())
             if len(words) == 2 and words[0] == RELEASE and words[1].startswith("http")]
    return found[0] if found else MIRROR


def _configure(root):
    etc = root / "etc"
    for name in ("passwd", "group"):
        text = (root / f"usr/share/base-passwd/{name}.master").read_text()
        for user, number in USERS.items():
            text += f"{user}:x:{number}:" + ("" if name == "group" else
                                             f"{number}::/nonexistent:/usr/sbin/nologin") + "\n"
        (etc / name).write_text(text)
    (etc / "nsswitch.conf").write_text(NSSWITCH)
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    (etc / "machine-id").write_text("")
    # D-Bus starts services with it, as whatever user they want.
    helper = root / "usr/lib/dbus-1.0/dbus-daemon-launch-helper"
    shutil.chown(helper, 0, USERS["messagebus"])
    helper.chmod(0o4754)
    # Debian's alternatives.
    for name, target in (("bin/awk", "mawk"),
                         ("sbin/ovs-vswitchd", "../lib/openvswitch-switch/ovs-vswitchd")):
        path = root / "usr" / name
        path.unlink(missing_ok=True)
        path.symlink_to(target)
    for path in (root / "usr/sbin").glob("*tables-nft"):
        path.with_name(path.name.removesuffix("-nft")).symlink_to(path.name)
    (root / "var/lib/NetworkManager").mkdir(parents=True, exist_ok=True)
    for name, target in (("run", "/run"), ("lock", "/run/lock")):
        path = root / "var" / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(target)


def _compile_python():
    """Compiled Python is the same on every architecture; the emulator would take long for it. Of no
    use, and no harm, where this machine's Python is not the tree's."""
    product.run(["/usr/bin/python3", "-m", "compileall", "-q", "-j0", "-s", ROOT,
                 ROOT / "usr/lib/python3", *(ROOT / "usr/lib").glob("python3.*")])


def _make_disk():
    with open(DISK, "wb") as file:
        file.truncate(DISK_SIZE)
    product.run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", ROOT, DISK])
