"""Where the edge's parent listens for connections, and how it keeps them."""

import socket
from collections.abc import Iterable, Mapping

from switchboard.core.domains import is_within, parse_host, parse_networks
from switchboard.settings.model import Settings
from switchboard.sip.flow import NAMES, TCP
from switchboard.supervisor.descriptor_store import open_store
from switchboard.supervisor.open_files import most_connections
from switchboard.transports import tcp_sockets
from switchboard.transports.channels import SERVED
from switchboard.transports.keeper_words import NAME
from switchboard.transports.keeping import ConnectionKeeper


def of_type(sockets: Iterable[socket.socket], kind: socket.SocketKind) -> list[socket.socket]:
    """Those that are of this type."""
    return [each for each in sockets if each.type == kind]


def port_of(sockets: Iterable[socket.socket]) -> int:
    """The UDP port."""
    return int(of_type(sockets, socket.SOCK_DGRAM)[0].getsockname()[1])


def make_keeper(
    settings: Settings, listeners: Iterable[socket.socket], stored: Mapping[str, int]
) -> ConnectionKeeper:
    """Keeps the connections of the edge-streams. `stored`: what a parent before has stored with systemd."""
    exempt = parse_networks(settings.rate_exempt)
    transports = _stream_ports(settings)
    return ConnectionKeeper(
        settings.run_dir / NAME,
        [(each, transports.get(each.getsockname()[1], TCP)) for each in listeners],
        settings.edge_streams,
        most_connections(settings.max_connections),
        settings.max_connections_a_source,
        lambda source: is_within(parse_host(source), exempt),
        open_store(stored),
    )


def _stream_ports(settings: Settings) -> dict[int, int]:
    """The transport at each port where we listen."""
    numbers = {name.lower(): number for number, name in NAMES.items()}
    ports = {port: numbers[name] for name, port in settings.ports.items()}
    return {port: transport for port, transport in ports.items() if transport in SERVED}


def open_listeners(settings: Settings, given: Iterable[socket.socket] = ()) -> list[socket.socket]:
    """The sockets at which we listen for connections, besides those that we were `given`. BindError."""
    ports = _stream_ports(settings).keys() - {each.getsockname()[1] for each in given}
    return [each for port in sorted(ports) for each in tcp_sockets.listen(settings.sip_host, port)]
