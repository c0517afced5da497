"""What a phone hears that has dialled a star code: a final response whose reason phrase says what is so now.

No 2xx, since nobody talks to it. It goes past the catalogues, which would replace the phrase, and bears the text in a
Warning, too. Its To tag is that of answers without a transaction: the ACK ends at the router.
"""

from collections.abc import Mapping
from typing import Any, Final

from switchboard.codec import pack
from switchboard.core.refusal import tag_of
from switchboard.registrar.rule_words import lines_of, sentence
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message
from switchboard.sip.respond import build_response, received_via, response_address

DIALLED: Final = (bytes, bytes, bytes, str, dict)
"""An item of `rules.dialled`."""
DONE: Final = 480
REFUSED: Final = 403
_LONGEST: Final = 120


def said(told: Mapping[str, Any]) -> tuple[int, str]:
    """Status and text for what `RuleKeeper.answer` has told."""
    if why := told.get("refused"):
        return REFUSED, f"Nothing was changed: {why}"
    lines = lines_of(told["rules"]) if told["rules"] else []
    text = sentence(told["name"], lines) if lines else f"{told['name']}: the phones ring"
    return DONE, text.replace("→", "->")


def answer_to(invite: Message, flow: Flow, status: int, text: str) -> bytes:
    """The packed item of sip.send that answers `invite`, which came along `flow`; b"" if nobody can hear it."""
    shown = "".join(each if each.isprintable() else "?" for each in text)[:_LONGEST]
    warning = shown.replace("\\", "").replace('"', "'")
    try:
        to = flow.towards(response_address(invite, flow.hop)).pack()
        via = received_via(invite, flow.hop)
    except ParseError:
        return b""
    headers = [("Warning", f'399 switchboard "{warning}"')]
    return pack([to, build_response(invite, status, shown, tag_of(invite), headers, via)])
