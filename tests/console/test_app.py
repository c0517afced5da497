"""The pages, in the console's place, over real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.test_status import NAMES, Answering, answer_for_all
from starlette.applications import Starlette
from starlette.testclient import TestClient
from system.harness import free_port

from switchboard.console.app import metrics_routes
from switchboard.settings.model import Settings

pytest_plugins = ["cli.conftest"]


@pytest.fixture
def client(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.3)
    settings = Settings(
        sip_host="127.0.0.1",
        sip_port=free_port("127.0.0.1"),
        data_dir=data_dir,
        routers=2,
        history=False,
    )
    with TestClient(Starlette(routes=metrics_routes(settings))) as client:
        yield client


@pytest.fixture
def everything_up(answering: Answering) -> None:
    answer_for_all(answering)


@pytest.mark.usefixtures("everything_up")
def test_all_up(client: TestClient) -> None:
    assert client.get("/readyz").json() == {"ready": True, "not_up": []}
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    assert 'switchboard_worker_items_total{worker="router.1"} 1.0' in page.text
    assert "switchboard_probes_unanswered_total 1.0" in page.text  # nobody listens at the port


def test_nothing_up(client: TestClient) -> None:
    assert client.get("/healthz").text == "ok\n"
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "not_up": [f"{name}.{number}" for name, number in NAMES]}
    assert "switchboard_ready 0.0" in client.get("/metrics").text
