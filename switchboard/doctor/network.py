"""Checks of the way from the phones to the edge."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from switchboard.doctor.facts import Finding, NetworkCard, NetworkFacts, ok, problem, warning
from switchboard.sip.flow import bracketed

DEFAULT_PORT = 5060
_INTERNAL_CARDS = ("docker", "br-", "veth", "virbr", "podman", "cni", "lxc", "lxd")
"""Networks between this machine and its own containers or virtual machines."""
_VPN = ip_network("100.64.0.0/10")


def check_network(facts: NetworkFacts, edge_runs: bool) -> Iterator[Finding]:
    """All of them. `edge_runs`: our edge holds the port now."""
    yield check_port(facts, edge_runs)
    yield check_addresses(facts)
    yield from check_networks(facts)
    yield from check_container(facts)
    yield from check_domains(facts)
    yield check_firewall(facts)


def check_port(facts: NetworkFacts, edge_runs: bool) -> Finding:
    """The UDP port is ours, or free to be."""
    port = f"UDP port {facts.port}"
    if edge_runs:
        return ok("port", f"{port} is held by this switchboard")
    if facts.taken:
        holder = f"{facts.taken.command} (pid {facts.taken.pid})" if facts.taken.pid else "another process"
        return problem(
            "port",
            f"{port} is taken by {holder}",
            "stop that process, or choose another SWITCHBOARD_SIP_PORT",
        )
    if facts.bind_failure:
        return problem("port", facts.bind_failure, "correct SWITCHBOARD_SIP_HOST or SWITCHBOARD_SIP_PORT")
    return ok("port", f"{port} is free")


def check_addresses(facts: NetworkFacts) -> Finding:
    """There is an address that phones can enter as their domain."""
    suffix = "" if facts.port == DEFAULT_PORT else f":{facts.port}"
    if facts.host:
        if ip_address(facts.host).is_loopback:
            return warning(
                "address",
                f"sip_host is {facts.host}: only phones on this machine reach it",
                "leave SWITCHBOARD_SIP_HOST empty, unless that is what you want",
            )
        return ok("address", f"phones use the domain {bracketed(facts.host)}{suffix}")
    outside = _outside(facts.cards)
    if not outside:
        return warning(
            "address",
            "this machine has no address but its own loopback",
            "connect it to the network of the phones; phones on this machine use 127.0.0.1",
        )
    domains = " or ".join(f"{bracketed(str(each.address.ip))}{suffix}" for each in outside)
    return ok("address", f"phones use the domain {domains}")


def check_networks(facts: NetworkFacts) -> Iterator[Finding]:
    """The phones in each network, and those outside of all networks."""
    outside = [each for each in _outside(facts.cards) if each.address.version == 4]
    if not outside or (facts.host and ip_address(facts.host).is_loopback):
        return
    networks = [f"{each.address.network} ({each.name})" for each in outside]
    if len(outside) > 1 and facts.host:
        yield warning(
            "networks",
            f"this machine is in {len(outside)} networks, {', '.join(networks)}, and listens in one",
            "leave SWITCHBOARD_SIP_HOST empty to serve all of them",
        )
    elif len(outside) > 1:
        yield ok("networks", f"{', '.join(networks)}: phones of each use the address of theirs")
    if facts.advertised:
        yield ok("translation", f"phones outside of these networks use the domain {facts.advertised}")
    elif all(each.address.ip.is_private or each.address.ip in _VPN for each in outside):
        yield ok(
            "translation",
            "all addresses are private: phones outside of these networks do not reach it (if the network maps a "
            "public address to this machine, set SWITCHBOARD_ADVERTISE)",
        )


def check_container(facts: NetworkFacts) -> Iterator[Finding]:
    """Inside of a container, phones see another address than the switchboard does."""
    inner = [each for each in facts.cards if _is_internal(each)]
    if facts.container and not inner:
        yield warning(
            "container",
            f"this is a {facts.container} container: phones may not reach its addresses, and voice and "
            "answers go to the addresses that the messages name",
            "run it in the network of the machine (docker run --network host), or give the container an "
            "address in the phones' network (macvlan)",
        )
    elif inner:
        names = ", ".join(f"{each.address.ip} ({each.name})" for each in inner)
        yield ok("container", f"{names}: reached by containers of this machine only, not by phones")


def check_domains(facts: NetworkFacts) -> Iterator[Finding]:
    """Each configured domain leads phones here."""
    own = {str(each.address.ip) for each in facts.cards}
    for domain, addresses in facts.domains.items():
        if not addresses:
            yield warning(
                "domain",
                f"{domain} cannot be resolved here: phones that use it do not find the switchboard",
                f"enter {domain} in the name service of the phones' network, or let them use an address",
            )
        elif own.isdisjoint(addresses):
            yield warning(
                "domain",
                f"{domain} leads to {', '.join(addresses)}, which is no address of this machine",
                "correct the name, or see that what has that address passes UDP on to this machine",
            )
        else:
            yield ok("domain", f"{domain} leads to this machine")


def check_firewall(facts: NetworkFacts) -> Finding:
    """What the phones send gets through."""
    if not facts.firewall:
        return ok("firewall", "none that is active was found on this machine")
    if facts.unnamed is None:
        remedy = _open(facts.firewall, facts.ports)
        return warning("firewall", f"{facts.firewall} is active; only root may read its rules", remedy)
    if not facts.unnamed:
        return ok("firewall", f"{facts.firewall} is active, and names {', '.join(facts.ports)}")
    found = f"{facts.firewall} is active, and no rule names {', '.join(facts.unnamed)}"
    return warning("firewall", found, _open(facts.firewall, facts.unnamed))


def _open(firewall: str, ports: Sequence[str]) -> str:
    """The commands that let `ports` through."""
    command, after = _FIREWALL_REMEDIES[firewall]
    pairs = [each.split("/") for each in ports]
    return "; ".join(command.format(port=port, protocol=protocol) for port, protocol in pairs) + after


_FIREWALL_REMEDIES = {
    "ufw": ("ufw allow {port}/{protocol}", ""),
    "firewalld": ("firewall-cmd --permanent --add-port={port}/{protocol}", "; then firewall-cmd --reload"),
    "nftables": (
        "nft add rule inet filter input {protocol} dport {port} accept",
        " (names of table and chain are yours)",
    ),
    "iptables": ("iptables -I INPUT -p {protocol} --dport {port} -j ACCEPT", ""),
}


def _outside(cards: Sequence[NetworkCard]) -> list[NetworkCard]:
    return [each for each in cards if not (each.address.ip.is_loopback or _is_internal(each))]


def _is_internal(card: NetworkCard) -> bool:
    return card.name.startswith(_INTERNAL_CARDS)
