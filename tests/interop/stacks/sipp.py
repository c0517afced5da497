"""SIPp: Debian's knows MD5 and no TLS; what it says is what its scenarios say."""

from interop.stack import AGAIN, CALLS, IS_CALLED, REGISTERS, STACKS, Commands, Phone, Place, Stack

_LISTENS, _CALLS = "5060", "5070"


def start(place: Place) -> Phone:
    """One process is called; others register, and call."""

    contact = f"{place.address}:{_LISTENS}"
    register = ["-s", place.user, "-key", "contact", contact, "-auth_uri", place.server, "-m", "1"]
    call = ["-s", "{0}", "-auth_uri", f"{{0}}@{place.server}", "-m", "1"]
    commands = {
        "listen": sipp(place, "callee", _LISTENS),
        "register": [*sipp(place, "register", _CALLS), *register],
        "call": [*sipp(place, "caller", _CALLS), *call],
    }
    phone = Commands(place, commands)
    phone.say("listen")
    return phone


def sipp(place: Place, scenario: str, port: str, remote: str = "") -> list[str]:
    """The command that plays a scenario, towards the switchboard or a `remote` address."""
    file = str(STACKS / f"sipp_{scenario}.xml")
    own = ["-i", place.address, "-p", port, "-key", "caller", place.user, "-nostdin", "-trace_err"]
    proof = ["-au", place.user, "-ap", place.password or "none"]
    return ["sipp", f"{remote or place.server}:5060", "-sf", file, *own, *proof]


STACK = Stack(
    "SIPp",
    "Debian",
    "sip-tester",
    start,
    (REGISTERS, AGAIN, CALLS[0], IS_CALLED[1]),
    note=(
        "`-auth_uri USER@HOST` as in the Request-URI: by itself it names the address and port "
        'that it sends to. The dialog is as the scenario has it (`rrs="true"`, `[routes]`).'
    ),
)
