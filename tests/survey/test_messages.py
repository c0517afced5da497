"""For whom texts wait, as the worker tells."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cli.conftest import answering as answering
from cli.conftest import data_dir as data_dir

from switchboard.bus.context import BusContext
from switchboard.settings.model import Settings
from switchboard.survey.messages import Waiting, forget_texts, texts_waiting

Answering = Callable[[str, str, Any], list[Any]]


def test_what_is_asked_and_told(answering: Answering, data_dir: Path, context: BusContext) -> None:
    settings = Settings(data_dir=data_dir, keep_messages_days=7)
    asked = answering("presence.0.ask", "messages.list", [["lenka", 2, 1.0, 99]])
    assert (
        texts_waiting(settings, context)
        == texts_waiting(settings, context, "lenka")
        == [Waiting("lenka", 2, 1.0, 99)]
    )
    answering("presence.0.ask", "messages.delete", 2)
    assert forget_texts(settings, context, "lenka") == 2
    assert asked == [[], ["lenka"], ["lenka"]]


def test_where_none_are_kept_nobody_is_asked(data_dir: Path, context: BusContext) -> None:
    assert texts_waiting(Settings(data_dir=data_dir), context) == []
