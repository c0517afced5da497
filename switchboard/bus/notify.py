"""Tells systemd how the service is (sd_notify), where it asked to be told."""

import os
import socket

NOTIFY_SOCKET = "NOTIFY_SOCKET"


def notify(message: str) -> None:
    """Send e.g. `READY=1` to the address in NOTIFY_SOCKET; without it nothing."""
    address = os.environ.get(NOTIFY_SOCKET, "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(message.encode(), address)
