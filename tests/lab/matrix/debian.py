# SPDX-License-Identifier: GPL-2.0-or-later
"""Other releases of Debian, whose programs LPARs can have in place of the machine's: another
NetworkManager, nftables, D-Bus, firewalld, GLib. The kernel is the machine's, and the product is
the one that was built for this machine.

Such a system is a tree in BUILD/matrix, made by mmdebstrap from the network in a minute, and again
only when this file or the list of packages has changed. Nothing of it runs outside LPARs but what
Debian's packages run when they are configured.
"""

import hashlib
import pathlib

import product
from product import BUILD, ProductError

DIRECTORY = BUILD / "matrix"
MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# NetworkManager 1.52 and, when this was written, 1.58, the only one of them with Open vSwitch.
RELEASES = ("trixie", "sid")
# The one that is tested always.
FIRST = "sid"


def packages(release):
    return sorted({*product.packages("system-root"), *product.packages(f"{release}-root")})


def make(release):
    """Make the system if it is missing or out of date; its root."""
    with product.locked(f"matrix-{release}"):
        return _make(release)


def _make(release):
    root = DIRECTORY / release
    stamp = DIRECTORY / f"{release}.key"
    key = hashlib.sha256("\n".join([*packages(release),
                                    pathlib.Path(__file__).read_text()]).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == key:
        return root
    product.ensure_packages("matrix")
    stamp.unlink(missing_ok=True)
    if root.exists():
        product.run(["rm", "-rf", "--one-file-system", root])
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    try:
        # It mounts /proc and /sys in the tree: where nobody else sees them, and nothing can be left of
        # them. What sid's archive says of itself may be a week old on a mirror.
        product.run(["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--mode=root", "--variant=minbase", f"--keyring={KEYRING}",
                     '--aptopt=Acquire::Languages "none"', '--aptopt=Acquire::Retries "3"',
                     '--aptopt=Acquire::Check-Valid-Until "false"',
                     '--aptopt=APT::Install-Recommends "false"',
                     *(f"--dpkgopt=path-exclude=/usr/share/{name}/*"
                       for name in ("doc", "info", "locale")),
                     f"--include={','.join(packages(release))}", release, root, MIRROR])
    except ProductError as error:
        raise ProductError(f"Debian {release} cannot be had (is {MIRROR} reachable?): "
                           f"{error}") from None
    stamp.write_text(key)
    return root
