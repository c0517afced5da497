"""What may stand in `[access]`, and how it is shown."""

import pytest
from pydantic import ValidationError

from switchboard.settings.access import AccessSettings
from switchboard.settings.types import check_network, check_scanner


@pytest.mark.parametrize(
    ("access", "shown"),
    [
        (AccessSettings(), "everybody"),
        (AccessSettings(allow=("10.0.0.0/8",), deny=("10.0.0.1",)), "allow 10.0.0.0/8; deny 10.0.0.1/32"),
        (AccessSettings.model_validate({"methods": {"REGISTER": {"deny": ["::/0"]}}}), "REGISTER: deny ::/0"),
    ],
)
def test_access_in_words(access: AccessSettings, shown: str) -> None:
    assert str(access) == shown


@pytest.mark.parametrize("access", [{"allow": ["everybody"]}, {"answer": "no"}, {"methods": {"bye": {}}}])
def test_bad_access(access: object) -> None:
    with pytest.raises(ValidationError):
        AccessSettings.model_validate(access)


def test_networks_and_scanners_in_one_form() -> None:
    assert check_network(" 10.0.0.1 ") == "10.0.0.1/32"
    assert check_scanner("Friendly") == "friendly"
