"""Odd spellings: delivered unchanged with all that follows in the dialog, or refused before anybody rang."""

import pytest
from calls import AT_LENKA, AT_LUKAS, CALLEE, new_board, refused_or_complete, spelled
from playbook import HOST, LUKAS

from switchboard.sip.uri import SipUri

SENT_BY = "SIP/2.0/UDP 10.0.0.11:5060"
LATIN = "\udcfc"  # an octet that is no UTF-8


def _listed(text: str, *more: str) -> list[str]:
    return [*text.split(), *more]


TAGS = _listed(r"""a@b a/b a=b== {x} a:b(c)|d? "x" a"b a<b> ó a,b a%zz - a\b""", LATIN)
USERS = _listed(r"""len#ka 100% a%zz b|o b`o b\o b[1] bob{1} b^o b"o jó a@b""", LATIN, "")
URI_TAILS = _listed(
    """; ;; ;;x ;x= ;=x ;x=a=b ;a=1;a=1 ;transport=udp;transport=udp ;x=a,b ;x=| ;x=50% ;x="a=b" ;x={1} ;x=a@b
    ;x=# ;pn-call-snd=(null) ;x=ó ?X=y ?a ?a=b=c ;lr?x=y&z""",
    f";x={LATIN}",
)
PARAMS = _listed(
    """; ;;x ;=x ;x= ;x=a=b ;x=(1) ;x=" ;x="a;b" ;epid="" ;tag=other ;x=a@b ;x=<urn:uuid:1>""",
    f";x={LATIN}",
    " ; x = y z ",
)
NAMES = _listed(
    """Bell,A A&B Anna(home) anna@home Žofia A"B"C A/B#1 "A,B" sip:x""", LATIN, "Bell, Anna B", ""
)
VIA_TAILS = _listed(
    """;rport; ;rport;;x ;rport;i=a== ;rport;x=a@b ;rport;received= ;rport;ttl= ;rport;alias=[::1] ;rport=
    ;;rport ;x;rport;x ;rport;x=" ;x="a,b";rport ;rport;x=(1)""",
    f";rport;x={LATIN}",
)
NO_HOSTS = _listed("(null) [fe80::1%4]:5060 fe80::1 10.0.0 10.0.0.12:99999 -phone [::1")
CONTACTS = _listed(
    """sips:lenka@10.0.0.12 tel:+421900 sip:lenka@(null) sip:lenka@[fe80::1%4]:5060 sip:lenka@fe80::1
    sip:lenka@10.0.0.12:5060;transport=invalid sip:lenka@10.0.0:99999 sip:lenka@-phone urn:x sip:a@"""
)
BRANCHES = _listed(r"""a== /a a:1 (a) "a" a" a&1 <a> {a} a|1 a@10.0.0.1 a?b a% a\b""", LATIN)
SENT_BYS = _listed(
    """[fe80::1%eth0]:5060 [fe80::1%4] :5060 -phone:5060 pho_ne 10.0.0:5060 10.0.0.15060 phone..lan:5060
    (null) (null):5060 phone: 10.0.0.11:99999 [::1 2001:db8::1 ó""",
    "",
)
LINES = """Proxy-Require:
Proxy-Require: ,
Route:
Route: ,
Route: <sip:10.0.0.1:5060;lr>,
Route: sip:10.0.0.1:5060;lr
Route: <sip:10.0.0.1:5060;lr>;x=a=b
Route: <sip:10.0.0.1:5060;lr;>
Route: "x, y" <sip:10.0.0.1;lr;;x=">
Route: ,,<sip:10.0.0.1;lr;lr=on>
Contact:
Supported: ,x
Supported: (null)
Require:
Allow:
Accept:
Content-Type:
Expires: 600;x
Date: ??
X(y): x
X@y: 1
Foo Bar: x
From\udcff: x
Subject: \udcff\udcfe""".splitlines()


def _in_from(display: str = "", user: str = "lukas", tag: str = "1", params: str = "") -> dict[str, object]:
    return {"sender": f"{display} <sip:{user}@{HOST}>;tag={tag}{params}"}


