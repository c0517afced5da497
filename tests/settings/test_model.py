"""The settings: sources, validation, and what people are told about bad ones."""

import os
import re
import tomllib
from pathlib import Path

import pytest

from switchboard.settings.model import (
    Settings,
    SettingsError,
    UserSettings,
    allowed_values,
    load_settings,
    read_settings,
)
from switchboard.settings.types import AccessSettings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    for name in os.environ:
        if name.upper().startswith("SWITCHBOARD_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def set_variables(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(f"SWITCHBOARD_{name}", text)


def test_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.sip_host == ""
    assert settings.sip_port == 5060
    assert settings.domains == ()
    assert settings.data_dir == tmp_path / "data"
    assert (settings.min_expires, settings.default_expires, settings.max_expires) == (60, 3600, 7200)
    assert 1 <= settings.routers <= 64


@pytest.mark.parametrize(
    ("variables", "key", "expected"),
    [
        ({"SIP_HOST": "::1"}, "sip_host", "::1"),
        ({"SIP_HOST": "[::1]"}, "sip_host", "::1"),
        ({"SIP_HOST": ""}, "sip_host", ""),
        ({"SIP_HOST": "0.0.0.0"}, "sip_host", ""),
        ({"SIP_HOST": "::"}, "sip_host", ""),
        ({"SIP_HOST": "fe80::1%eth0"}, "sip_host", "fe80::1%eth0"),
        ({"SIP_PORT": "1"}, "sip_port", 1),
        ({"SIP_PORT": "65535"}, "sip_port", 65535),
        ({"TRANSPORTS": "udp, TCP,ws,udp"}, "transports", ("udp", "tcp", "ws")),
        ({"SIP_PORT": "5070"}, "tcp_port", 5070),
        ({"SIP_PORT": "5070", "TCP_PORT": "5080"}, "tcp_port", 5080),
        ({"TLS": "on"}, "tls", True),
        ({"TLS_CA": "~/ca.pem"}, "tls_ca", Path.home() / "ca.pem"),
        ({"WS_ORIGINS": "https://A.example:8443, *"}, "ws_origins", ("https://a.example:8443", "*")),
        ({}, "ports", {"udp": 5060, "tcp": 5060}),
        ({"TLS": "on", "SIP_PORT": "5070"}, "ports", {"udp": 5070, "tcp": 5070, "tls": 5061}),
        (
            {"TRANSPORTS": "udp,tls,ws,wss", "WSS_PORT": "443"},
            "ports",
            {"udp": 5060, "tls": 5061, "ws": 8088, "wss": 443},
        ),
        ({"DOMAINS": ""}, "domains", ()),
        (
            {"DOMAINS": "Example.COM, [2001:db8::1],10.0.0.1,"},
            "domains",
            ("example.com", "[2001:db8::1]", "10.0.0.1"),
        ),
        ({"DATA_DIR": "/var/lib/switchboard"}, "data_dir", Path("/var/lib/switchboard")),
        ({"DATA_DIR": "~/sb"}, "data_dir", Path.home() / "sb"),
        ({"PHRASES_DIR": ""}, "phrases_dir", None),
        ({"ROUTERS": "64"}, "routers", 64),
        ({"MAX_EXPIRES": "600"}, "default_expires", 600),
        ({"MIN_EXPIRES": "7200"}, "default_expires", 7200),
        ({"MIN_EXPIRES": "0"}, "default_expires", 3600),
        ({"ASCII_PHRASES": "true"}, "ascii_phrases", True),
        ({"SPARES": "false"}, "spares", False),
        ({"TICK_S": "0"}, "tick_s", 0.0),
        ({"PINS": "edge-rx=0, router.12=3"}, "pins", ("edge-rx=0", "router.12=3")),
        ({"RATE_EXEMPT": "10.0.0.0/8, ::1"}, "rate_exempt", ("10.0.0.0/8", "::1/128")),
        ({"SCANNERS": "Evil, sipvicious"}, "scanners", ("evil", "sipvicious")),
        ({"ACCESS": '{"deny": ["10.0.0.1"]}'}, "access", AccessSettings(deny=("10.0.0.1",))),
        ({"USERS": '{"eva": {"language": "sk"}}'}, "users", {"eva": UserSettings(language="sk")}),
        (
            {"USERS": '{"9901#1": {"auth_algorithms": ["MD5", "SHA-256"]}}'},
            "users",
            {"9901#1": UserSettings(auth_algorithms=("MD5", "SHA-256"))},
        ),
    ],
)
def test_environment(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], key: str, expected: object
) -> None:
    set_variables(monkeypatch, variables)
    assert getattr(load_settings(), key) == expected


def test_users_may_be_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://user:secret@h/d"
    set_variables(monkeypatch, {"USERS": url})
    settings, origins = read_settings()
    assert (settings.users, settings.users_store) == ({}, url)
    assert origins.of("users_store") == "environment variable SWITCHBOARD_USERS"
    set_variables(monkeypatch, {"USERS": '{"eva": {"language": "sk"}}', "USERS_STORE": url})
    settings, origins = read_settings()
    assert (settings.users, settings.users_store) == ({"eva": UserSettings(language="sk")}, url)
    assert origins.of("users_store") == "environment variable SWITCHBOARD_USERS_STORE"


