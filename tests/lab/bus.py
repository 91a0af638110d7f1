# SPDX-License-Identifier: GPL-2.0-or-later
"""A client on the D-Bus of an LPAR, in the test's own process: calls, errors by name, signals.

    with Bus(lpar) as bus:
        bus.version()
        bus.call("Check", "(s)", text)     # its results, as Python data; or a BusError
"""

import time

from gi.repository import Gio, GLib

from hosts import LabError
from lpar import BUS_NAME

PATH = "/org/freedesktop/NetworkManager/KvmRouted"
INTERFACE = "org.freedesktop.NetworkManager.KvmRouted"
NETWORK = INTERFACE + ".Network"
ERROR = INTERFACE + ".Error."
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"


class BusError(Exception):
    """A call was answered with an error: `name` is its name on the bus, str() its message."""

    def __init__(self, error):
        self.name = Gio.DBusError.get_remote_error(error) or error.domain
        super().__init__(error.message.removeprefix(f"GDBus.Error:{self.name}: "))


class Signal:
    """A signal that was received; times are time.monotonic()."""

    def __init__(self, path, interface, name, arguments):
        self.path, self.interface, self.name = path, interface, name
        self.arguments = arguments
        self.time = time.monotonic()

    def __repr__(self):
        return f"<{self.name} of {self.path}: {self.arguments}>"


def _items(dictionary):
    """The keys and values of an a{sv}, the values as variants."""
    for number in range(dictionary.n_children()):
        entry = dictionary.get_child_value(number)
        yield entry.get_child_value(0).get_string(), entry.get_child_value(1).get_variant()


class Bus:
    """A connection to the system bus of an LPAR, as root; a context manager."""

    def __init__(self, lpar):
        self._lpar = lpar
        flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
                 | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
        # A socket is found by its path, in whatever namespace that is.
        address = f"unix:path=/proc/{lpar.holder}/root/run/dbus/system_bus_socket"
        self._connection = Gio.DBusConnection.new_for_address_sync(address, flags, None, None)
        self._connection.set_exit_on_close(False)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if not self._connection.is_closed():
            self._connection.close_sync(None)

    # -- calls

    def call(self, method, signature="()", *arguments, path=PATH, interface=INTERFACE,
             name=BUS_NAME, timeout=30):
        """Call a method; what it returns: nothing, one value, or a tuple."""
        try:
            reply = self._connection.call_sync(
                name, path, interface, method, GLib.Variant(signature, arguments), None,
                Gio.DBusCallFlags.NONE, int(timeout * 1000), None)
        except GLib.Error as error:
            raise BusError(error) from None
        results = reply.unpack()
        return results[0] if len(results) == 1 else results or None

    @staticmethod
    def variant(signature, value):
        """An argument of type "v"."""
        return GLib.Variant(signature, value)

    def get(self, name, path=PATH, interface=INTERFACE):
        """A property."""
        return self.call("Get", "(ss)", interface, name, path=path, interface=PROPERTIES)

    def version(self):
        """Of the service, which is started for the answer if need be."""
        return self.get("Version")

    def objects(self):
        """GetManagedObjects: {path: {interface: {property: value}}}."""
        return self.call("GetManagedObjects", interface=OBJECTS)

    def networks(self):
        """{UUID: properties} of all networks, each with its object's path as "path"."""
        return {interfaces[NETWORK]["Uuid"]: {**interfaces[NETWORK], "path": path}
                for path, interfaces in self.objects().items()}

    def types(self, path):
        """The D-Bus types of a network's properties: {"Uuid": ("s", {}), …}; with a list of
        dictionaries come the types in its first one."""
        reply = self._connection.call_sync(
            BUS_NAME, path, PROPERTIES, "GetAll", GLib.Variant("(s)", (NETWORK,)),
            GLib.VariantType("(a{sv})"), Gio.DBusCallFlags.NONE, -1, None)
        found = {}
        for name, value in _items(reply.get_child_value(0)):
            kind = value.get_type_string()
            first = _items(value.get_child_value(0)) \
                if kind == "aa{sv}" and value.n_children() else ()
            found[name] = (kind, {key: inner.get_type_string() for key, inner in first})
        return found

    def owned(self):
        """Whether the service runs; asking does not start it."""
        return self.call("NameHasOwner", "(s)", BUS_NAME, path="/org/freedesktop/DBus",
                         interface="org.freedesktop.DBus", name="org.freedesktop.DBus")

    # -- signals

    def signals(self, name=None, path=None, interface=None, sender=None, argument=None):
        """Collect signals from now on: a list that grows while wait_for() or settle() runs."""
        seen = []

        def received(_connection, _sender, path, interface, name, arguments):
            seen.append(Signal(path, interface, name, arguments.unpack()))

        self._connection.signal_subscribe(sender, interface, name, path, argument,
                                          Gio.DBusSignalFlags.NONE, received)
        self.settle(0)  # the bus has the match before anything else is asked of it
        return seen

    def name_changes(self):
        """Collect NameOwnerChanged of the service: it came, or it went."""
        return self.signals("NameOwnerChanged", interface="org.freedesktop.DBus",
                            argument=BUS_NAME)

    def settle(self, seconds):
        """Receive signals for a while, and all that were sent before."""
        deadline = time.monotonic() + seconds
        context = GLib.MainContext.default()
        while True:
            while context.iteration(False):
                pass
            if time.monotonic() >= deadline:
                break
            time.sleep(0.005)
        # The answer comes after everything that the bus sent us before.
        self.call("GetId", path="/org/freedesktop/DBus", interface="org.freedesktop.DBus",
                  name="org.freedesktop.DBus")
        while context.iteration(False):
            pass

    def wait_for(self, predicate, timeout, what):
        """Receive signals until predicate() is true; its value."""
        deadline = time.monotonic() + timeout
        while True:
            self.settle(0.01)
            if value := predicate():
                return value
            if time.monotonic() > deadline:
                raise LabError(f"{self._lpar.name}: waited {timeout:g} s in vain for: {what}\n"
                               + self._lpar.diagnosis())
