# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with type=kvm-routed after a boot, whatever became of NetworkManager's plugins."""

import labcase
from lpar import GENERATOR
from profilefiles import DIRECTORY, GRAVE, NAME, NATIVE, STORED, FilesCase

SYSTEMS = "all"

LAN = "10.10.10.10"
DIRECTORIES = ["/run/systemd/generator"] * 3


class Boot(FilesCase):
    """NetworkManager's configuration asks for the plugin, and an update has lost it: under this
    name it was never anywhere."""

    plugins = "keyfile,kvm-routed-moved"

    def boot(self):
        self.cec.reboot(self.lpar)
        self.assertIn("could not load plugin 'kvm-routed-moved'", self.log())

    def test_a_network_is_up_after_the_boot(self):
        self.put(self.text(autoconnect="true"))
        self.boot()
        self.assertEqual(self.profiles(), {NAME: NATIVE})
        self.lpar.attach_guests()
        self.lpar.wait_state(NAME, "active")
        self.assertTrue(self.lpar.guests["guest1"].ping(LAN))

    def test_what_users_did_stays(self):
        self.put()
        self.boot()
        self.lpar.nmcli("connection", "modify", NAME, "connection.autoconnect-priority", "7")
        self.boot()
        self.assertEqual(self.get("connection.autoconnect-priority"), "7")
        self.assertTrue(self.profiles()[NAME].startswith(f"{STORED}/"))
        self.lpar.sh(f"rm {STORED}/{NAME}.nmconnection; ln -s /dev/null {GRAVE}")
        self.boot()
        self.assertEqual(self.profiles(), {})

    def test_an_invalid_file_keeps_no_other_away(self):
        self.put("[connection]\nid=bad\ntype=kvm-routed\n", "bad")
        self.put()
        self.boot()
        self.assertEqual(self.profiles(), {NAME: NATIVE})


class ByHand(FilesCase):
    """What it says, where the kernel's log is not to be had."""

    def generate(self, *arguments):
        # The kernel's log is the machine's.
        return self.lpar.sh(f"mount --bind /dev/full /dev/kmsg; {GENERATOR} {' '.join(arguments)}; "
                            "status=$?; umount /dev/kmsg; exit $status", check=False)

    def test_messages(self):
        bad = self.put("[connection]\nid=bad\ntype=kvm-routed\n", "bad")
        self.put()
        done = self.generate(*DIRECTORIES)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stderr.splitlines(), [
            f"kvm-routed-generator: {bad}: connection.interface-name: the guest interface needs a "
            "name, such as br-ex"])
        self.assertTrue(self.exists(NATIVE))

    def test_unreadable_directory(self):
        self.lpar.sh(f"rm -rf {DIRECTORY}; echo >{DIRECTORY}")
        done = self.generate(*DIRECTORIES)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{DIRECTORY}: ", done.stderr)
        self.assertIn("Not a directory", done.stderr)

    def test_nothing_to_do(self):
        self.clear()
        done = self.generate(*DIRECTORIES)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_arguments(self):
        done = self.generate()
        self.assertEqual(done.returncode, 2)
        self.assertIn("three directories", done.stderr)
        done = self.generate("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^kvm-routed-generator \d")


if __name__ == "__main__":
    labcase.main()
