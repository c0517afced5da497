"""Datagrams spoilt by hand, and what becomes of each; used on the proxy floor and over UDP.

The sender is `LUKAS` of the playbook, and `lenka` is registered at `LENKA`. Outcomes: "delivered" to the
callee, "dropped", or the status that the sender is answered. Nothing may ever be sent to anybody else.
"""

from dataclasses import dataclass

from playbook import HOST, LUKAS, request

URI = f"sip:lenka@{HOST}"
DELIVERED, DROPPED = "delivered", "dropped"
Outcome = str | int
LARGEST_UDP = 65_507
OWN_VIA = f"Via: SIP/2.0/UDP {HOST}:5060;branch=z9hG4bKsb0.t9-%x.0badcafe"


@dataclass(frozen=True, slots=True)
class Case:
    """One datagram; `raw` bears its name in Call-ID and branch, as far as it has them."""

    raw: bytes
    outcome: Outcome


def message(name: str, *lines: str, method: str = "MESSAGE", uri: str = URI, **more: object) -> bytes:
    """A well-formed request to the callee."""
    branch, call_id = f"z9hG4bK{name}", f"malformed-{name}"
    return request(method, uri, branch=branch, call_id=call_id, lines=lines, **more)  # type: ignore[arg-type]


def _with_length(name: str, length: str, body: bytes = b"four") -> bytes:
    return message(name, body=body).replace(b"Content-Length: 4", f"Content-Length: {length}".encode())


def _without(name: str, field: bytes) -> bytes:
    lines = message(name).split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(field + b":"))


def _twice(name: str, field: bytes) -> bytes:
    lines = message(name).split(b"\r\n")
    return b"\r\n".join(
        line for each in lines for line in [each] * (2 if each.startswith(field + b":") else 1)
    )


def _cseq(name: str, cseq: str) -> bytes:
    return message(name).replace(b"CSeq: 1 MESSAGE", f"CSeq: {cseq}".encode())


def _max_forwards(name: str, *values: str) -> bytes:
    lines = "\r\n".join(f"Max-Forwards: {value}" for value in values)
    return message(name).replace(b"Max-Forwards: 70", lines.encode())


def _via(name: str, parameters: str, sent_by: str = f"{LUKAS[0]}:{LUKAS[1]}") -> bytes:
    """The top Via: whose parameters tell where the response goes."""
    old = f"Via: SIP/2.0/UDP {LUKAS[0]}:{LUKAS[1]};branch=z9hG4bK{name};rport"
    new = f"Via: SIP/2.0/UDP {sent_by};branch=z9hG4bK{name}{parameters}"
    return message(name, uri=f"sip:{HOST}").replace(old.encode(), new.encode())


def _line(name: str, line: bytes) -> bytes:
    return message(name).replace(b"Content-Length:", line + b"\r\nContent-Length:")


def _response(
    name: str, vias: int, branch: str = "z9hG4bKsb0.nobody-1.0badcafe", cseq: str = "1 INVITE"
) -> bytes:
    own = f"Via: SIP/2.0/UDP {HOST}:5060;branch={branch}\r\n"
    senders = f"Via: SIP/2.0/UDP {LUKAS[0]}:5060;branch=z9hG4bK{name}\r\n" * (vias - 1)
    rest = f"From: <sip:a@{HOST}>;tag=1\r\nTo: <{URI}>;tag=2\r\nCall-ID: malformed-{name}\r\nCSeq: {cseq}\r\n"
    return f"SIP/2.0 200 OK\r\n{own}{senders}{rest}Content-Length: 0\r\n\r\n".encode()


def _padded(name: str, size: int, method: str = "MESSAGE") -> bytes:
    """A request of exactly `size` octets."""
    padding = size - len(message(name, method=method, body=b"0" * 10_000)) + 10_000
    return message(name, method=method, body=b"0" * padding)


def _register(name: str, contact: bytes) -> bytes:
    raw = message(name, "Contact: CONTACT", method="REGISTER", uri=f"sip:{HOST}", caller=f"sip:{name}@{HOST}")
    return raw.replace(f"To: <sip:{HOST}>".encode(), f"To: <sip:{name}@{HOST}>".encode()).replace(
        b"CONTACT", contact
    )


