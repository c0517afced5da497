"""How many texts wait, as phones read it."""

import pytest

from switchboard.messages.summary import MessageSummary


@pytest.mark.parametrize(("count", "waits"), [(0, "no"), (2, "yes")])
def test_the_document(count: int, waits: str) -> None:
    package = MessageSummary({"lenka": count}.__getitem__)
    assert package.body("sip:lenka@pbx.example", package.state("lenka", 0.0), 7).decode().split("\r\n") == [
        f"Messages-Waiting: {waits}",
        "Message-Account: sip:lenka@pbx.example",
        f"Text-Message: {count}/0",
        "",
    ]
