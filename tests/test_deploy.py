"""What is in deploy/: the tools of each format accept it, and it fits the settings and each other."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from system.tools import require_root, require_tools

from switchboard.settings.hosts import HostSettings, place
from switchboard.settings.model import Settings
from switchboard.transports import tcp_sockets

DEPLOY = Path(__file__).parents[1] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
MANIFESTS = sorted(each for each in KUBERNETES.glob("*.yaml") if each.name != "kustomization.yaml")
UNITS = sorted(each.name for each in DEPLOY.glob("*.service"))
EXPOSURE = 40
"""Of `systemd-analyze security`, in tenths."""
LIMIT_S = 60.0


def told(*command: str) -> str:
    """What a program prints; AssertionError if it fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(autouse=True)
def _programs_of_this_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """All units; the template stands for the edge, and its program is one that is there."""
    for each in (*DEPLOY.glob("*.service"), *DEPLOY.glob("*.socket"), *DEPLOY.glob("*.target")):
        text = each.read_text().replace("/opt/switchboard/.venv/bin/switchboard", sys.executable)
        (tmp_path / each.name.replace("switchboard@.", "switchboard@edge.")).write_text(text)
    return tmp_path


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_knows_every_key_of_the_units(units: Path, unit: str) -> None:
    require_tools("systemd-analyze")
    path = units / unit.replace("@.", "@edge.")
    said = told("systemd-analyze", "verify", "--man=no", str(path))
    assert not [line for line in said.splitlines() if "switchboard" in line]


@pytest.mark.parametrize("unit", UNITS)
def test_the_units_let_little_through(units: Path, unit: str) -> None:
    require_tools("systemd-analyze")
    path = units / unit.replace("@.", "@edge.")
    told("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", str(path))


def test_the_containerfile() -> None:
    require_tools("hadolint")
    assert told("hadolint", str(DEPLOY / "Containerfile")) == ""


def test_what_the_image_is_made_of_is_not_ignored() -> None:
    root = DEPLOY.parent
    kept = {line[1:] for line in (root / ".containerignore").read_text().splitlines() if line.startswith("!")}
    words = [
        line.split()[1:-1]
        for line in (DEPLOY / "Containerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
    ]
    assert {each for line in words for each in line} == kept
    assert all((root / each).exists() for each in kept)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.name)
def test_kubernetes_accepts_the_manifests(manifest: Path) -> None:
    require_tools("kubernetes-validate")
    assert "passed" in told("kubernetes-validate", "--strict", str(manifest))


def documents() -> Iterator[dict[str, Any]]:
    for manifest in MANIFESTS:
        yield from yaml.safe_load_all(manifest.read_text())


def test_each_pod_is_a_host_with_its_key() -> None:
    settings = tomllib.loads((KUBERNETES / "switchboard.toml").read_text())
    hosts = {name: HostSettings(**each) for name, each in settings["hosts"].items()}
    assert place(hosts, settings["routers"])
    sets = [each for each in documents() if each["kind"] == "StatefulSet"]
    pods = {f"{each['metadata']['name']}-{n}" for each in sets for n in range(each["spec"]["replicas"])}
    edges = {name for name, host in hosts.items() if "edge" in host.components}
    assert pods == hosts.keys() - edges
    (policy,) = [each for each in documents() if each["kind"] == "NetworkPolicy"]
    let_in = {each["ipBlock"]["cidr"] for each in policy["spec"]["ingress"][0]["from"] if "ipBlock" in each}
    assert let_in == {f"{hosts[name].address}/32" for name in edges}
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    (keys,) = kustomization["secretGenerator"]
    named = {Path(each).name for each in keys["files"]} - {"auth.key_secret"}
    assert named == {f"{name}.{kind}" for name in hosts for kind in ("key", "key_secret")}
    assert sorted(kustomization["resources"]) == [each.name for each in MANIFESTS]


def test_compose_starts_the_same_image() -> None:
    (service,) = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"].values()
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
    assert service["network_mode"] == "host"


def test_the_kernel_gives_what_the_switchboard_asks_for() -> None:
    lines = [line.lstrip("#") for line in (DEPLOY / "sysctl.conf").read_text().splitlines() if " = " in line]
    wanted = {name: int(value) for name, value in (line.split(" = ") for line in lines)}
    assert all((Path("/proc/sys") / name.replace(".", "/")).exists() for name in wanted)
    assert wanted["net.core.rmem_max"] == Settings.model_fields["receive_buffer_bytes"].default
    assert wanted["net.core.somaxconn"] >= tcp_sockets.BACKLOG


def test_nftables_takes_the_firewall() -> None:
    require_tools("nft")
    require_root()
    told("unshare", "--net", "nft", "--check", "--file", str(DEPLOY / "nftables.conf"))


def test_the_settings_of_three_hosts_are_some() -> None:
    text = (DEPLOY / "README.md").read_text()
    (block,) = [each for each in text.split("```toml\n")[1:] if "after step 3" in each]
    settings = tomllib.loads(block.partition("```")[0])
    hosts = {name: HostSettings(**each) for name, each in settings["hosts"].items()}
    places = place(hosts, settings["routers"])
    assert {places[f"router.{number}"] for number in range(3)} == hosts.keys()
