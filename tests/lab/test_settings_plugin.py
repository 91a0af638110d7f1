# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with type=kvm-routed are connections: NetworkManager's daemon with our settings plugin."""

import json
import pathlib

import labcase
import product
from profilefiles import DIRECTORY, GRAVE, MODULE, NAME, NATIVE, PLUGINS, RUN, STORED, UUID, FilesCase

# The daemon has no sanitizers, without which a module that has them ends it.
BUILD_KIND = "plain"
SYSTEMS = "all"

LAN = "10.10.10.10"

# A whole word of a file becomes another of the same length.
REPLACE = """\
import sys
path, old, new = sys.argv[1:]
old, new = (b"\\0" + word.encode() + b"\\0" for word in (old, new))
data = open(path, "rb").read()
assert old in data and len(old) == len(new)
open(path, "wb").write(data.replace(old, new))
"""


class Orders:
    """What holds wherever the plugin is in main.plugins."""

    def test_there_from_the_start(self):
        self.put()
        self.lpar.restart_nm()
        self.assertEqual(self.profiles(), {NAME: NATIVE})

    def test_a_new_file(self):
        self.put()
        self.assertEqual(self.profiles(), {})
        self.reload()
        self.assertEqual(self.profiles(), {NAME: NATIVE})
        self.assertEqual(self.get("connection.type"), "bridge")

    def test_edited(self):
        self.put()
        self.reload()
        self.put(self.text(id="other"))
        self.reload()
        self.assertEqual(self.profiles(), {"other": NATIVE})

    def test_removed(self):
        path = self.put()
        self.reload()
        self.lpar.run("rm", path)
        self.reload()
        self.assertEqual(self.profiles(), {})
        self.assertFalse(self.exists(GRAVE))

    def test_load_of_one_file(self):
        path = self.put()
        self.lpar.nmcli("connection", "load", path)
        self.assertEqual(self.profiles(), {NAME: NATIVE})
        self.put(self.text(id="other"))
        self.lpar.nmcli("connection", "load", path)
        self.assertEqual(self.profiles(), {"other": NATIVE})
        self.lpar.run("rm", path)
        self.lpar.nmcli("connection", "load", path)
        self.assertEqual(self.profiles(), {})

    def test_one_that_is_nothing_for_networkmanager(self):
        """An interface of others: no connection, and no complaint but to who loads it."""
        path = self.put(self.text().replace("[kvm-routed]", "[kvm-routed]\nswitch=existing"))
        self.reload()
        self.assertEqual(self.profiles(), {})
        done = self.lpar.run("nmcli", "connection", "load", path, check=False)
        self.assertIn("Could not load file", done.stderr)
        self.assert_says("existing", "is nothing for NetworkManager; kvm-routedctl up")
        self.assertNotIn("Files", self.lpar.run("kvm-routedctl", "status", check=False).stdout)

    def test_load_of_another_file(self):
        path = self.lpar.write_profile("guests12", self.lpar.expand(
            self.text(id="guests12", uuid="5d7a1e40-0000-4000-8000-000000000012")))
        self.lpar.nmcli("connection", "load", path)
        self.assertEqual(self.profiles(), {"guests12": path})

    def test_deleted_stays_deleted(self):
        path = self.put()
        self.reload()
        self.lpar.nmcli("connection", "delete", NAME)
        self.assert_says(path, "its connection was deleted", "remove the file", GRAVE)
        self.reload()
        self.assertEqual(self.profiles(), {})
        self.lpar.restart_nm()
        self.assertEqual(self.profiles(), {})
        # As the log says.
        self.lpar.run("rm", GRAVE)
        self.reload()
        self.assertEqual(self.profiles(), {NAME: NATIVE})

    def test_deleted_as_the_first_thing(self):
        self.put()
        self.lpar.restart_nm()
        self.lpar.nmcli("connection", "delete", NAME)
        self.lpar.wait_for(lambda: self.exists(GRAVE), 10, GRAVE)
        self.reload()
        self.assertEqual(self.profiles(), {})

    def test_modified_stays_modified(self):
        path = self.put()
        self.reload()
        self.lpar.nmcli("connection", "modify", NAME, "connection.autoconnect-priority", "7")
        since = len(self.log())
        for again in (self.reload, self.lpar.restart_nm):
            again()
            self.assertEqual(self.get("connection.autoconnect-priority"), "7")
            self.assertEqual(list(self.profiles()), [NAME])
            self.assertTrue(self.profiles()[NAME].startswith(f"{STORED}/"))
            self.assertFalse(self.exists(NATIVE))
        self.assert_says(path, "not used, as its connection was changed", self.profiles()[NAME],
                         since=since)
        # As the log says.
        self.lpar.run("rm", self.profiles()[NAME])
        self.reload()
        self.assertEqual(self.get("connection.autoconnect-priority"), "0")
        self.assertEqual(self.profiles(), {NAME: NATIVE})

    def test_modified_then_deleted(self):
        self.put()
        self.reload()
        self.lpar.nmcli("connection", "modify", NAME, "connection.autoconnect-priority", "7")
        self.reload()
        self.lpar.nmcli("connection", "delete", NAME)
        self.lpar.wait_for(lambda: self.exists(GRAVE), 10, GRAVE)
        self.reload()
        self.assertEqual(self.profiles(), {})

    def test_modified_till_the_boot(self):
        self.put()
        self.reload()
        self.lpar.nmcli("connection", "modify", "--temporary", NAME,
                        "connection.autoconnect-priority", "7")
        for again in (self.reload, self.lpar.restart_nm):
            again()
            self.assertEqual(self.get("connection.autoconnect-priority"), "7")

    def test_another_connection_deleted(self):
        """A file that nobody told of yet is not that of a connection that was deleted."""
        path = self.lpar.write_profile("guests12", self.lpar.expand(
            self.text(id="guests12", uuid="5d7a1e40-0000-4000-8000-000000000012")))
        self.lpar.nmcli("connection", "load", path)
        self.put()
        self.lpar.nmcli("connection", "delete", "guests12")
        self.reload()
        self.assertEqual(self.profiles(), {NAME: NATIVE})

    def test_up_and_packets(self):
        self.put()
        self.reload()
        self.lpar.up(NAME)
        self.assertTrue(self.guest.ping(LAN))
        # A change of the file is one of the profile: what runs goes on.
        self.put(self.text(**{"autoconnect-priority": "3"}))
        self.reload()
        self.assertTrue(self.guest.ping(LAN))
        self.assertEqual(self.get("connection.autoconnect-priority"), "3")

    def test_a_typing_error(self):
        path = self.put()
        other = self.put(self.text(id="guests12", uuid="5d7a1e40-0000-4000-8000-000000000012",
                                   **{"interface-name": "br-b"}), "guests12")
        self.reload()
        since = len(self.log())
        self.put(self.text() + "\n[kvm-routed]\nuplnks=o5s_10g_1\n")
        self.lpar.run("sed", "-i", "s/br-b/br-c/", other)
        self.reload()
        self.assert_says(path, "kvm-routed has no key “uplnks”", "did you mean",
                         "what was read of it before stays in use", since=since)
        self.assertEqual(set(self.profiles()), {NAME, "guests12"})
        self.assertEqual(self.get("connection.interface-name", "guests12"), "br-c")
        done = self.lpar.run("/usr/bin/nmcli", "connection", "load", path, check=False)
        self.assertIn("Could not load file", done.stdout + done.stderr)

    def test_others_may_read(self):
        path = self.put(mode="644")
        since = len(self.log())
        self.reload()
        self.assert_says(path, "mode 0644", "chmod 600", since=since)
        self.assertEqual(self.profiles(), {})


