"""What Linphone is told."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from switchboard.console.provisioning import (
    Credentials,
    Reach,
    configuration,
    offered_transports,
    reach_by,
    to_xml,
)
from switchboard.settings.model import Settings

CREDENTIALS = Credentials("office", "SHA-256", "c0ffee")


def read(xml: str) -> dict[str, dict[str, str | None]]:
    """The entries of each section."""
    return {
        section.get("name", ""): {entry.get("name", ""): entry.text for entry in section}
        for section in ElementTree.fromstring(xml)
    }


def test_any_name() -> None:
    sections = read(to_xml(configuration("a&b<c", "2001:db8::1", 5070, None)))
    assert sections["proxy_0"]["reg_identity"] == "sip:a&b<c@[2001:db8::1]:5070"
    assert sections["proxy_0"]["reg_proxy"] == "<sip:[2001:db8::1]:5070;transport=udp>"
    assert "auth_info_0" not in sections
    assert "verify_server_certs" not in sections["sip"]


def test_what_proves_the_password() -> None:
    sections = read(to_xml(configuration("lukas", "pbx.example.com", 5070, CREDENTIALS)))
    assert sections["auth_info_0"] == {
        "username": "lukas",
        "realm": "office",
        "ha1": "c0ffee",
        "algorithm": "SHA-256",
        "domain": "pbx.example.com",
    }


def test_tls() -> None:
    sections = read(to_xml(configuration("lukas", "2001:db8::1", 5060, None, Reach("tls", 5061))))
    assert sections["proxy_0"]["reg_identity"] == "sip:lukas@[2001:db8::1]"
    assert sections["proxy_0"]["reg_proxy"] == "<sip:[2001:db8::1]:5061;transport=tls>"
    assert sections["sip"]["verify_server_certs"] == sections["sip"]["verify_server_cn"] == "1"


@pytest.mark.parametrize(
    ("settings", "transport", "reach"),
    [
        ({}, "udp", Reach("udp")),
        ({"sip_port": 5070}, "tcp", Reach("tcp")),
        ({"sip_port": 5070, "tcp_port": 5060}, "tcp", Reach("tcp", 5060)),
        ({"tls": True}, "tls", Reach("tls", 5061)),
        ({"tls": True, "tls_port": 5060, "tcp_port": 5070}, "tls", Reach("tls", 5060)),
    ],
)
def test_how_it_is_reached(settings: dict[str, Any], transport: str, reach: Reach) -> None:
    assert reach_by(Settings(**settings), transport) == reach


def test_what_is_offered(tmp_path: Path) -> None:
    files: dict[str, Any] = {"tls_certificate": tmp_path / "c", "tls_key": tmp_path / "k"}
    assert offered_transports(Settings()) == ["udp", "tcp"]
    assert offered_transports(Settings(tls=True)) == ["udp", "tcp", "tls"]
    assert offered_transports(Settings(tls=True, **files)) == ["tls", "udp", "tcp"]
