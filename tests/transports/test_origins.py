"""Which web pages may open a WebSocket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.settings.model import Settings
from switchboard.transports.origins import Origins

ORIGINS = Origins({"pbx.example"}, {"https://shop.example"})


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("", "anything", True),
        ("http://192.0.2.1:8080", "192.0.2.1:8088", True),
        ("https://192.0.2.1", "192.0.2.1:8089", True),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]:8088", True),
        ("http://192.0.2.2:8080", "192.0.2.1:8088", False),
        ("http://localhost:8080", "localhost:8088", True),
        ("http://localhost:8080", "127.0.0.1:8088", False),
        ("https://PBX.example", "pbx.example.:8089", True),
        ("https://shop.example", "pbx.example:8089", True),
        ("https://Shop.example", "192.0.2.1", True),
        ("http://shop.example", "pbx.example:8089", False),
        ("https://shop.example:444", "pbx.example:8089", False),
        ("http://rebound.example", "rebound.example", False),
        ("null", "192.0.2.1", False),
        ("null", "null", False),
        ("http://[", "[", False),
        ("file://", "", False),
    ],
)
def test_origins(origin: str, host: str, allowed: bool) -> None:
    assert ORIGINS.allows(origin, host) is allowed


def test_any_page_may_where_that_is_wanted() -> None:
    assert Origins((), ("*",)).allows("https://evil.example", "192.0.2.1")


def test_the_settings_tell_our_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Box")
    settings = Settings(
        domains=("pbx.example",), console_names=("desk.example",), ws_origins=("https://a.example",)
    )
    allows = Origins.of(settings).allows
    assert all(allows(f"https://{name}", f"{name}:8089") for name in ("box", "pbx.example", "desk.example"))
    assert allows("https://a.example", "box")
    assert not allows("https://b.example", "b.example")


@given(st.text(), st.text())
def test_nothing_harms(origin: str, host: str) -> None:
    assert ORIGINS.allows(origin, host) in (True, False)
