"""An address translator (NAT) for one phone: python address_translator.py INNER_HOST OUTER_HOST SWITCHBOARD_HOST.

What the phone sends to INNER_HOST:5060 leaves from a port of OUTER_HOST, and what comes back there goes to the phone.
"""

import selectors
import socket
import sys

PORT = 5060
LONGEST = 65_535


def main(inner_host: str, outer_host: str, switchboard_host: str) -> None:
    """Translate until killed."""
    inner, outer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    inner.bind((inner_host, PORT))
    outer.bind((outer_host, 0))
    phone: tuple[str, int] | None = None
    print("ready", flush=True)
    with selectors.DefaultSelector() as selector:
        for each in (inner, outer):
            selector.register(each, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is inner:
                    raw, phone = inner.recvfrom(LONGEST)
                    outer.sendto(raw, (switchboard_host, PORT))
                elif (raw := outer.recv(LONGEST)) and phone is not None:
                    inner.sendto(raw, phone)


if __name__ == "__main__":
    main(*sys.argv[1:])
