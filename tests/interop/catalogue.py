"""All stacks that have a driver, in the order of the table."""

from collections.abc import Sequence

from interop.stack import Stack
from interop.stacks import (
    baresip,
    baresip_python,
    jain_sip,
    kamailio,
    linphone,
    net_sip,
    npm_sip,
    nx_sip_client,
    opensip,
    pjsua2_python,
    pyvoip,
    rfcvoip,
    simple_sip_client,
    simplesip,
    sipp,
    sippy,
    sipral,
    sipsak,
    sipua,
    sofia,
    twinkle,
)

STACKS: Sequence[Stack] = (
    linphone.STACK,
    baresip.STACK,
    baresip_python.STACK,
    pjsua2_python.STACK,
    pyvoip.STACK,
    rfcvoip.STACK,
    simple_sip_client.STACK,
    simplesip.STACK,
    opensip.STACK,
    nx_sip_client.STACK,
    sipral.STACK,
    net_sip.STACK,
    sofia.STACK,
    jain_sip.STACK,
    twinkle.STACK,
    sipp.STACK,
    sippy.STACK,
    kamailio.STACK,
    sipsak.STACK,
    sipua.STACK,
    npm_sip.STACK,
)

ABSENT: Sequence[tuple[str, str]] = (
    ("Asterisk, FreeSWITCH, OpenSIPS, Yate", "not in Debian 12, PyPI or npm"),
    ("pjsua, the program", "not in Debian 12; its library is, as pjsua2-python"),
    ("jssip 3.13.8, sip.js 0.21.2 (npm)", "phones in browsers: [BROWSERS.md](BROWSERS.md)"),
    ("drachtio-srf (npm)", "needs the drachtio server, which is not there"),
    ("aiosip 0.2.0 (PyPI)", "needs a Python before 3.11 (asyncio.coroutine)"),
    ("nanosip 0.0.7 (PyPI)", "only lets phones ring, from a new port each time"),
    ("usip 1.0.0 (PyPI)", "its PyAudio is to be built, from PortAudio"),
    ("sipx 4.0.0 (PyPI)", "not for Python 3.11"),
    ("Jami, GNOME Calls, Pidgin", "windows, no console"),
)
"""What could not be run, and why."""
