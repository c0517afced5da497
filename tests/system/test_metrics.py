"""Metrics of real processes, and what Prometheus' own tools say of them."""

import json
import re
import subprocess

import pytest
from system.harness import PROJECT, Switchboard
from system.tools import require_tools

pytestmark = pytest.mark.system
DEPLOY = PROJECT / "deploy"
METRIC = re.compile(r"\bswitchboard_[a-z_]+")


def promtool(*arguments: str, text: str = "") -> None:
    require_tools("promtool")
    done = subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_rules_are_good() -> None:
    promtool("check", "rules", str(DEPLOY / "prometheus-rules.yml"))


def test_metrics_of_a_call() -> None:
    with Switchboard({"SWITCHBOARD_ROUTERS": "2"}) as switchboard:
        call = json.loads(switchboard.cli("lab", "call", "--ring", "0", "--talk", "0", "--json").stdout)
        switchboard.wait_record(call["call_id"])
        page = switchboard.cli("metrics").stdout
        promtool("check", "metrics", text=page)
        found = {
            (each["name"], *each["labels"].values()): each["value"]
            for each in json.loads(switchboard.cli("metrics", "--json").stdout)["metrics"]
        }
    assert found["switchboard_ready",] == 1
    assert found["switchboard_call_records_total", "journal.0"] == 1
    assert found["switchboard_registers_answered_total", "registrar.0"] == 4
    successes = [
        found[name] for name in found if name[0] == "switchboard_responses_total" and name[2] == "2xx"
    ]
    assert sum(successes) >= 6
    assert found["switchboard_probe_seconds_count",] == 5
    assert found["switchboard_probes_unanswered_total",] == 0
    assert sum(value for (name, *_), value in found.items() if name == "switchboard_dropped_total") == 0


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "prometheus-rules.yml"])
def test_examples_ask_for_metrics_that_exist(name: str) -> None:
    with Switchboard() as switchboard:
        there = set(METRIC.findall(switchboard.cli("metrics").stdout))
    assert set(METRIC.findall((DEPLOY / name).read_text())) <= there
