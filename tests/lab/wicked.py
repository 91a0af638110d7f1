# SPDX-License-Identifier: GPL-2.0-or-later
"""An LPAR as SLES has it: no NetworkManager, not even its library; `ip` plays the part of wicked."""

from lpar import Lpar

FILES = "/etc/NetworkManager/kvm-routed"
HOOK = "/usr/libexec/kvm-routed/wicked-hook"

# All that is NetworkManager's, but for the directory of ours in /etc.
REMOVE_NM = """
    rm -f /usr/sbin/NetworkManager /usr/bin/nmcli /usr/lib/*/libnm.so.0* /usr/lib/libnm.so.0*
    rm -rf /usr/lib/NetworkManager /usr/lib/*/NetworkManager
    rm -f /usr/share/dbus-1/system-services/org.freedesktop.nm_dispatcher.service
"""


class WickedLpar(Lpar):
    """Its profiles are files of type kvm-routed, which `kvm-routedctl up` brings up."""

    def managed_links(self):
        return []

    def configure(self, links):
        for link in self.links:
            link["external"] = True
        super().configure(links)

    def start_nm(self):
        """There is none."""

    def start_daemons(self):
        self.sh(REMOVE_NM + f"mkdir -p {FILES}")
        super().start_daemons()

    def connected(self, timeout=30):
        """Its links are there as soon as they are made."""

    def load_profile(self, text, name):
        self.write_file(f"{FILES}/{name}.nmconnection", text, mode="600")

    def begin_up(self, name):
        done = self.run("kvm-routedctl", "up", name)
        if self.link(self.switch):
            self.attach_guests()
        return done

    def wait_up(self, name, state="active", timeout=30):
        self.wait_state(name, state, timeout)

    def down(self, name, timeout=20):
        return self.run("kvm-routedctl", "down", name, timeout=timeout)

    def delete_profile(self, name):
        self.run("kvm-routedctl", "down", name, check=False)
        self.run("rm", "-f", f"{FILES}/{name}.nmconnection")

    def reset(self, timeout=20):
        for network in self.networks():
            self.run("kvm-routedctl", "down", network["uuid"])
        self.sh(f"rm -f {FILES}/*; ip link del {self.switch} 2>/dev/null || true")
        self.wait_for(lambda: not self.networks(), timeout, "no network left", interval=0.1)

    def hook(self, action, interface, **options):
        """Call the hook as wicked does: nothing but its environment, no input, nowhere to write."""
        index = self.sh(f"cat /sys/class/net/{interface}/ifindex 2>/dev/null || echo 0").stdout
        environment = {
            "PATH": "/usr/bin:/usr/sbin:/bin:/sbin",
            "WICKED_ARGFILE": "/run/wicked.arguments",
            "WICKED_RETFILE": "/run/wicked.results",
            "WICKED_OBJECT_PATH": f"/org/opensuse/Network/Interface/{index.strip()}",
            "WICKED_INTERFACE_NAME": interface,
            "WICKED_INTERFACE_INDEX": index.strip(),
        }
        words = [f"{key}={value}" for key, value in environment.items()]
        return self.run("env", "-i", "-C", "/", *words, HOOK, action, interface, check=False,
                        **options)
