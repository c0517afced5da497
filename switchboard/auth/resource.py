"""Whether credentials are for a request: their `uri` names a resource, not letters (RFC 7616 §3.4.6)."""

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote

from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri

Owns = Callable[[SipUri], bool]
"""Whether a URI names something of ours."""

_LOOPBACK = "127.0.0.1"
_BEHIND_HOST = re.compile("[;?>]")


class _Resource(NamedTuple):
    """`user`: unescaped, "" for none. `place`: "" for us, whatever the name, else host and port."""

    user: str
    place: str


def names_same(shown: str, uri: str, user: str, owns: Owns) -> bool:
    """Whether `shown` (untrusted) of the credentials of `user` names what the Request-URI `uri` names.

    Of what is ours, who names no user names all of it; and a user may name itself in place of the domain.
    """
    if shown == uri:
        return True
    one, other = _resource(shown, owns), _resource(uri, owns)
    if one is None or other is None or one.place != other.place:
        return False
    if one.user == other.user:
        return True
    return not one.place and (not one.user or (not other.user and one.user == user))


def _resource(text: str, owns: Owns) -> _Resource | None:
    """What `text` names, None if that cannot be told: with or without scheme, brackets and parameters."""
    bare = text.strip(" \t<>")
    if bare == "/":
        return _Resource("", "")
    scheme, _, rest = bare.partition(":")
    user, _, place = (rest if scheme.lower() in ("sip", "sips") else bare).rpartition("@")
    try:
        uri = SipUri.parse("sip:" + _BEHIND_HOST.split(place, 1)[0])
    except ParseError:
        return None
    if uri.host == "localhost":  # RFC 6761 §6.3
        uri = uri.replace(host=_LOOPBACK)
    return _Resource(unquote(user), "" if owns(uri) else f"{uri.host}:{uri.port or ''}")
