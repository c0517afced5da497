"""The proxy that an assignment asks for, as the baseline: one file, one process, no transactions, no 100.

python -m bench.speed.assignment HOST PORT
"""

import re
import socketserver
import sys
from secrets import token_hex

from system.sipmsg import Address, host_port

registrations: dict[str, Address] = {}
URI = re.compile(r"sips?:(?:([^@;>]*)@)?([^:;>\s]+)(?::(\d+))?")
VIA = re.compile(r"via:\s*SIP/2\.0/UDP\s+([^:;\s]+)(?::(\d+))?", re.IGNORECASE)
OK = "SIP/2.0 200 OK"
NOT_FOUND = "SIP/2.0 404 Not Found"
ANSWERED = ("via:", "from:", "to:", "call-id:", "cseq:")


class Handler(socketserver.BaseRequestHandler):
    """One datagram."""

    def handle(self) -> None:
        """Answer it, or pass it on."""
        text = self.request[0].decode(errors="replace")
        head, _, body = text.partition("\r\n\r\n")
        self.lines = head.split("\r\n")
        self.body = body
        method = self.lines[0].split(" ")[0]
        if method == "SIP/2.0":
            self.forward_response()
        elif method == "REGISTER":
            self.register()
        elif method == "OPTIONS":
            self.answer(OK)
        else:
            self.forward_request(method)

    def header(self, name: str) -> str:
        """The first header field of that name, or nothing."""
        return next((line for line in self.lines if line.lower().startswith(name)), "")

    def register(self) -> None:
        """Remember where the user is."""
        user, _, _ = uri_parts(self.header("to:"))
        _, host, port = uri_parts(self.header("contact:"))
        registrations[user] = host, port
        self.answer(OK, self.header("contact:"), "Expires: 7200")

    def answer(self, status_line: str, *more: str) -> None:
        """Respond to the sender."""
        kept = [line for line in self.lines[1:] if line.lower().startswith(ANSWERED)]
        self.send([status_line, *kept, *more, "Content-Length: 0"], "", self.client_address)

    def forward_request(self, method: str) -> None:
        """Send it to the callee, through us on the way back, too."""
        user, host, port = uri_parts(self.lines[0])
        target: Address | None = (host, port)
        if self.header("route:"):
            self.lines.remove(self.header("route:"))
        else:
            target = registrations.get(user)
        if target is None:
            self.answer(NOT_FOUND)
            return
        own = host_port(self.request[1].getsockname())
        added = [f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{token_hex(8)}"]
        if method == "INVITE":
            added.append(f"Record-Route: <sip:{own};lr>")
        self.send([self.lines[0], *added, *self.lines[1:]], self.body, target)

    def forward_response(self) -> None:
        """Send it where the Via below ours says."""
        top = self.header("via:")
        _, comma, below = top.partition(",")
        self.lines.remove(top)
        if comma:
            self.lines.insert(1, f"Via:{below}")
        if found := VIA.match(self.header("via:")):
            self.send(self.lines, self.body, (found[1], int(found[2] or 5060)))

    def send(self, lines: list[str], body: str, target: Address) -> None:
        """Send a message."""
        self.request[1].sendto("\r\n".join([*lines, "", body]).encode(), target)


def uri_parts(text: str) -> tuple[str, str, int]:
    """User, host and port of the first SIP URI in it; empty where there is none."""
    found = URI.search(text)
    return (found[1] or "", found[2], int(found[3] or 5060)) if found else ("", "", 0)


def main() -> None:
    """Serve until killed."""
    host, port = sys.argv[1:]
    with socketserver.UDPServer((host, int(port)), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
