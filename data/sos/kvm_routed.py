# SPDX-License-Identifier: GPL-2.0-or-later

from sos.report.plugins import (DebianPlugin, IndependentPlugin, Plugin, RedHatPlugin, SuSEPlugin,
                                UbuntuPlugin)


# Debian's sos 4.0 does not load plugins that are independent only.
class KvmRouted(Plugin, RedHatPlugin, SuSEPlugin, DebianPlugin, UbuntuPlugin, IndependentPlugin):
    """State, plans, findings, messages and kernel state of the kvm-routed networks of
    NetworkManager. All of it is text that "sos clean" can obfuscate, and has no secrets.
    """

    short_desc = 'Routing for KVM guests (NetworkManager-kvm-routed)'
    plugin_name = 'kvm_routed'
    profiles = ('network', 'virt')
    packages = ('NetworkManager-kvm-routed',)
    commands = ('kvm-routedctl',)

    def setup(self):
        # What is in it, and what is left out, is for the command to know.
        self.add_cmd_output('kvm-routedctl report --text', timeout=300)
        self.add_cmd_output('kvm-routedctl status --json')

# vim: set et ts=4 sw=4 :
