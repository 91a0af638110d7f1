# SPDX-License-Identifier: GPL-2.0-or-later
"""Files with type=kvm-routed in an LPAR, and which plugins its NetworkManager loads."""

import pathlib
import re
import sysconfig

import labcase

PLUGINS = f"/usr/lib/{sysconfig.get_config_var('MULTIARCH')}/NetworkManager"
MODULE = "libnm-settings-plugin-kvm-routed.so"
DIRECTORY = "/etc/NetworkManager/kvm-routed"
RUN = "/run/NetworkManager/system-connections"
STORED = "/etc/NetworkManager/system-connections"
NAME = "guests11"
UUID = "5d7a1e40-0000-4000-8000-000000000011"
NATIVE = f"{RUN}/kvm-routed.{UUID}.nmconnection"
GRAVE = f"{STORED}/{UUID}.nmmeta"


class FilesCase(labcase.LabCase):
    """LPAR 11 with nothing but the files that a test puts there."""

    plugins = "keyfile"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lpar = cls.cec["lpar11"]
        cls.guest = cls.cec["lpar11/guest1"]
        cls.addClassCleanup(cls.end)
        cls.install_module()
        cls.configure(cls.plugins)
        cls.lpar.restart_nm()

    @classmethod
    def module(cls):
        """Where the LPAR's NetworkManager looks for the settings plugin."""
        version = cls.lpar.run("NetworkManager", "--version").stdout.strip()
        return f"{PLUGINS}/{version}/{MODULE}"

    @classmethod
    def install_module(cls):
        """The product has it where the NetworkManager is that it was built with."""
        built, = pathlib.Path(cls.lpar.product).glob(f".{PLUGINS}/*/{MODULE}")
        cls.lpar.run("install", "-D", "-m", "755", str(built), cls.module())

    @classmethod
    def configure(cls, plugins, more=""):
        """What /etc/NetworkManager has in main.plugins (None: not a word), and in a file in its
        conf.d."""
        path = cls.lpar.directory / "etc/NetworkManager.conf"
        line = "" if plugins is None else f"plugins={plugins}\n"
        text = re.sub(r"^plugins=.*\n", "", path.read_text(), flags=re.M)
        path.write_text(text.replace("[main]\n", f"[main]\n{line}", 1))
        cls.lpar.write_file("/etc/NetworkManager/conf.d/more.conf", more)

    @classmethod
    def end(cls):
        cls.lpar.stop_nm()
        cls.clear()
        cls.configure("keyfile")
        cls.lpar.start_nm()
        cls.lpar.connected()

    @classmethod
    def clear(cls):
        cls.lpar.sh(f"rm -rf {DIRECTORY} {RUN}/kvm-routed.* {STORED}/guests* {STORED}/*.nmmeta")

    def setUp(self):
        self.lpar.reset()
        self.clear()
        self.lpar.nmcli("connection", "reload")

    def put(self, text=None, name=NAME, mode="600"):
        """Drop a file as configuration management does; by default the topology's profile, which
        does not come up by itself. Its path."""
        path = f"{DIRECTORY}/{name}.nmconnection"
        self.lpar.sh(f"mkdir -p {DIRECTORY}")
        self.lpar.write_file(path, text or self.text(), mode)
        return path

    def text(self, **changes):
        """The profile, with other values for keys of [connection]."""
        text = self.lpar.profile(NAME)
        for key, value in {"autoconnect": "false", **changes}.items():
            text = re.sub(rf"^{key}=.*\n", "", text, flags=re.M)
            text = text.replace("[connection]\n", f"[connection]\n{key}={value}\n")
        return text

    def reload(self):
        self.lpar.nmcli("connection", "reload")

    def profiles(self):
        """Name and file of NetworkManager's profiles that are not the lab's own."""
        own = {link["name"] for link in self.lpar.managed_links()} | {"lo"}
        lines = self.lpar.nmcli("-t", "-f", "NAME,FILENAME", "connection").splitlines()
        return {name: path for name, path in (line.split(":", 1) for line in lines)
                if name not in own}

    def get(self, field, name=NAME):
        return self.lpar.nmcli("-g", field, "connection", "show", name).strip()

    def log(self):
        return self.lpar.logs["NetworkManager"].read_text(errors="replace")

    def assert_says(self, *texts, since=0):
        """One line of NetworkManager's log has all of these."""
        def said():
            assert any(all(text in line for text in texts)
                       for line in self.log()[since:].splitlines()), self.log()[since:]
            return True

        self.lpar.wait_for(said, 10, f"the log says {texts}")

    def exists(self, path):
        return self.lpar.run("test", "-e", path, "-o", "-L", path, check=False).returncode == 0
