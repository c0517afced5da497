"""Asks the media engines whether they are there (docs/MEDIA.md)."""

import secrets
import socket
from collections.abc import Iterator

from switchboard.core.relay_rules import NEVER
from switchboard.doctor.facts import Finding, ok, problem, warning
from switchboard.media.bencode import BencodeError, decode, encode
from switchboard.media.commands import read_reply
from switchboard.media.engine import Engine
from switchboard.settings.model import Settings

CHECK = "media"
ANSWERED_WITHIN_S = 1.0
_LARGEST = 65_535


def check_media(settings: Settings) -> Iterator[Finding]:
    """Whether each engine of the settings answers from here."""
    if settings.media and settings.relay_media == NEVER:
        yield warning(CHECK, "relay_media is never, so that no engine is asked", 'relay_media = "auto"')
        return
    for engine in map(Engine.parse, settings.media):
        failure = ping(engine)
        if failure:
            yield problem(
                CHECK, f"{engine}: {failure}", "is it up, and is that its listen-ng (docs/MEDIA.md)?"
            )
        else:
            yield ok(CHECK, f"{engine} answers")


def ping(engine: Engine) -> str:
    """Ask an engine; return what is wrong, "" if it answers."""
    family = socket.AF_INET6 if ":" in engine.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(ANSWERED_WITHIN_S)
        try:
            asking.connect((engine.host, engine.port))
            asking.send(f"{secrets.token_hex(8)} ".encode() + encode({"command": "ping"}))
            reply = asking.recv(_LARGEST)
            return read_reply(decode(reply.partition(b" ")[2]), engine).error
        except TimeoutError:
            return f"no answer within {ANSWERED_WITHIN_S:g} s"
        except OSError as error:
            return error.strerror or str(error)
        except BencodeError as error:
            return f"what answers there is no media engine: {error}"
