# SPDX-License-Identifier: GPL-2.0-or-later
"""Profiles as arguments of `nmcli connection add`."""

import configparser
import re
import shlex

NAMES = {("connection", "id"): "con-name", ("connection", "interface-name"): "ifname",
         ("connection", "type"): "type", ("ethernet", "mtu"): "802-3-ethernet.mtu"}
ALIASES = {("kvm-routed", "uplinks"): "uplink", ("kvm-routed", "peers"): "peer",
           ("kvm-routed", "hipersockets"): "hipersockets",
           ("kvm-routed", "masquerade"): "masquerade", ("kvm-routed", "switch"): "switch"}
DEFAULTS = (("ipv4.method", "manual"), ("ipv6.method", "disabled"))
LETTERS = {"n": "\n", "t": "\t", "r": "\r", "s": " ", "\\": "\\"}


def unescape(text):
    """A keyfile's escapes; a command line has none."""
    return re.sub(r"\\(.)", lambda found: LETTERS.get(found[1], found[0]), text)


def from_sections(sections, names=NAMES):
    """The pairs of property and value, as one list, of a profile {section: {key: value}}."""
    words, addresses, routes = [], [], []
    for section, keys in sections.items():
        for key, value in keys.items():
            if value is None:
                continue
            if re.fullmatch(r"address\d+", key):
                addresses.append(value)
            elif re.fullmatch(r"route\d+", key):
                routes.append(value.replace(",", " "))
            else:
                words += [names.get((section, key), f"{section}.{key}"), value]
    words += ["ipv4.addresses", ",".join(addresses)] if addresses else []
    words += ["ipv4.routes", ",".join(routes)] if routes else []
    return [unescape(word) for word in words]


def from_text(text):
    """The same of a keyfile's text, as a person would type it: with nmcli's short words, and
    without what is a default, or is made up."""
    parser = configparser.RawConfigParser(strict=False, delimiters="=")
    parser.optionxform = str
    parser.read_string(text)
    sections = {section: dict(parser[section]) for section in parser.sections()}
    words = from_sections(sections, {**NAMES, **ALIASES})
    words = ["ip4" if word == "ipv4.addresses" else word for word in words]
    pairs = list(zip(words[::2], words[1::2]))
    pairs.sort(key=lambda pair: pair[0] != "type")
    return [word for pair in pairs if pair not in DEFAULTS and pair[0] != "connection.uuid"
            for word in pair]


def shown(argv, width=90):
    """As it would be typed, in lines that can be pasted: `nmcli connection add` and its pairs."""
    pairs = zip(argv[3::2], argv[4::2])
    lines = [" ".join(argv[:3])]
    for pair in map(shlex.join, pairs):
        if len(lines[-1]) + len(pair) > width:
            lines.append("     ")
        lines[-1] += " " + pair
    return " \\\n".join(lines)