CALLS: dict[str, dict[str, object]] = {
    **{f"via {tail}": {"via": f"{SENT_BY};branch=z9hG4bKi{tail}"} for tail in VIA_TAILS},
    **{f"branch {branch}": {"via": f"{SENT_BY};rport;branch=z9hG4bK{branch}"} for branch in BRANCHES},
    **{f"sent-by {host}": {"via": f"SIP/2.0/UDP {host};rport;branch=z9hG4bKi"} for host in SENT_BYS},
    **{f"uri {tail}": {"uri": CALLEE + tail} for tail in URI_TAILS},
    "uri with a password": {"uri": f"sip:lenka:pa#ss@{HOST}"},
    "uri with an empty port": {"uri": f"sip:lenka@{HOST}:"},
    **{f"name {name}": _in_from(display=name) for name in NAMES},
    **{f"from user {user}": _in_from(user=user) for user in USERS},
    **{f"from tag {tag}": _in_from(tag=tag) for tag in [*TAGS, ""]},
    **{f"from {params}": _in_from(params=params) for params in PARAMS},
    "from in blanks": {"sender": f"< sip:lukas@{HOST} > ; tag = x"},
    "from bare": {"sender": f"sip:lukas@{HOST};tag=x"},
    "from bare with a name": {"sender": f"Lukas sip:lukas@{HOST};tag=x"},
    "from bare with headers": {"sender": f"sip:lukas@{HOST}?a=b;tag=x"},
    "from a number": {"sender": "<tel:+1>;tag=x"},
    "from a host": {"sender": "<sip:x>;tag=x"},
    "from no host": {"sender": "<sip:x@(null)>;tag=x"},
    "from port 0": {"sender": f"<sip:lukas@{HOST}:0>;tag=x"},
    **{f"to {tail}": {"to": f"<{CALLEE}{tail}>"} for tail in URI_TAILS},
    **{f"to user {user}": {"to": f"<sip:{user}@{HOST}>"} for user in USERS},
    "to with an empty tag": {"to": f"<{CALLEE}>;tag="},
    "to bare": {"to": f"{CALLEE};user=phone?Replaces=x"},
    **{f"answer tag {tag}": {"answer_tag": tag} for tag in TAGS},
    **{f"call-id {tag}": {"call_id": f"a {tag}@x;y"} for tag in TAGS},
    **{f"caller's contact {tail}": {"contact": f"<sip:lukas@10.0.0.11:5060{tail}>"} for tail in URI_TAILS},
    **{f"caller's user {user}": {"contact": f"<sip:{user}@10.0.0.11:5060>"} for user in USERS},
    **{f"caller's contact with {params}": {"contact": AT_LUKAS + params} for params in PARAMS},
    "caller's contact bare": {"contact": "sip:lukas@10.0.0.11:5060;x=y"},
    **{f"callee's contact {tail}": {"answer_contact": f"<{AT_LENKA}{tail}>"} for tail in URI_TAILS},
    **{f"callee's user {user}": {"answer_contact": f"<sip:{user}@10.0.0.12:5060>"} for user in USERS},
    **{f"callee's contact with {params}": {"answer_contact": f"<{AT_LENKA}>{params}"} for params in PARAMS},
    "callee's contact bare": {"answer_contact": f"{AT_LENKA};x=y"},
    **{f"callee's contact {uri}": {"answer_contact": f"<{uri}>"} for uri in CONTACTS},
    **{
        f"caller's contact {uri}": {"contact": f"<{uri}>".replace("10.0.0.12", "10.0.0.11")}
        for uri in CONTACTS
    },
    **{f"bound {tail}": {"bound": AT_LENKA + tail} for tail in URI_TAILS},
    **{f"bound host {host}": {"bound": f"sip:lenka@{host}"} for host in NO_HOSTS},
    **{f"bound user {user}": {"bound": f"sip:{user}@10.0.0.12:5060"} for user in USERS},
    **{line: {"lines": (line,)} for line in LINES},
}

REFUSED: dict[str, tuple[dict[str, object], int]] = {
    **{f"user {user}": ({"uri": f"sip:n{user}@{HOST}"}, 404) for user in USERS},
    "slashes": ({"uri": f"sip://lenka@{HOST}"}, 404),
    "no user": ({"uri": f"sip:@{HOST}"}, 404),
    "uri in brackets": ({"uri": f"<{CALLEE}>"}, 400),
    "uri without a scheme": ({"uri": f"lenka@{HOST}"}, 400),
    "uri with a bad port": ({"uri": f"{CALLEE}:x"}, 400),
    "uri without a host": ({"uri": "sip:lenka@a..b"}, 400),
    "uri with an open bracket": ({"uri": "sip:lenka@[::1"}, 400),
    "uri elsewhere with headers": ({"uri": "sip:lenka@10.0.0.9?Subject=x"}, 400),
    "number": ({"uri": "tel:+1"}, 416),
    "from with a blank": ({"sender": "<sip:a b@x>;tag=1"}, 400),
    "from empty": ({"sender": "<>;tag=1"}, 400),
    "from unknown": ({"sender": "<unknown>;tag=1"}, 400),
    "from open": ({"sender": f'"Lukas <sip:lukas@{HOST}>;tag=1'}, 400),
    "to empty": ({"to": "<>"}, 400),
    "route nonsense": ({"lines": ("Route: nonsense",)}, 400),
    "route without a host": ({"lines": ("Route: <sip:a..b;lr>",)}, 500),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_with_an_odd_spelling(name: str) -> None:
    assert refused_or_complete(spelled(**CALLS[name])) == 200


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_before_anybody_rang(name: str) -> None:
    how, status = REFUSED[name]
    assert refused_or_complete(spelled(**how)) == status


@pytest.mark.parametrize("tail", [tail for tail in URI_TAILS if not {"?", "@"} & set(tail)])
@pytest.mark.parametrize("params", ["", ";x=a=b", ';x="', ";;"])
def test_the_record_route_of_others_comes_back(tail: str, params: str) -> None:
    assert refused_or_complete(spelled(recorded=f"<sip:10.0.0.9;lr{tail}>{params}")) == 200


@pytest.mark.parametrize("route", ["garbage<", "<sip:a b>", "tel:1", '"'])
def test_a_record_route_of_others_that_is_no_uri_stops_no_call(route: str) -> None:
    """It comes back as a Route that leads nowhere."""
    assert refused_or_complete(spelled(answer_lines=(f"Record-Route: {route}",))) == 200
    assert refused_or_complete(spelled(lines=(f"Record-Route: {route}",))) == 200


@pytest.mark.parametrize(
    ("added", "dialled"),
    [
        ("n%234", "n#4"),
        ("n#4", "n%234"),
        ("%C5%BE", "ž"),
        ("ž", "%c5%be"),
        ("100%", "100%25"),
        ("\udcfc", "%fc"),
    ],
)
def test_a_user_is_found_by_every_spelling_of_the_name(added: str, dialled: str) -> None:
    board = new_board()
    board.bind(SipUri.parse(f"sip:{added}@{HOST}").username, AT_LENKA)
    board.receive(spelled(uri=f"sip:{dialled}@{HOST}").invite(), LUKAS)
    assert [sent.line for sent in board.sent()] == [f"INVITE {AT_LENKA} SIP/2.0"]