@pytest.mark.parametrize("key", ["USERS", "USERS_STORE", "LOCATION"])
def test_a_bad_url_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    set_variables(monkeypatch, {key: "postgresql://user:secret@h:x/d"})
    with pytest.raises(SettingsError, match="no host with a port") as raised:
        load_settings()
    assert f"SWITCHBOARD_{key}" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_replicas_are_for_redis() -> None:
    with pytest.raises(ValueError, match="synchronous_standby_names"):
        Settings(location="postgresql://h/d", location_wait_replicas=1)


def test_several_registrars_need_a_location_that_they_share() -> None:
    with pytest.raises(ValueError, match="registrars is 2, and location is a file, which one registrar has"):
        Settings(registrars=2)
    assert Settings(registrars=2, location="redis://h").registrars == 2


def test_algorithms_of_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, {"USERS": '{"eva": {"auth_algorithms": "MD5"}, "jan": {"language": "sk"}}'})
    chosen = load_settings().algorithms_of
    assert [chosen(user) for user in ("eva", "jan", "zoe")] == [("MD5",), *2 * [("SHA-256", "MD5")]]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"SIP_PORT": "65536"}, "Bad setting sip_port: '65536' (environment variable SWITCHBOARD_SIP_PORT)"),
        ({"SIP_PORT": "65536"}, "Allowed: a UDP port from 1 to 65535"),
        ({"SIP_PORT": "0"}, "Allowed: a UDP port from 1 to 65535"),
        ({"SIP_PORT": ""}, "Bad setting sip_port: ''"),
        ({"SIP_PORT": "sip"}, "Bad setting sip_port: 'sip'"),
        ({"SIP_HOST": "sip.example.com"}, "Bad setting sip_host: 'sip.example.com'"),
        ({"SIP_HOST": "sip.example.com"}, "Allowed: an IPv4 or IPv6 address of this machine"),
        ({"ADVERTISE": "10.0.0.1"}, "It is not a public IPv4 address. Allowed: the public IPv4 address"),
        ({"ADVERTISE": "2001:db8::1"}, "It is not a public IPv4 address"),
        ({"TRANSPORTS": "tcp"}, "udp cannot be left out. Allowed: udp, tcp, tls, ws, wss"),
        ({"TRANSPORTS": "udp,sctp"}, "Bad setting transports.1: 'sctp'"),
        ({"TLS": "perhaps"}, "Bad setting tls: 'perhaps'"),
        ({"TCP_PORT": "5061", "TLS": "on"}, "tcp_port and tls_port are both 5061"),
        ({"TLS_KEY": "key.pem"}, "tls_certificate and tls_key are a pair: set both of them, or neither"),
        ({"TLS_KEY": "key.pem"}, "tls_key: environment variable SWITCHBOARD_TLS_KEY"),
        ({"WS_ORIGINS": "example.com"}, "'example.com' is no origin, such as https://example.com"),
        ({"MAX_CONNECTIONS": "1"}, "Bad setting max_connections: '1'"),
        ({"DOMAINS": "a b"}, "'a b' is not a host name"),
        ({"DOMAINS": "example.com:5060"}, "'example.com:5060' is not a host name"),
        (
            {"DATA_DIR": ""},
            "Bad setting data_dir: '' (environment variable SWITCHBOARD_DATA_DIR). It is empty.",
        ),
        ({"ROUTERS": "0"}, "Allowed: a number of workers from 1 to 64"),
        ({"ROUTERS": "65"}, "Bad setting routers"),
        ({"MIN_EXPIRES": "-1"}, "Bad setting min_expires"),
        ({"MIN_EXPIRES": "9000"}, "min_expires 9000 ≤ default_expires 7200 ≤ max_expires 7200 must hold"),
        ({"MIN_EXPIRES": "9000"}, "min_expires: environment variable SWITCHBOARD_MIN_EXPIRES"),
        ({"DEFAULT_EXPIRES": "30"}, "min_expires 60 ≤ default_expires 30"),
        ({"RELAY": "closed"}, "Allowed: registered (foreign domains only for registered users) or open"),
        ({"TICK_S": "0.1"}, "Allowed: seconds from 0 to 0.02"),
        ({"PINS": "edge=0"}, "'edge=0' does not name a worker and a processor"),
        ({"PINS": "router.x=0"}, "'router.x=0' does not name a worker and a processor"),
        ({"LOG_LEVEL": "loud"}, "Allowed: debug, info, warning or error"),
        ({"USERS": "eva"}, "Bad setting users: 'eva' (environment variable SWITCHBOARD_USERS)"),
        ({"USERS": '{"eva": {"langage": "sk"}}'}, "Unknown setting users.eva.langage"),
        ({"USERS": '{"eva": {"auth_algorithms": ["SHA1"]}}'}, "Bad setting users.eva.auth_algorithms.0"),
        ({"USERS": '{"eva": {"auth_algorithms": []}}'}, "Bad setting users.eva.auth_algorithms"),
        ({"T1_S": "0"}, "Allowed: seconds above 0"),
        ({"RATE_EXEMPT": "10.0.0.1/8"}, "'10.0.0.1/8' is not a network. Allowed: networks"),
        ({"SCANNERS": "ab"}, "'ab' is shorter than 4 letters"),
        ({"ACCESS": "everybody"}, "Bad setting access: 'everybody'"),
        ({"ACCESS": '{"denied": []}'}, "Unknown setting access.denied"),
        ({"ACCESS": '{"methods": {"register": {}}}'}, "Bad setting access.methods.register"),
        ({"ACCESS": '{"methods": {"Invite": {}}}'}, "Bad setting access.methods.Invite"),
        ({"ACCESS": '{"methods": {"INVITE BYE": {}}}'}, "Bad setting access.methods.INVITE BYE"),
        ({"HEP": "homer:65536"}, "'homer:65536' is not HOST:PORT"),
        ({"T1_S": "inf"}, "Allowed: seconds above 0"),
        ({"CONFIG": "absent.toml"}, "The settings file absent.toml cannot be read"),
    ],
)
def test_bad_environment(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str) -> None:
    set_variables(monkeypatch, variables)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert expected in str(caught.value)


