"""What the parent of the edge does beyond the others: it holds the UDP sockets and announces the board."""

import socket
from collections.abc import Sequence

import typer

from switchboard.bus.board import Board
from switchboard.bus.context import BusContext
from switchboard.bus.socket_buffer import cut, enlarge_buffers
from switchboard.cli.banner import Announcer, welcome
from switchboard.cli.output import say
from switchboard.cli.soundness import check_soundness, unknown_variables
from switchboard.cli.start_failure import not_bound, port_taken
from switchboard.settings.components import Component
from switchboard.settings.local import own_addresses
from switchboard.settings.model import Settings
from switchboard.settings.origin import Origins
from switchboard.settings.site import parents
from switchboard.supervisor.activation import activated_sockets
from switchboard.transports.udp_sockets import BindError, PortTaken, bind_sockets


def open_sockets(settings: Settings, origins: Origins) -> list[socket.socket]:
    """The UDP sockets, systemd's or bound here, with large buffers. Raises SettingsError, StartFailure."""
    check_soundness(settings, origins)
    if warning := unknown_variables(origins):
        say(warning)
    sockets = _open_sockets(settings)
    for sock in sockets:
        enlarge_buffers(sock, settings.receive_buffer_bytes)
    if warning := cut(sockets[0], settings.receive_buffer_bytes):
        say(warning)
    return sockets


def make_announcer(settings: Settings, sockets: Sequence[socket.socket], context: BusContext) -> Announcer:
    """Prints the welcome once that all components are up."""
    board = Board(context, {name: door for name, (_, _, door) in parents(settings).items()})
    port = int(sockets[0].getsockname()[1])

    def text() -> str:
        return welcome(settings, own_addresses(settings), port, _console(board))

    return Announcer(board, text, typer.echo)


def _console(board: Board) -> str:
    workers = board.answers.get(Component.CONSOLE, [])
    return next((str(worker["address"]) for worker in workers if "address" in worker), "")


def _open_sockets(settings: Settings) -> list[socket.socket]:
    try:
        return activated_sockets() or bind_sockets(settings.sip_host, settings.sip_port)
    except PortTaken as taken:
        raise port_taken(taken.port, taken.pid, taken.command) from taken
    except BindError as error:
        raise not_bound(str(error)) from error
