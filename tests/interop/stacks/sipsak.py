"""sipsak: registers others; it stays for no call."""

from interop.stack import AGAIN, REGISTERS, Commands, Phone, Place, Stack


def start(place: Place) -> Phone:
    """A process for each word."""
    own = ["-H", place.address, "-a", place.password or "none", "-u", place.user, "-vv"]
    contact = f"sip:{place.user}@{place.address}:5060"
    register = ["sipsak", "-U", "-C", contact, "-x", "600", "-s", place.aor, *own]
    return Commands(place, {"register": register})


STACK = Stack(
    "sipsak",
    "Debian",
    "sipsak",
    start,
    (REGISTERS, AGAIN),
    note="Registers only: `-M` (MESSAGE) does not work in this version. A port of five digits loses the last one in "
    "its Request-URI, which is then not ours.",
)
