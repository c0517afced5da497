"""What each header field is for, in a sentence, and where it is defined."""

from typing import NamedTuple

from switchboard.history.lenient import long_name


class Note(NamedTuple):
    """`text`: what the field says; `rfc` and `section`: where that is written."""

    text: str
    rfc: int
    section: str

    @property
    def url(self) -> str:
        """The section on the web."""
        return f"https://www.rfc-editor.org/rfc/rfc{self.rfc}#section-{self.section}"


_NOTES = {
    "accept": Note("The kinds of body that its sender understands.", 3261, "20.1"),
    "accept-contact": Note("Which kinds of phone the caller would like to reach.", 3841, "9.2"),
    "accept-encoding": Note("The encodings of bodies that its sender can read.", 3261, "20.2"),
    "accept-language": Note("The languages that its sender reads, the preferred one first.", 3261, "20.3"),
    "alert-info": Note("Another ring tone for the callee.", 3261, "20.4"),
    "allow": Note("The methods that its sender can deal with.", 3261, "20.5"),
    "allow-events": Note("The events to which its sender lets others subscribe.", 6665, "8.2.2"),
    "authentication-info": Note("What an authenticated phone is to know for its next request.", 3261, "20.6"),
    "authorization": Note("The proof that the phone knows its password; shown masked.", 3261, "20.7"),
    "call-id": Note("Names the call, or all registrations of one phone; the same throughout.", 3261, "20.8"),
    "call-info": Note("Something about the caller or callee, such as a picture.", 3261, "20.9"),
    "contact": Note("Where its sender can be reached directly from now on.", 3261, "20.10"),
    "content-disposition": Note("What the body is for.", 3261, "20.11"),
    "content-encoding": Note("How the body was compressed.", 3261, "20.12"),
    "content-language": Note("The language of the body.", 3261, "20.13"),
    "content-length": Note("How many bytes the body has.", 3261, "20.14"),
    "content-type": Note("What the body is; application/sdp describes sound and picture.", 3261, "20.15"),
    "cseq": Note("Number and method of a request; its responses repeat both.", 3261, "20.16"),
    "date": Note("When the message was first sent.", 3261, "20.17"),
    "diversion": Note("Who forwarded the call, and why.", 5806, "5"),
    "error-info": Note("Where more is said about an error.", 3261, "20.18"),
    "event": Note("What a subscription is about.", 6665, "8.2.1"),
    "expires": Note(
        "For how many seconds a registration, a subscription or an offer is good.", 3261, "20.19"
    ),
    "flow-timer": Note("How often, in seconds, the phone is to show that it is there.", 5626, "4.4"),
    "from": Note("Who began it; its tag tells the caller's end of the call.", 3261, "20.20"),
    "history-info": Note("Where the request was sent before it came here.", 7044, "5"),
    "identity": Note("A signature over who calls.", 8224, "4"),
    "in-reply-to": Note("The calls that this one returns.", 3261, "20.21"),
    "join": Note("The call that the caller wants to join.", 3911, "7.1"),
    "max-breadth": Note("Into how many branches the request may still be forked.", 5393, "5.3.3"),
    "max-forwards": Note("How many more proxies may pass it on; each takes one off.", 3261, "20.22"),
    "mime-version": Note("The version of MIME that the body follows.", 3261, "20.24"),
    "min-expires": Note("The shortest registration that is accepted.", 3261, "20.23"),
    "min-se": Note("The shortest session timer that its sender accepts.", 4028, "5"),
    "organization": Note("The organization of its sender.", 3261, "20.25"),
    "p-access-network-info": Note("The access network of the phone.", 7315, "5.4"),
    "p-asserted-identity": Note("Who calls, as a trusted network vouches for.", 3325, "9.1"),
    "p-preferred-identity": Note("As whom the phone would like to be vouched for.", 3325, "9.2"),
    "path": Note("The proxies through which a registered phone must be reached.", 3327, "4"),
    "priority": Note("How urgent the caller finds it.", 3261, "20.26"),
    "privacy": Note("What the caller wants to be hidden.", 3323, "4.2"),
    "proxy-authenticate": Note("The proxy's question for a password.", 3261, "20.27"),
    "proxy-authorization": Note(
        "The proof, for a proxy, of knowing the password; shown masked.", 3261, "20.28"
    ),
    "proxy-require": Note("Extensions that every proxy on the way must have.", 3261, "20.29"),
    "rack": Note("Which reliable ringing a PRACK confirms.", 3262, "7.2"),
    "reason": Note("Why the request was sent, such as the status that ended a call.", 3326, "2"),
    "record-route": Note("The proxies that want to see the rest of the call, too.", 3261, "20.30"),
    "refer-to": Note("To whom the other side is to place a call: a transfer.", 3515, "2.1"),
    "referred-by": Note("Who transferred the call.", 3892, "3"),
    "remote-party-id": Note("Who calls, as older phones say it; never became a standard.", 3325, "9"),
    "replaces": Note("The call that this one takes the place of.", 3891, "6.1"),
    "reply-to": Note("Where a call back is wanted.", 3261, "20.31"),
    "require": Note("Extensions that the other side must have.", 3261, "20.32"),
    "retry-after": Note("In how many seconds to try again.", 3261, "20.33"),
    "route": Note("The proxies that the request has to pass, in order.", 3261, "20.34"),
    "rseq": Note("The number of a reliable provisional response.", 3262, "7.1"),
    "server": Note("The program that answered.", 3261, "20.35"),
    "service-route": Note("The proxies through which a registered phone should call.", 3608, "5"),
    "session-expires": Note("After how long the call ends unless it is refreshed.", 4028, "4"),
    "sip-etag": Note("Names the state that was published.", 3903, "11.3.1"),
    "sip-if-match": Note("Which published state this one replaces.", 3903, "11.3.2"),
    "subject": Note("What the call is about.", 3261, "20.36"),
    "subscription-state": Note("How a subscription stands.", 6665, "8.2.3"),
    "supported": Note("The extensions that its sender has.", 3261, "20.37"),
    "timestamp": Note("When its sender sent it, to measure the delay.", 3261, "20.38"),
    "to": Note("Whom it is for; its tag tells the callee's end of the call.", 3261, "20.39"),
    "unsupported": Note("The extensions that are lacking.", 3261, "20.40"),
    "user-agent": Note("The program that sent the request.", 3261, "20.41"),
    "via": Note(
        "The way back: each proxy puts itself on top, responses take them off again; the branch names the "
        "transaction.",
        3261,
        "20.42",
    ),
    "warning": Note("More about why it was refused.", 3261, "20.43"),
    "www-authenticate": Note("The registrar's question for a password.", 3261, "20.44"),
}


def describe(name: str) -> Note | None:
    """What the field `name` is for, in any case, long or compact; None for one that is not known here."""
    return _NOTES.get(long_name(name))
