"""A trunk at a provider, which is Debian's Kamailio, and the phones behind it."""

import json
from collections.abc import Mapping
from pathlib import Path

from system.net import Net
from system.provider import OUTSIDE, PASSWORD, REALM, Provider
from system.sip_transactions import ClientTransaction
from system.sipmsg import Address, Headers
from system.user_agent import SDP, UserAgent

ACCOUNT = "421255500000"
PREFIX = "0900"
"""Behind it our phones dial the port of the one that is meant."""
NUMBERS = 1000


class OutsidePhone(UserAgent):
    """It calls a number of ours that nobody else calls, and reaches the group of that number."""

    def __init__(self, net: Net, name: str, provider: Address, place: int) -> None:
        super().__init__(net, name, proxy=provider)
        self.group = _group(place)
        self._number = _number(place)

    @property
    def dialled(self) -> str:
        """What our phones dial to reach it."""
        return f"{PREFIX}{self.address[1]}"

    def invite(self, callee: str, headers: Headers = (), body: bytes = SDP) -> ClientTransaction:  # noqa: ARG002
        """Call the number; the provider calls our account then, and says in To what was dialled."""
        request = self.request(
            "INVITE", f"sip:{ACCOUNT}@{self.domain}", headers, body, to=f"<sip:{self._number}@{REALM}>"
        )
        return self.start(request)


def trunk_settings(provider: Provider, directory: Path) -> Mapping[str, str]:
    """The settings of a switchboard with that trunk; its password is in a file in `directory`."""
    password = directory / "password"
    password.write_text(f"{PASSWORD}\n")
    password.chmod(0o600)
    trunk = {
        "registrar": provider.place,
        "user": ACCOUNT,
        "domain": REALM,
        "password_file": str(password),
        "numbers": {_number(place): f"group:{_group(place)}" for place in range(NUMBERS)},
    }
    rule = {"match": f"{PREFIX}*", "strip": len(PREFIX), "prepend": OUTSIDE, "to": "trunk:provider"}
    return {
        "SWITCHBOARD_TRUNKS": json.dumps({"provider": trunk}),
        "SWITCHBOARD_DIALPLAN": json.dumps({"rules": [rule]}),
    }


def _number(place: int) -> str:
    return f"+42125551{place:04d}"


def _group(place: int) -> str:
    return f"line-{place}"
