# SPDX-License-Identifier: GPL-2.0-or-later
"""An editor of profiles that uses NetworkManager's D-Bus API, run in an LPAR: NetworkManager wants
to know a caller's process.

    editor.py show UUID                     {"file": its file, "settings": {section: {key: value}}}
    editor.py Update|Update2 UUID CHANGE…   read the profile, change it, write it
    editor.py AddAndActivate IFNAME CHANGE…

A CHANGE is `-SECTION` or `-SECTION.KEY`, which the editor does not know, or SECTION.KEY=VALUE, in
GVariant's text format. What fails ends with a traceback.
"""

import json
import sys

from gi.repository import Gio, GLib

NM = "org.freedesktop.NetworkManager"
PATH = "/org/freedesktop/NetworkManager"
TO_DISK = 1  # of Update2


def call(path, interface, method, signature="()", *arguments):
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    return bus.call_sync(NM, path, interface, method, GLib.Variant(signature, arguments), None,
                         Gio.DBusCallFlags.NONE, -1, None)


def find(uuid):
    return call(f"{PATH}/Settings", f"{NM}.Settings", "GetConnectionByUuid", "(s)",
                uuid).unpack()[0]


def read(profile):
    """{section: {key: variant}}"""
    sections = call(profile, f"{NM}.Settings.Connection", "GetSettings").get_child_value(0)
    return {name: {key: sections.lookup_value(name, None).lookup_value(key, None) for key in keys}
            for name, keys in sections.unpack().items()}


def change(settings, changes):
    for word in changes:
        if word.startswith("-"):
            section, _, key = word[1:].partition(".")
            if key:
                del settings[section][key]
            else:
                del settings[section]
        else:
            name, value = word.split("=", 1)
            section, key = name.split(".", 1)
            settings.setdefault(section, {})[key] = GLib.Variant.parse(None, value, None, None)
    return settings


def main(action, what, *changes):
    if action == "AddAndActivate":
        device = call(PATH, NM, "GetDeviceByIpIface", "(s)", what).unpack()[0]
        call(PATH, NM, "AddAndActivateConnection", "(a{sa{sv}}oo)", change({}, changes), device, "/")
        return
    profile = find(what)
    interface = f"{NM}.Settings.Connection"
    if action == "Update":
        call(profile, interface, action, "(a{sa{sv}})", change(read(profile), changes))
    elif action == "Update2":
        call(profile, interface, action, "(a{sa{sv}}ua{sv})", change(read(profile), changes),
             TO_DISK, {})
    else:
        settings = {section: {key: value.unpack() for key, value in keys.items()}
                    for section, keys in read(profile).items()}
        file = call(profile, "org.freedesktop.DBus.Properties", "Get", "(ss)", interface,
                    "Filename").unpack()[0]
        print(json.dumps({"file": file, "settings": settings}))


main(*sys.argv[1:])
