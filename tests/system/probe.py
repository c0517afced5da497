"""Is a switchboard there? Sends OPTIONS until one is answered. Also a program, for use in a namespace.

python probe.py HOST PORT TIMEOUT_S        exit status 0: answered, 1: not within the time
"""

import socket
import sys
import time

from switchboard.survey.ping import options

EVERY_S = 0.2


def answers_options(host: str, port: int, timeout_s: float) -> bool:
    """True as soon as an OPTIONS is answered with a SIP response; False after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(EVERY_S)
        probe.connect((host, port))
        while time.monotonic() < deadline:
            if _answers_once(probe, host, port):
                return True
    return False


def _answers_once(probe: socket.socket, host: str, port: int) -> bool:
    started = time.monotonic()
    try:
        own_host, own_port = probe.getsockname()[:2]
        probe.send(options(own_host, own_port, host, port))
        return probe.recv(65535).startswith(b"SIP/2.0 ")
    except TimeoutError:
        return False
    except ConnectionRefusedError:
        time.sleep(max(0.0, started + EVERY_S - time.monotonic()))
        return False


if __name__ == "__main__":
    sys.exit(0 if answers_options(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])) else 1)
