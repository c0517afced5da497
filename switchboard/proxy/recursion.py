"""Following a redirection (RFC 3261 §16.5, §16.7 step 4): the callee's 3xx names who is called instead."""

from switchboard.proxy.target import Target
from switchboard.proxy.targets import TargetPolicy
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import SipUri

_FOLLOWED = (300, 301, 302)


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
        q = float(contact.param("q") or 1.0)
    except (ParseError, ValueError):
        return []
    return policy.expand(uri, q, at) if uri.scheme == "sip" and not uri.headers else []
