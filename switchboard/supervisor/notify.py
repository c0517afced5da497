"""Tells systemd how the service is (sd_notify), where it asked to be told."""

import os
import socket

NOTIFY_SOCKET = "NOTIFY_SOCKET"
WATCHDOG_USEC = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


def notify(message: str) -> None:
    """Send e.g. `READY=1` to the address in NOTIFY_SOCKET; without it nothing."""
    address = os.environ.get(NOTIFY_SOCKET, "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(message.encode(), address)


class SignsOfLife:
    """A companion of a parent: tells systemd, which restarts who falls silent, that we run (WatchdogSec).

    `every_s`: half of what systemd asks for.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def next_deadline(self) -> float:
        """The next sign."""
        return self._next

    def handle_timer(self, now: float) -> None:
        """Give it."""
        self._next = now + self._every_s
        notify("WATCHDOG=1")


def signs_of_life() -> list[SignsOfLife]:
    """What systemd wants to be told, if it watches this process (sd_watchdog_enabled)."""
    wanted_us = os.environ.get(WATCHDOG_USEC, "")
    is_for_us = os.environ.get(WATCHDOG_PID, "") in ("", str(os.getpid()))
    return [SignsOfLife(int(wanted_us) / 2e6)] if wanted_us and is_for_us else []
