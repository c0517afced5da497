"""How commands ask the registrar of this host, or know that none runs and do its part themselves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from switchboard.bus.rpc import RpcError, RpcRefused, call_rpc
from switchboard.cli.output import fail
from switchboard.cli.running import check_owner, context_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here
from switchboard.storage.record_store import RecordStore
from switchboard.storage.unusable import NotWritten, UnusableFile

ANSWER_S = 2.0
Store = TypeVar("Store", bound=RecordStore[Any])


def ask_registrar(settings: Settings, question: str, body: object) -> Any:
    """The registrar's answer; None if none runs on this host. A command ends with status 1 if it is elsewhere."""
    endpoint = endpoints_of(settings).ask("registrar")
    with context_or_exit(settings) as context:
        try:
            return call_rpc(endpoint, question, body, ANSWER_S, context)
        except RpcRefused as refused:
            fail(f"The registrar refuses: {refused}.")
        except RpcError:
            if not is_here("registrar.0", settings):
                fail("The registrar does not answer, and it keeps the users on another host.")
    return None


def open_store(settings: Settings, make: Callable[..., Store]) -> Store:
    """A store that the registrar owns, for a command while it does not run; `make`: as `open_users`."""
    check_owner(settings)
    with told():
        return make(settings, follows=False)


@contextmanager
def told() -> Iterator[None]:
    """A command ends with status 1, and says why, if a store cannot be used."""
    try:
        yield
    except (UnusableFile, NotWritten) as error:
        fail(str(error))
