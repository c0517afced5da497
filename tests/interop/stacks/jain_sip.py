"""JAIN-SIP: NIST's stack in Java, as Android has had it."""

import os
import subprocess

from interop.stack import ALL, STACKS, Phone, Place, Stack, Talkative

_JARS = ["/usr/share/java/nist-sip-aosp.jar"]


def start(place: Place) -> Phone:
    """Compile our program around it, and start that."""
    path = os.pathsep.join([*_JARS, str(place.folder)])
    source = str(STACKS / "JainPhone.java")
    subprocess.run(["javac", "-nowarn", "-cp", path, "-d", str(place.folder), source], check=True)
    return Talkative(place, ["java", "-cp", path, "JainPhone"], {})


STACK = Stack(
    "JAIN-SIP",
    "Debian",
    "libnist-sip-aosp-java",
    start,
    ALL,
    ["java", "javac"],
    note="Answers every challenge of a list with MD5, under the name of its algorithm.",
)