class First(Orders, FilesCase):
    plugins = "kvm-routed,keyfile"


class Last(Orders, FilesCase):
    """Debian's configuration, and a drop-in for ours."""

    @classmethod
    def configure(cls, plugins, more=""):
        if plugins == cls.plugins:
            plugins, more = "ifupdown,keyfile", "[main]\nplugins+=kvm-routed\n"
        super().configure(plugins, more)


class Middle(Orders, FilesCase):
    plugins = "keyfile,kvm-routed,ifupdown"


class AsInstalled(FilesCase):
    """Where nobody configured which plugins there are, as on many distributions."""

    plugins = None

    def test_there_from_the_start(self):
        self.put()
        self.lpar.restart_nm()
        self.assertEqual(self.profiles(), {NAME: NATIVE})
        self.put(self.text(id="other"))
        self.reload()
        self.assertEqual(self.profiles(), {"other": NATIVE})


class Broken(FilesCase):
    """NetworkManager starts, whatever is wrong."""

    plugins = "keyfile,kvm-routed"

    def setUp(self):
        super().setUp()
        self.put()

    def restart(self):
        self.since = len(self.log())
        self.lpar.restart_nm()

    def change_module(self, *pairs):
        """The module with other words in it, as if it or the daemon were another version."""
        path = self.module()
        self.addCleanup(self.lpar.run, "mv", "/run/module", path)
        self.lpar.run("cp", "-p", path, "/run/module")
        for old, new in pairs:
            self.lpar.run("python3", "-c", REPLACE, path, old, new)

    def test_a_symbol_is_missing(self):
        self.change_module(("g_key_file_get_string", "g_key_file_get_strinx"))
        self.restart()
        self.assert_says("could not load plugin 'kvm-routed'", "undefined symbol", since=self.since)
        self.assertEqual(self.profiles(), {})

    def test_another_class(self):
        self.change_module(("NMSettingsPlugin", "NMSettingsPlugix"),
                           ("nm_settings_plugin_get_type", "nm_settings_plugin_get_typx"))
        self.restart()
        self.assert_says("could not load plugin 'kvm-routed'", "NMSettingsPlugin",
                         since=self.since)
        self.assertEqual(self.profiles(), {})

    def test_no_module(self):
        path = self.module()
        self.addCleanup(self.lpar.run, "mv", "/run/module", path)
        self.lpar.run("mv", path, "/run/module")
        self.restart()
        self.assert_says("could not load plugin 'kvm-routed'", since=self.since)

    def test_unreadable_directory(self):
        self.lpar.sh(f"rm -r {DIRECTORY}; echo >{DIRECTORY}")
        self.restart()
        self.assert_says(DIRECTORY, "Not a directory", since=self.since)
        self.lpar.sh(f"rm {DIRECTORY}")
        self.put()
        self.reload()
        self.assertEqual(self.profiles(), {NAME: NATIVE})

    def test_full_run(self):
        self.lpar.stop_nm()
        # Room for NetworkManager's own, not for a profile.
        self.lpar.sh(f"mkdir -p {RUN}; mount -t tmpfs -o size=4k tmpfs {RUN}; "
                     f"head -c 4096 /dev/zero >{RUN}/junk")
        self.addCleanup(self.lpar.run, "umount", RUN)
        self.since = len(self.log())
        self.lpar.start_nm()
        self.lpar.connected()
        self.assert_says(f"{NAME}.nmconnection", "not used", "No space left", since=self.since)
        self.assertNotIn(NAME, self.profiles())
        self.lpar.run("rm", f"{RUN}/junk")
        self.reload()
        self.assertEqual(self.profiles(), {NAME: NATIVE})
        self.lpar.nmcli("connection", "delete", UUID)

    def test_no_directory(self):
        self.clear()
        self.restart()
        self.assertEqual(self.profiles(), {})
        self.assertNotIn("kvm-routed:", self.log()[self.since:])


