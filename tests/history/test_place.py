"""What a switchboard says of itself: which addresses are not its own, whom its lists keep out, who its users are."""

import pytest
from bus.contexts import OwningContext
from history.wire import BOARD

from switchboard.core.domains import OwnDomains
from switchboard.history.place import NOWHERE, Place, place_of
from switchboard.settings.model import Settings
from switchboard.settings.types import AccessListSettings

OURS = Place(OwnDomains([BOARD.host], ["office.test"], 5070), ["office.test", BOARD.host], 5070)


@pytest.mark.parametrize(
    "uri", ["sip:office.test", "sip:x@OFFICE.test:5060", f"sip:{BOARD.host}:5070", "tel:5", ""]
)
def test_what_is_ours_or_nobodys(uri: str) -> None:
    assert OURS.foreign(uri) == ""
    assert NOWHERE.foreign(uri) == ""


def test_a_domain_that_is_not_ours() -> None:
    uri = "sip:lukas@pbx.office.local:5061"
    assert (
        OURS.foreign(uri) == "pbx.office.local:5061 is none of our domains (ours are office.test, 10.0.0.1)"
    )
    assert OURS.remedy(uri) == (
        "Set one of our domains (office.test) in the phone, or add pbx.office.local to the setting domains: "
        "SWITCHBOARD_DOMAINS=office.test,pbx.office.local"
    )


def test_a_port_that_is_not_ours() -> None:
    uri = "sip:office.test:5999"
    assert OURS.foreign(uri) == (
        "office.test is ours, but not with the port 5999: this switchboard listens on port 5070"
    )
    assert OURS.remedy(uri).startswith("Set the port 5070 in the phone")


def test_more_names_than_a_sentence_holds() -> None:
    many = Place(OURS.own, [f"d{number}.test" for number in range(9)])
    assert many.told == "d0.test, d1.test, d2.test, d3.test and 5 more"


def test_the_rule_that_keeps_somebody_out() -> None:
    rules = AccessListSettings(allow=("10.0.0.0/8",), deny=("10.1.0.0/16", "10.2.0.0/16"))
    place = Place(
        access=[("access", rules), ("access.methods.INVITE", AccessListSettings(deny=("10.9.0.0/16",)))]
    )
    assert place.denied_by("10.2.0.7", "REGISTER") == "deny 10.2.0.0/16 in [access]"
    assert place.denied_by("192.0.2.1", "INVITE") == "allow 10.0.0.0/8, which leaves it out in [access]"
    assert place.denied_by("10.9.0.1", "INVITE") == "deny 10.9.0.0/16 in [access.methods.INVITE]"
    assert place.denied_by("10.9.0.1", "REGISTER") == ""


def test_nobody_is_there_to_ask(context: OwningContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.history.place.ANSWER_WITHIN_S", 0.05)
    place = place_of(Settings(sip_host="127.0.0.1", domains=("office.test",), auth="on"), context)
    assert place.names == ["office.test", "127.0.0.1"]
    assert place.contacts("lenka") is None
    assert place.is_user("lenka") is None
