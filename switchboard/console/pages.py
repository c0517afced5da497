"""How pages are made: templates with what every page needs, and how values read."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import segno
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from switchboard.cli.output import duration
from switchboard.console.access import Rules
from switchboard.console.sessions import Session, Sessions

NAV = (
    ("/", "Now"),
    ("/journal", "Journal"),
    ("/registrations", "Failed registrations"),
    ("/users", "Users and phones"),
    ("/softphone", "Phone"),
    ("/phrases", "Phrases"),
)
SAID = {
    "restarted": "Restarted.",
    "restarting": "The console restarts; this page follows in a moment.",
    "not-restarted": "It was not restarted: see the log.",
    "demonstration-runs": "A demonstration call is being placed already.",
    "demonstration-failed": "The demonstration call was not placed: see the log, or try `switchboard lab call`.",
    "hung-up": "Both phones are told. The page shows what they answer.",
    "hung-up-partly": "One of the phones is told; the log says why the other one is not.",
    "removed": "The user was removed.",
    "unbound": "The registration was removed. A phone that is still set up registers again by itself.",
    "named": "The display name was changed.",
    "ruled": "Saved: calls go so from the next one on.",
    "trunk-tried": "It is registered anew now; the page shows what the provider answers when it is loaded again.",
    "trunk-not-tried": "It was not registered anew: see the log.",
    "unsubscribed": "The phone is told that it watches no more.",
    "not-unsubscribed": "Nothing was ended: it is over already, or the worker presence does not answer.",
    "linked": "There is a new link; earlier ones are void.",
    "unlinked": "The link is void.",
    "logged-out": "You are logged out.",
    "logged-out-unwritten": "You are logged out. The console cannot write that down now (see its log): if it restarts "
    "before it can, copies of your cookie are good again, until they run out.",
}
"""What a page says after a form has done its work: named in the URL, so that nobody else puts words there."""


@dataclass(frozen=True, slots=True)
class Pages:
    """Renders the templates."""

    templates: Environment
    sessions: Sessions
    rules: Rules
    badges: Mapping[str, str]
    """What the menu shows beside the name of a page, by its path."""

    @classmethod
    def make(cls, sessions: Sessions, rules: Rules, badges: Mapping[str, str] | None = None) -> "Pages":
        """With the templates of this package."""
        templates = Environment(
            loader=PackageLoader("switchboard.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        templates.filters |= {
            "duration": duration,
            "clock": clock,
            "day": day,
            "user": user_of,
            "host": host_of,
        }
        templates.filters |= {"rate": rate, "memory": memory, "iso": epoch}
        return cls(templates, sessions, rules, {} if badges is None else badges)

    def page(
        self, request: Request, template: str, status: int = 200, *, is_own: bool = False, **values: Any
    ) -> HTMLResponse:
        """A whole page. `is_own`: of a user, who sees nothing of the console."""
        session: Session = request.state.session
        return HTMLResponse(
            self.part(
                template,
                session=session,
                csrf=self.sessions.csrf_token(session),
                needs_login=self.rules.needs_login,
                path=request.url.path,
                nav=NAV,
                badges=self.badges,
                now_at=time.time(),
                is_own=is_own,
                said=SAID.get(request.query_params.get("said", "")),
                **values,
            ),
            status,
        )

    def part(self, template: str, **values: Any) -> str:
        """A template alone, for what is sent to a page that is open."""
        return self.templates.get_template(template).render(**values)


def event(name: str, html: str) -> str:
    """A server-sent event that replaces the section of that name."""
    data = "".join(f"data: {line}\n" for line in html.splitlines() or [""])
    return f"event: {name}\n{data}\n"


def epoch(instant: str) -> float:
    """The epoch seconds of an instant as records bear it."""
    return datetime.fromisoformat(instant).timestamp()


def clock(at: float | str | None) -> str:
    """The time of day here, to the second."""
    if at is None:
        return ""
    return time.strftime("%H:%M:%S", time.localtime(epoch(at) if isinstance(at, str) else at))


def day(at: float | str) -> str:
    """The day here."""
    return time.strftime("%Y-%m-%d", time.localtime(epoch(at) if isinstance(at, str) else at))


def user_of(uri: str) -> str:
    """What people call the owner of a SIP URI: its user part, else the whole."""
    bare = uri.partition(":")[2] or uri
    return bare.partition("@")[0] if "@" in bare else bare


def host_of(uri: str) -> str:
    """The rest of it."""
    return uri.partition("@")[2]


def rate(value: float | None) -> str:
    """A rate a second: one decimal while that says something."""
    if value is None:
        return "–"
    return f"{value:.1f}" if 0 < value < 100 else f"{value:.0f}"


def memory(size: float | None) -> str:
    """Bytes as MB."""
    return "–" if size is None else f"{size / 1e6:.0f} MB"


def qr_code(text: str) -> str:
    """A QR code as SVG, which fills the box that it is put in."""
    return str(segno.make(text, error="m").svg_inline(scale=5, border=4, light="#fff", omitsize=True))
