"""The ways in which phones reach one switchboard: its transports, ports and certificate."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from system.harness import free_port
from system.net import Net
from system.stream_agent import StreamAgent
from system.tls_agent import TlsAgent, TlsEndpoint, WssAgent, WssEndpoint
from system.user_agent import UserAgent

HOST = "127.0.0.1"


class Transport(StrEnum):
    """What phones use."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    WSS = "wss"


@dataclass(frozen=True)
class Access:
    """One of them: the port, and the file of the authority that vouches for the certificate."""

    transport: Transport = Transport.UDP
    port: int = 0
    authority: str = ""

    def phone(self, net: Net, name: str) -> UserAgent:
        """A phone that uses it; those on streams have connected."""
        match self.transport:
            case Transport.UDP:
                return UserAgent(net, name)
            case Transport.TCP:
                return StreamAgent(net, name, proxy=(HOST, self.port))
            case Transport.TLS:
                return self._secure(TlsAgent, TlsEndpoint)(net, name, proxy=(HOST, self.port))
            case Transport.WSS:
                return self._secure(WssAgent, WssEndpoint)(net, name, proxy=(HOST, self.port))

    def _secure(self, agent: type[TlsAgent], endpoint: type[TlsEndpoint]) -> type[TlsAgent]:
        trusting = type(endpoint.__name__, (endpoint,), {"authority": Path(self.authority)})
        return type(agent.__name__, (agent,), {"endpoint": trusting})


@dataclass(frozen=True)
class Ports:
    """Free ports for all of them."""

    tls: int
    wss: int

    @property
    def environment(self) -> dict[str, str]:
        """The settings of a switchboard that has all of them, for many connections from one address."""
        return {
            "SWITCHBOARD_TRANSPORTS": "udp,tcp,tls,wss",
            "SWITCHBOARD_TLS_PORT": str(self.tls),
            "SWITCHBOARD_WSS_PORT": str(self.wss),
            "SWITCHBOARD_MAX_CONNECTIONS_A_SOURCE": "20000",
        }

    def access(self, transport: Transport, sip_port: int, data_dir: Path) -> Access:
        """How `transport` reaches it."""
        port = {Transport.TLS: self.tls, Transport.WSS: self.wss}.get(transport, sip_port)
        return Access(transport, port, str(data_dir / "tls" / "ca.pem"))


def free_ports() -> Ports:
    """Ports that nobody uses."""
    return Ports(free_port(HOST), free_port(HOST))
