"""Why two phones could not agree on a way to talk: codecs, encryption, and what the one that refused says itself."""

from collections.abc import Iterator
from typing import Final

from switchboard.history.call_messages import ExplainedCall
from switchboard.history.media import read_warning

NO_AGREEMENT: Final = (415, 488, 606)
_TRANSPORT, _FORMAT, _OURS = 302, 305, "399 switchboard"


def disagreement(call: ExplainedCall) -> Iterator[str]:
    """What to check where a phone refused the offer; nothing where something else happened."""
    assert call.final is not None
    warnings = [each for each in call.final.all("warning") if not each.startswith(_OURS)]
    if call.final_is_by_phone and call.final.status in NO_AGREEMENT:
        codes = [read_warning(each)[0] for each in warnings]
        encrypted = [each for each in call.invite.audio if each.is_encrypted]
        if encrypted and len(encrypted) == len(call.invite.audio):
            yield (
                f"{call.caller}'s phone demands encrypted voice ({encrypted[0].protocol}), and {call.callee}'s does "
                "not have it, or not that way: switch SRTP to optional or off in the one, or on in the other."
            )
        elif _TRANSPORT in codes:
            yield (
                f"{call.caller}'s phone offered plain voice, and {call.callee}'s seems to demand encryption (SRTP): "
                "switch it on in the one, or to optional in the other."
            )
        if _FORMAT in codes or not (encrypted or codes):
            offered = ", ".join(call.invite.codecs) or "none"
            yield f"They have no codec in common: {call.caller}'s phone offered {offered}. Switch one on in both."
    if call.final_is_by_phone:
        for each in warnings:
            yield f"{call.callee}'s phone says why: {read_warning(each)[1]}."
