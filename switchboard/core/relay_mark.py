"""The parameter of our Record-Route that says that the media of this dialog is relayed, and by which engine.

Theory. A router keeps no dialogs. So the phones keep for it what it has to know of a relayed one, as they keep the seal
(`dialog_seal.py`), beside which this stands:

    me = base64url(mac, kind, engine)

    mac       4 octets over all that follows, the Call-ID and the tag of who sent the request with this Record-Route
    kind      whether the caller, and the callee, is a browser; whether the INVITE had no offer
    engine    the sum of the engine's address (`media/engine.py`)

A forged one could only have an engine asked for its own call, as nothing is asked where no seal leads.
"""

from binascii import Error, a2b_base64, b2a_base64
from hmac import compare_digest
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal
from switchboard.media.engine import SUM

PARAM: Final = "me"
_MAC: Final = 4
_CALLER_WEB, _CALLEE_WEB, _LATE = 0x01, 0x02, 0x04
_SIZE: Final = _MAC + 1 + SUM
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


class Mark(NamedTuple):
    """As the sender of a request sees it. `is_late`: the first offer of the dialog was not in its INVITE."""

    engine: bytes
    from_web: bool
    to_web: bool
    is_late: bool = False

    @property
    def turned(self) -> "Mark":
        """As the other side sees it."""
        return self._replace(from_web=self.to_web, to_web=self.from_web)


def write_mark(mark: Mark, key: bytes, call_id: str, tag: str) -> str:
    """Return the value of the parameter. `tag`: of who sends the request."""
    kind = _CALLER_WEB * mark.from_web | _CALLEE_WEB * mark.to_web | _LATE * mark.is_late
    claim = bytes((kind,)) + mark.engine
    octets = b2a_base64(_mac(key, call_id, tag, claim) + claim, newline=False)
    return octets.translate(_TO_URL, b"=").decode()


def read_mark(text: str, key: bytes, call_id: str, from_tag: str, to_tag: str) -> Mark | None:
    """Return what the parameter `text` (untrusted) says to who sends a request with these tags; None if not ours."""
    try:
        padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
        octets = a2b_base64(padded, strict_mode=True)
    except (Error, ValueError):
        return None
    if len(octets) != _SIZE:
        return None
    mac, claim = octets[:_MAC], octets[_MAC:]
    mark = Mark(claim[1:], bool(claim[0] & _CALLER_WEB), bool(claim[0] & _CALLEE_WEB), bool(claim[0] & _LATE))
    if compare_digest(_mac(key, call_id, from_tag, claim), mac):
        return mark
    return mark.turned if compare_digest(_mac(key, call_id, to_tag, claim), mac) else None


def _mac(key: bytes, call_id: str, tag: str, claim: bytes) -> bytes:
    text = f"{call_id}\n{tag}\n".encode("utf-8", "surrogateescape")
    return seal(key, Use.MEDIA, text + claim, _MAC)
