"""Requests that say to be of a dialog, from nobody's address: with a To tag, and our Route without a good seal.

Nobody may get one of them: no phone, no trusted gateway, no foreign host.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

from system.dialog import Dialog, answer_call
from system.harness import Switchboard
from system.password import PasswordAgent, add_user
from system.sipmsg import Message, address_of, host_port, parameter, uri_in

from bench.asked import stat
from bench.bystander import Ground, Party, Reach
from bench.hijack import ANNA, BORIS, MALLORY, STRANGER
from switchboard.core.dialog_seal import NOBODY, PARAM, DialogSeals, Side, Sides
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.uri import SipUri

GATEWAY, FOREIGN = "127.0.0.50", "127.0.0.77"
SETTINGS = {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_TRUSTED": GATEWAY, "SWITCHBOARD_ROUTERS": "2"}
METHODS = (
    "INVITE", "ACK", "BYE", "CANCEL", "INFO", "MESSAGE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "UPDATE",
    "PRACK", "PUBLISH",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """`judged`: of the `requests`, those that routers refused. `reach`: what came to phones, gateway, foreign host."""

    requests: int
    judged: int
    cancels: int
    reach: Reach


def measure(every: int = 1) -> Outcome:
    """Attack a fresh switchboard with one of `every` so many requests."""
    with Switchboard(SETTINGS) as board, Ground(board.address) as ground:
        anna, boris, mallory = (
            _user(board, ground, name, host)
            for name, host in (("anna", ANNA), ("boris", BORIS), ("mallory", MALLORY))
        )
        stranger, gateway, foreign = (Party(ground, host) for host in (STRANGER, GATEWAY, FOREIGN))
        hosts = [f"sip:100@{host_port(each.address)}" for each in (gateway, foreign)]
        targets = [boris.aor, boris.contact, anna.contact, *hosts]
        forged = [*_forged(board, stranger, [_call(anna, boris), _call(anna, boris)], targets)]
        forged = forged[::every]
        old = [*_by_old_seals(_call(mallory, boris), [anna.contact, *hosts])]
        board.cli("user", "remove", mallory.user)
        reach = _cancel_from_elsewhere(ground, anna, boris, stranger)
        everybody = anna.user, boris.user, gateway.name, foreign.name
        before = _judged(board)
        reach += ground.reached(lambda: ground.send_all(stranger, forged), *everybody)
        reach += ground.reached(lambda: ground.send_all(mallory, old), *everybody)
        judged = _judged(board) - before + stranger.statuses[481] - 1
        return Outcome(len(forged) + len(old), judged, 1, reach)


def _judged(board: Switchboard) -> int:
    """How many requests routers have refused so far, CANCELs apart."""
    counters = ("answered_407", "stray_acks")
    routers = [f"router.{number}" for number in range(int(SETTINGS["SWITCHBOARD_ROUTERS"]))]
    return int(sum(stat(board, *each) for each in product(routers, counters)))


def _user(board: Switchboard, ground: Ground, name: str, host: str) -> PasswordAgent:
    phone = PasswordAgent(ground, name, host=host)
    add_user(board, phone)
    return phone.sign_in()


def _call(caller: PasswordAgent, callee: PasswordAgent) -> Dialog:
    """The caller's side of a call that is up."""
    invite = caller.prove(lambda: caller.invite(callee.aor))
    return answer_call(caller, invite, callee, callee.expect("INVITE")).caller


def _forged(
    board: Switchboard, stranger: Party, calls: list[Dialog], targets: list[str]
) -> Iterator[Message]:
    """Each method, to each target, behind each Route, as nobody and as a user, in no dialog and in one that is up."""
    first, second = calls
    ours = f"sip:{host_port(board.address)};lr"
    for target, ids in product(targets, (None, second)):
        routes = _routes(ours, target, first, ids, stranger)
        senders = (f"sip:nobody@{STRANGER}", first.phone.aor)
        for method, route, sender in product(METHODS, routes, senders):
            uri, values = route
            headers = [("Route", value) for value in values] + [
                ("Contact", f"<sip:x@{host_port(stranger.address)}>")
            ]
            made = stranger.request(method, uri or target, sender, target, headers)
            yield _within(made, ids)


def _by_old_seals(known: Dialog, targets: list[str]) -> Iterator[Message]:
    """What begins something elsewhere, by the Route of a call that its sender made once: ACK and BYE may go."""
    routes = [("Route", each) for each in known.routes]
    for number, (method, target) in enumerate(product(METHODS, targets), known.cseq + 1):
        if method not in ("ACK", "BYE", "CANCEL"):
            yield known.phone.request(
                method, target, routes, sender=known.local, to=f"<{target}>;tag=invented", call_id=known.call_id,
                cseq=number,
            )  # fmt: skip


def _within(request: Message, dialog: Dialog | None) -> Message:
    """The request with a To tag: a made-up one, or Call-ID and tags of the dialog."""
    if dialog is None:
        changed = {"To": request.get("to") + ";tag=invented"}
    else:
        tags = [parameter(value, "tag") for value in (dialog.local, dialog.remote)]
        changed = {
            "Call-ID": dialog.call_id,
            "From": f"{request.get('from').partition(';')[0]};tag={tags[0]}",
            "To": f"{request.get('to')};tag={tags[1]}",
        }
    fields = [(name, changed.get(name, value)) for name, value in request.headers]
    return Message(request.start_line, tuple(fields), request.body)


def _routes(
    ours: str, target: str, known: Dialog, ids: Dialog | None, stranger: Party
) -> list[tuple[str, list[str]]]:
    """Request-URIs ("": the target) and Route values: without a seal, with bad ones, with another dialog's."""
    seal = uri_in(known.routes[0]).partition(f";{PARAM}=")[2]
    made_up = Random(1).randbytes(60).hex()
    cut = seal[:-4], seal[: len(seal) // 2], ""
    changed = seal[:8] + made_up[8:], seal[:-1] + ("A" if seal[-1] != "A" else "B")
    seals = (made_up, *cut, *changed, seal, _with_other_key(target, ids, stranger))
    sealed = [f"{ours};{PARAM}={each}" for each in seals]
    loose = [("", [f"<{each}>"]) for each in (ours, *sealed)]
    strict = [(each, [f"<{target}>"]) for each in (ours, *sealed)]
    doubled = [("", [f"<{ours}>", f"<{sealed[-2]}>"]), ("", [f"<{ours}>", f"<{target};lr>"])]
    return [("", []), *loose, *strict, *doubled]


def _with_other_key(target: str, ids: Dialog | None, stranger: Party) -> str:
    """A seal that is right but for the key, and leads from the stranger to the target."""
    seals = DialogSeals(b"another switchboard")
    sum_ = seals.target_of(SipUri.parse(target), target)
    there = Side(Flow(UDP, "", *address_of(target)), sum_, NOBODY, False, False, True)
    here = Side(Flow(UDP, "", *stranger.address), sum_, NOBODY, False, False, True)
    call_id, tag = (ids.call_id, parameter(ids.local, "tag")) if ids else ("any", "tag")
    return seals.make(Sides(here, there), call_id, tag or "")


def _cancel_from_elsewhere(
    ground: Ground, anna: PasswordAgent, boris: PasswordAgent, stranger: Party
) -> Reach:
    """A stranger who knows Via, Call-ID and tags cancels a call that rings."""
    invite = anna.prove(lambda: anna.invite(boris.aor))
    incoming = boris.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    reach = ground.reached(lambda: stranger.send(invite.cancel_request().encode()), boris.user)
    anna.cancel(invite).expect(200)
    boris.expect("CANCEL").reply(200)
    return reach