class Status(FilesCase):
    """What `kvm-routedctl status` tells of files."""

    plugins = "keyfile,kvm-routed"

    def status(self, *words):
        return self.lpar.run("kvm-routedctl", "status", *words).stdout

    def file(self):
        files = json.loads(self.status("--json"))["files"]
        self.assertEqual(len(files), 1)
        return files[0]

    def test_in_use(self):
        path = self.put()
        self.reload()
        self.assertEqual(self.file(), {"path": path, "state": "in-use", "id": NAME, "where": "",
                                       "outdated": False, "message": ""})
        self.assertNotIn("Files", self.status())

    def test_changed_and_deleted(self):
        path = self.put()
        self.reload()
        self.lpar.nmcli("connection", "modify", NAME, "connection.autoconnect-priority", "7")
        stored = self.profiles()[NAME]
        file = self.file()
        self.assertEqual((file["state"], file["where"]), ("changed", stored))
        self.assertFalse(file["outdated"])
        self.put(self.text(**{"autoconnect-priority": "3"}))
        self.assertTrue(self.file()["outdated"])
        page = self.status()
        for text in ("Files", path, stored, "nmcli connection reload"):
            self.assertIn(text, page)
        self.lpar.run("rm", stored)
        self.reload()
        self.lpar.nmcli("connection", "delete", NAME)
        self.lpar.wait_for(lambda: self.exists(GRAVE), 10, GRAVE)
        self.assertEqual((self.file()["state"], self.file()["where"]), ("deleted", GRAVE))

    def test_refused(self):
        path = self.put("[connection]\nid=bad\ntype=kvm-routed\n")
        self.assertEqual(self.file()["state"], "refused")
        self.assertIn(f"{path}: connection.interface-name", self.status())

    def test_others_see_none(self):
        self.put()
        done = self.lpar.run("setpriv", "--reuid", "nobody", "--clear-groups", "--",
                             "kvm-routedctl", "status", "--json")
        self.assertNotIn("files", json.loads(done.stdout))
        self.assertEqual(done.stderr, "")


class Module(FilesCase):
    def test_exports_and_needs(self):
        """Two functions; of the daemon one symbol, without which it does too; no libnm."""
        path, = pathlib.Path(self.lpar.product).glob(f".{PLUGINS}/*/{MODULE}")
        lines = product.run(["nm", "-D", path]).splitlines()
        words = [line.split()[-2:] for line in lines]
        self.assertEqual({name for kind, name in words if kind in "TDBR"},
                         {"g_module_check_init", "nm_settings_plugin_factory"})
        self.assertEqual([name for kind, name in words if kind == "w" and name.startswith("nm_")],
                         ["nm_settings_plugin_get_type"])
        self.assertEqual([name for kind, name in words if kind == "U" and name.startswith("nm_")],
                         [])
        needed = [line for line in product.run(["readelf", "-d", path]).splitlines()
                  if "(NEEDED)" in line]
        self.assertTrue(needed)
        self.assertEqual([line for line in needed if "libnm" in line], [])


if __name__ == "__main__":
    labcase.main()
