"""Net::SIP: Perl's."""

from interop.stack import AGAIN, CALLS, IS_CALLED, REGISTERS, STACKS, Stack, Talkative

STACK = Stack(
    "Net::SIP",
    "Debian",
    "libnet-sip-perl",
    lambda place: Talkative(place, ["perl", str(STACKS / "net_sip.pl")], {}),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED),
    ["perl"],
    note="Our program around it takes every call at once.",
)
