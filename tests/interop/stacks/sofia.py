"""Sofia-SIP: the stack of FreeSWITCH, GNOME Calls and Telepathy, in Debian's (original) version."""

import subprocess

from interop.stack import ALL, STACKS, Phone, Place, Stack, Talkative

_FLAGS = ["-I/usr/include/sofia-sip-1.12", "-Wno-format-truncation"]


def start(place: Place) -> Phone:
    """Compile our program around it, and start that."""
    program = place.folder / "sofia"
    command = ["gcc", *_FLAGS, "-o", str(program), str(STACKS / "sofia.c"), "-lsofia-sip-ua"]
    subprocess.run(command, check=True)
    return Talkative(place, [str(program)], {})


STACK = Stack(
    "Sofia-SIP",
    "Debian",
    "libsofia-sip-ua-dev",
    start,
    ALL,
    ["gcc"],
    note=(
        "Debian's is the version of 2011, from before FreeSWITCH went on with it; it fails at a"
        " list of challenges that has SHA-256 in it."
    ),
)
