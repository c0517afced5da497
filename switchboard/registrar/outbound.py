"""Registrations over a flow (RFC 5626 §6): which of them may be outbound, and what their 200 says."""

from collections.abc import Sequence
from typing import Final

from switchboard.core.refusal import Refusal
from switchboard.registrar.binding import instance_of
from switchboard.registrar.contacts import RequestedContact
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import split_params
from switchboard.sip.uri import SipUri

OUTBOUND: Final = "outbound"
FLOW_TIMER_S: Final = 120
"""A phone shows at least so often that its connection lives (§4.4.1)."""
UDP_FLOW_TIMER_S: Final = 25
"""The same over UDP, where an address translator forgets a path that is silent for 30 s."""


def has_ob(path: Sequence[str]) -> bool:
    """Whether a proxy in Path (checked) keeps the flow to the phone (§5.1)."""
    return any(SipUri.parse(NameAddr.parse(value).uri).param("ob") is not None for value in path)


def with_flows(
    contacts: list[RequestedContact], *, is_possible: bool, is_supported: bool
) -> list[RequestedContact]:
    """Return the contacts, without their reg-id if no flow leads to the phone.

    Refusal 439 if the phone counts on one; ParseError if it names several contacts for a flow, which has one.
    `is_possible`: the phone, or a proxy that keeps the flow, is our peer. `is_supported`: by the phone.
    """
    added = [contact for contact in contacts if contact.expires != 0]
    if not any_flow(added):
        return contacts
    if len(added) > 1:
        raise ParseError("Several Contacts For One Flow", "Contact")
    if is_possible:
        return contacts
    if is_supported:
        raise Refusal(439)
    return [contact._replace(params=_without_reg_id(contact.params)) for contact in contacts]


def any_flow(contacts: Sequence[RequestedContact]) -> bool:
    """Whether one of the contacts is to be bound to a flow of an instance."""
    for contact in contacts:  # noqa: SIM110 (a generator costs more)
        if "reg-id" in contact.params.lower() and is_flow(contact.params):
            return True
    return False


def is_flow(params: str) -> bool:
    """Whether these are the parameters of a contact that is bound to a flow of an instance."""
    instance = instance_of(params)
    return instance is not None and bool(instance[1])


def _without_reg_id(params: str) -> str:
    pieces = split_params(params)
    kept = [each for each in pieces if each.partition("=")[0].rstrip().lower() != "reg-id"]
    return "".join(f";{each}" for each in kept)
