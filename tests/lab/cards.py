# SPDX-License-Identifier: GPL-2.0-or-later
"""What IBM Z has and this machine has not: sysfs of qeth devices, and the tool that sets them."""

SYSFS = "/sys/class/net"

# What the driver shows of a word that is written (drivers/s390/net/qeth_l3_sys.c).
CHZDEV = r"""#!/bin/sh
# As chzdev of s390-tools: chzdev qeth --by-interface NAME ATTRIBUTE=VALUE
[ $# -eq 4 ] && [ "$1" = qeth ] && [ "$2" = --by-interface ] || exit 2
file="/sys/class/net/$3/device/${4%%=*}"
[ -f "$file" ] || { echo "Unknown device or attribute: $3 ${4%%=*}" >&2; exit 1; }
echo "${4#*=}" | tr _ ' ' >"$file"
"""


def make_cards(test, lpar, cards):
    """For the time of a test these interfaces are qeth devices: {name: {attribute: value}}. Their
    packets go as ever; who reads sysfs is told so."""
    script = [f"mount -t tmpfs tmpfs {SYSFS}",
              f"for link in /sys/devices/virtual/net/*; do ln -s $link {SYSFS}; done"]
    for name, attributes in cards.items():
        script += [f"rm {SYSFS}/{name}", f"mkdir -p {SYSFS}/{name}/device/vnicc",
                   f"ln -s /sys/devices/virtual/net/{name}/* {SYSFS}/{name}"]
        script += [f"echo '{value}' >{SYSFS}/{name}/device/{attribute}"
                   for attribute, value in attributes.items()]
    lpar.sh("\n".join(script))
    lpar.write_file("/usr/sbin/chzdev", CHZDEV, "755")
    test.addCleanup(lpar.signal_service)
    test.addCleanup(lpar.sh, f"umount -l {SYSFS}; rm /usr/sbin/chzdev")
    # It may have been started in mounts of its own.
    lpar.signal_service()
