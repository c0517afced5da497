"""What a redirection adds to the target set (RFC 3261 §16.7 step 4): the contacts of a 3xx that a proxy follows."""

import re

from switchboard.core.target import Target
from switchboard.core.targets import TargetPolicy
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri

_FOLLOWED = (300, 301, 302)
_IN_USER = r"A-Za-z0-9\-_.!~*'()&=+$,;?/:%"
_IN_PARAM = r"A-Za-z0-9\-_.!~*'()\[\]/:&+$%"
_WELL_FORMED = re.compile(
    rf"sips?:(?:[{_IN_USER}]++@)?[^;?@]++(?>(?:;[{_IN_PARAM}]++(?:=[{_IN_PARAM}]++)?)*)", re.IGNORECASE
)
"""What we may write as a Request-URI of our own making; anything else is the caller's to follow."""


def redirected_targets(response: Message, policy: TargetPolicy, at: float) -> list[Target]:
    """Return where the contacts of `response` lead; none if it is no redirection that a proxy follows."""
    if response.status not in _FOLLOWED:
        return []
    try:
        contacts = response.values(Header.CONTACT)
    except ParseError:
        return []
    return [target for contact in contacts for target in _targets(contact, policy, at)]


def _targets(value: str, policy: TargetPolicy, at: float) -> list[Target]:
    try:
        contact = NameAddr.parse(value)
        uri = SipUri.parse(contact.uri)
        if not (_WELL_FORMED.fullmatch(contact.uri) and uri.has_host):
            return []
        q = float(contact.param("q") or 1.0)
    except (ParseError, ValueError):
        return []
    return policy.expand(uri, q, at)