NUMBERS = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


@pytest.mark.parametrize("name", NUMBERS)
def test_no_number_is_larger_than_a_worker_can_take(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    set_variables(monkeypatch, {name.upper(): "99999999999999999999"})
    with pytest.raises(SettingsError, match=f"Bad settings?[ :].*{name}"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip_port = 'many'", "Bad setting sip_port: 'many' (key sip_port of file switchboard.toml)"),
        (
            "sip_port = true",
            "Bad setting sip_port: True (key sip_port of file switchboard.toml). True or false",
        ),
        ("t1_s = false", "Bad setting t1_s: False"),
        (
            "sip_prot = 5070",
            "Unknown setting sip_prot (key sip_prot of file switchboard.toml); did you mean sip_port?",
        ),
        (
            "[users.eva]\nlanguge = 'sk'",
            "Unknown setting users.eva.languge (key users of file switchboard.toml)",
        ),
        ("sip_port 5070", "The settings file switchboard.toml is no TOML"),
    ],
)
def test_bad_file(text: str, expected: str) -> None:
    Path("switchboard.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert expected in str(caught.value)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, {"SIP_PORT": "x", "MIN_EXPIRES": "y"})
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2
    assert caught.value.brief == "bad setting sip_port, min_expires"


def test_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("switchboard.toml").write_text(
        'sip_port = 5070\nlanguage = "sk"\ndomains = ["a.example", "b.example"]\n'
    )
    set_variables(monkeypatch, {"SIP_PORT": "5080"})
    settings, origins = read_settings()
    assert (settings.sip_port, settings.language, settings.domains) == (
        5080,
        "sk",
        ("a.example", "b.example"),
    )
    assert origins.of("sip_port") == "environment variable SWITCHBOARD_SIP_PORT"
    assert origins.of("language") == "key language of file switchboard.toml"
    assert origins.of("routers") == "default"


def test_a_bad_value_in_the_file_that_the_environment_overrides_is_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("switchboard.toml").write_text("sip_port = 'x'")
    set_variables(monkeypatch, {"SIP_PORT": "5080"})
    assert load_settings().sip_port == 5080


def test_config_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "other.toml"
    file.write_text("sip_port = 5071")
    set_variables(monkeypatch, {"CONFIG": str(file)})
    assert load_settings().sip_port == 5071


def test_unknown_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(
        monkeypatch, {"SIP_PROT": "5070", "PURE": "1", "READY_FD": "7", "GO_FD": "8", "SIP_PORT": "5070"}
    )
    _, origins = read_settings()
    assert origins.unknown_variables(allowed_values()) == ["SWITCHBOARD_SIP_PROT"]


def test_paths() -> None:
    settings = Settings(data_dir=Path("/var/lib/sb"))
    assert settings.run_dir == Path("/var/lib/sb/run")
    assert settings.store_path == Path("/var/lib/sb/location.db")
    assert settings.cdr_path == Path("/var/lib/sb/cdr.jsonl")
    assert settings.journal_path == Path("/var/lib/sb/journal.db")


def test_every_setting_says_what_is_allowed() -> None:
    assert all(allowed_values().values())


def test_sample_file_shows_every_default() -> None:
    text = (ROOT / "deploy" / "switchboard.sample.toml").read_text()
    shown = tomllib.loads(re.sub(r"^#(?! )", "", text, flags=re.MULTILINE))
    assert shown.keys() == Settings.model_fields.keys()
    shown |= {"routers": Settings().routers, "users": {}, "hosts": {}, "access": {}}
    assert Settings(**shown) == Settings()


def test_manual_names_every_setting() -> None:
    text = (ROOT / "docs" / "OPERATING.md").read_text()
    assert [key for key in Settings.model_fields if f"`{key}`" not in text] == []
