"""Is a switchboard there? Sends OPTIONS until one is answered. Also a program, for use in a namespace.

python probe.py HOST PORT TIMEOUT_S        exit status 0: answered, 1: not within the time
"""

import socket
import sys
import time
from secrets import token_hex

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
        probe.send(_options(probe, host, port))
        return probe.recv(65535).startswith(b"SIP/2.0 ")
    except TimeoutError:
        return False
    except ConnectionRefusedError:
        time.sleep(max(0.0, started + EVERY_S - time.monotonic()))
        return False


def _options(probe: socket.socket, host: str, port: int) -> bytes:
    own_host, own_port = probe.getsockname()[:2]
    here, there = (f"[{name}]" if ":" in name else name for name in (own_host, host))
    lines = [
        f"OPTIONS sip:{there}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {here}:{own_port};rport;branch=z9hG4bK{token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:probe@{here}>;tag={token_hex(4)}",
        f"To: <sip:{there}:{port}>",
        f"Call-ID: {token_hex(8)}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()


if __name__ == "__main__":
    sys.exit(0 if answers_options(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])) else 1)