CASES: dict[str, Case] = {
    # Content-Length
    "length-lying": Case(_with_length("length-lying", "400"), 400),
    "length-short": Case(_with_length("length-short", "2"), DELIVERED),
    "length-negative": Case(_with_length("length-negative", "-4"), 400),
    "length-signed": Case(_with_length("length-signed", "+4"), 400),
    "length-huge": Case(_with_length("length-huge", "99999999999999999999"), 400),
    "length-2-32": Case(_with_length("length-2-32", "4294967300"), 400),
    "length-word": Case(_with_length("length-word", "four"), 400),
    "length-empty": Case(_with_length("length-empty", ""), 400),
    "length-missing": Case(_without("length-missing", b"Content-Length") + b"body", DELIVERED),
    "length-twice": Case(_twice("length-twice", b"Content-Length"), 400),
    # octets
    "nul-in-value": Case(_line("nul-in-value", b"Subject: a\0b"), DELIVERED),
    "nul-in-name": Case(_line("nul-in-name", b"Sub\0ject: a"), 400),
    "nul-in-from": Case(message("nul-in-from").replace(b"From: <", b'From: "\0" <'), 400),
    "nul-in-uri": Case(message("nul-in-uri").replace(b"MESSAGE sip:lenka", b"MESSAGE sip:len\0ka"), 400),
    "nul-in-body": Case(message("nul-in-body", body=b"\0\0\0"), DELIVERED),
    "not-utf8-in-value": Case(_line("not-utf8-in-value", b"Subject: \xff\xfe\xc3("), DELIVERED),
    "not-utf8-in-from": Case(
        message("not-utf8-in-from").replace(b"From: <", b'From: "\xff\xc3(" <'), DELIVERED
    ),
    "not-utf8-in-call-id": Case(
        message("not-utf8-in-call-id").replace(b"Call-ID: ", b"Call-ID: \xff\xc3"), DELIVERED
    ),
    "not-utf8-in-uri": Case(
        message("not-utf8-in-uri").replace(b"MESSAGE sip:lenka", b"MESSAGE sip:\xff\xfe"), 404
    ),
    "not-utf8-in-method": Case(message("not-utf8-in-method").replace(b"MESSAGE sip", b"MESS\xffGE sip"), 400),
    "bare-cr": Case(_line("bare-cr", b"Subject: a\rb"), 400),
    "bare-lf": Case(_line("bare-lf", b"Subject: a\nb"), 400),
    "bare-lf-everywhere": Case(message("bare-lf-everywhere").replace(b"\r\n", b"\n"), 400),
    "bare-cr-everywhere": Case(message("bare-cr-everywhere").replace(b"\r\n", b"\r"), DROPPED),
    "only-nul": Case(b"\0" * 1200, DROPPED),
    "only-noise": Case(bytes(range(128, 256)) * 8, DROPPED),
    "start-line-only": Case(f"MESSAGE {URI} SIP/2.0\r\n\r\n".encode(), DROPPED),
    "no-empty-line": Case(message("no-empty-line")[:-2], 400),
    "no-colon": Case(_line("no-colon", b"Subject"), 400),
    "no-name": Case(_line("no-name", b": value"), 400),
    # folding and white space
    "folded": Case(
        message("folded").replace(b"From: ", b"From:\r\n \t").replace(b";tag", b"\r\n\t;tag"), DELIVERED
    ),
    "folded-blank": Case(_line("folded-blank", b"Subject: b \r\n \r\n c"), DELIVERED),
    "folded-blank-call-id": Case(
        message("folded-blank-call-id").replace(b"Call-ID: ", b"Call-ID: \r\n \r\n \r\n\t"), DELIVERED
    ),
    "folded-cseq": Case(_cseq("folded-cseq", "1\r\n MESSAGE"), DELIVERED),
    "folded-via": Case(message("folded-via").replace(b";branch", b"\r\n ;\r\n branch"), DELIVERED),
    "folded-first": Case(message("folded-first").replace(b"SIP/2.0\r\nVia", b"SIP/2.0\r\n Via"), DROPPED),
    "space-before-colon": Case(message("space-before-colon").replace(b"To:", b"To \t :"), DELIVERED),
    "space-before-name": Case(message("space-before-name").replace(b"\r\nMax", b"\r\n Max"), DELIVERED),
    "empty-lines-first": Case(b"\r\n\r\n" + message("empty-lines-first"), DELIVERED),
    # sizes
    "largest-datagram": Case(_padded("largest-datagram", LARGEST_UDP - 200), DELIVERED),
    "too-large-with-our-via": Case(_padded("too-large-with-our-via", LARGEST_UDP), 513),
    "ack-too-large-with-our-via": Case(
        _padded("ack-too-large-with-our-via", LARGEST_UDP, method="ACK"), DROPPED
    ),
    "header-of-60-kb": Case(message("header-of-60-kb", f"Subject: {'x' * 60_000}"), DELIVERED),
    "thousand-vias": Case(
        message("thousand-vias", *[f"Via: SIP/2.0/UDP 10.9.9.9;branch=x{n}" for n in range(1000)]), 400
    ),
    "thousand-vias-a-line": Case(
        message("thousand-vias-a-line", "Via: " + ",".join(["SIP/2.0/UDP 10.9.9.9;branch=x"] * 1000)),
        400,
    ),
    "thousand-fields": Case(message("thousand-fields", *["X: y"] * 10_000), DELIVERED),
    "long-method": Case(
        message("long-method")
        .replace(b"MESSAGE sip", b"M" * 9_000 + b" sip")
        .replace(b"1 MESSAGE", b"1 " + b"M" * 9_000),
        DELIVERED,
    ),
    "long-call-id": Case(
        message("long-call-id").replace(b"Call-ID: ", b"Call-ID: " + b"c" * 30_000), DELIVERED
    ),
    # mandatory fields
    "no-via": Case(_without("no-via", b"Via"), DROPPED),
    "no-from": Case(_without("no-from", b"From"), 400),
    "no-to": Case(_without("no-to", b"To"), 400),
    "no-call-id": Case(_without("no-call-id", b"Call-ID"), 400),
    "no-cseq": Case(_without("no-cseq", b"CSeq"), 400),
    "no-max-forwards": Case(_without("no-max-forwards", b"Max-Forwards"), DELIVERED),
    "two-from": Case(_twice("two-from", b"From"), 400),
    "two-to": Case(_twice("two-to", b"To"), 400),
    "two-call-id": Case(_twice("two-call-id", b"Call-ID"), 400),
    "two-cseq": Case(_twice("two-cseq", b"CSeq"), 400),
    "two-max-forwards": Case(_max_forwards("two-max-forwards", "70", "70"), 400),
    "empty-call-id": Case(
        message("x").replace(b"malformed-x", b"").replace(b"z9hG4bKx", b"z9hG4bKempty-id"), 400
    ),
    "two-compact": Case(message("two-compact", "i: other"), 400),
    # numbers
    "cseq-2-31": Case(_cseq("cseq-2-31", "2147483648 MESSAGE"), 400),
    "cseq-largest": Case(_cseq("cseq-largest", "2147483647 MESSAGE"), DELIVERED),
    "cseq-2-64": Case(_cseq("cseq-2-64", "18446744073709551616 MESSAGE"), 400),
    "cseq-negative": Case(_cseq("cseq-negative", "-1 MESSAGE"), 400),
    "cseq-mismatched": Case(_cseq("cseq-mismatched", "1 INVITE"), 400),
    "cseq-without-method": Case(_cseq("cseq-without-method", "1"), 400),
    "cseq-without-number": Case(_cseq("cseq-without-number", "MESSAGE"), 400),
    "cseq-arabic-digits": Case(_cseq("cseq-arabic-digits", "\u0661 MESSAGE"), 400),
    "max-forwards-0": Case(_max_forwards("max-forwards-0", "0"), 483),
    "max-forwards-256": Case(_max_forwards("max-forwards-256", "256"), 400),
    "max-forwards-negative": Case(_max_forwards("max-forwards-negative", "-1"), 400),
    "max-forwards-empty": Case(_max_forwards("max-forwards-empty", ""), 400),
    "max-forwards-list": Case(_max_forwards("max-forwards-list", "70, 70"), 400),
    # responses that were never asked for
    "response-unasked": Case(_response("response-unasked", 2), DROPPED),
    "response-one-via": Case(_response("response-one-via", 1), DROPPED),
    "response-many-vias": Case(_response("response-many-vias", 100), DROPPED),
    "response-other-branch": Case(_response("response-other-branch", 2, "z9hG4bK-not-ours"), DROPPED),
    "response-router-999": Case(_response("response-router-999", 2, "z9hG4bKsb999.x.0"), DROPPED),
    "response-to-cancel": Case(_response("response-to-cancel", 1, cseq="1 CANCEL"), DROPPED),
    "response-bad-cseq": Case(_response("response-bad-cseq", 2, cseq="x"), DROPPED),
    # loops
    "via-loop": Case(message("via-loop", *[OWN_VIA % n for n in range(5)]), 482),
    "via-loop-a-line": Case(
        message(
            "via-loop-a-line", ", ".join([OWN_VIA % n if not n else (OWN_VIA % n)[5:] for n in range(5)])
        ),
        482,
    ),
    # where nobody may be sent to
    "to-port-0": Case(message("to-port-0", uri="sip:x@10.9.9.9:0"), 500),
    "to-port-65536": Case(message("to-port-65536", uri="sip:x@10.9.9.9:65536"), 400),
    "to-multicast": Case(message("to-multicast", uri="sip:x@224.0.1.75"), 500),
    "to-multicast-6": Case(message("to-multicast-6", uri="sip:x@[ff02::1]"), 500),
    "to-multicast-mapped": Case(message("to-multicast-mapped", uri="sip:x@[::ffff:224.0.1.75]"), 500),
    "to-broadcast": Case(message("to-broadcast", uri="sip:x@255.255.255.255"), 500),
    "to-unspecified": Case(message("to-unspecified", uri="sip:x@0.0.0.0"), 500),
    "to-multicast-maddr": Case(message("to-multicast-maddr", uri="sip:x@10.9.9.9;maddr=224.0.1.75"), 500),
    "route-multicast": Case(message("route-multicast", "Route: <sip:224.0.1.75;lr>"), 500),
    "route-port-0": Case(message("route-port-0", "Route: <sip:10.9.9.9:0;lr>"), 500),
    "ack-to-multicast": Case(message("ack-to-multicast", method="ACK", uri="sip:x@224.0.1.75"), DROPPED),
    "via-port-0": Case(_via("via-port-0", "", f"{LUKAS[0]}:0"), 400),
    "via-maddr-multicast": Case(_via("via-maddr-multicast", ";maddr=224.0.1.75"), 400),
    "via-maddr-broadcast": Case(_via("via-maddr-broadcast", ";maddr=255.255.255.255"), 400),
    "via-maddr-multicast-6": Case(_via("via-maddr-multicast-6", ";maddr=[ff02::1]"), 400),
    "via-maddr-unspecified": Case(_via("via-maddr-unspecified", ";maddr=0.0.0.0"), 400),
    "via-maddr-unscanned": Case(
        _via("via-maddr-unscanned", ";maddr=224.0.1.75").replace(b"CSeq", b"X-CSeq"), 400
    ),
    # contacts
    "contact-control": Case(_register("contact-control", b"<sip:a\x01b@10.0.0.11>"), 400),
    "contact-nul": Case(_register("contact-nul", b"<sip:a\0b@10.0.0.11>"), 400),
    "contact-delete": Case(_register("contact-delete", b"<sip:a\x7fb@10.0.0.11>"), 400),
    "contact-tab": Case(_register("contact-tab", b"<sip:a\tb@10.0.0.11>"), 400),
    "contact-folded": Case(_register("contact-folded", b'<sip:a@10.0.0.11>;x="a\r\n\r\n b"'), 400),
    "contact-not-utf8": Case(_register("contact-not-utf8", b"<sip:a\xff@10.0.0.11>"), 200),
    "contact-star-and-more": Case(_register("contact-star-and-more", b"*, <sip:a@10.0.0.11>"), 400),
    "contact-open-quote": Case(_register("contact-open-quote", b'"a <sip:a@10.0.0.11>'), 400),
}

REGISTERS = [name for name, case in CASES.items() if case.raw.startswith(b"REGISTER ")]
