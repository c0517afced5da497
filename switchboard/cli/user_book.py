"""Where `switchboard user` looks and writes: the registrar does it if one runs, else the store itself."""

import os
import pwd
import time
from collections.abc import Sequence
from typing import Any

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import Entry
from switchboard.bus.rpc import RpcError, RpcRefused, call_rpc
from switchboard.cli.output import fail
from switchboard.cli.running import context_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here
from switchboard.storage.unusable import UnusableFile

ANSWER_S = 2.0


class UserBook:
    """The users, wherever they are. A command ends with status 1 if they cannot be reached."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: UserStore | None = None

    def put(self, entries: Sequence[Entry]) -> int:
        """Let these users have these secrets; return how many are new."""
        new = self._ask("user.put", [list(entry) for entry in entries])
        return int(self._open().put(entries, time.time()) if new is None else new)

    def remove(self, user: str) -> bool:
        """Let nobody be `user`; False if nobody was."""
        done = self._ask("user.remove", user)
        return bool(self._open().remove(user, time.time()) if done is None else done)

    def users(self) -> list[tuple[str, str, float]]:
        """Name, realm and when the password was set (epoch s) of all users, by name."""
        found = self._ask("user.list", None)
        if found is None:
            return [(each.user, each.realm, each.changed_at) for each in self._open().users()]
        return [(user, realm, changed_at) for user, realm, changed_at in found]

    def has(self, user: str) -> bool:
        """Whether there is a user called so."""
        return any(name == user for name, *_ in self.users())

    def _ask(self, question: str, body: object) -> Any:
        """The registrar's answer; None if none runs on this host."""
        if self._store:
            return None
        endpoint = endpoints_of(self._settings).ask("registrar")
        with context_or_exit(self._settings) as context:
            try:
                return call_rpc(endpoint, question, body, ANSWER_S, context)
            except RpcRefused as refused:
                fail(f"The registrar refuses: {refused}.")
            except RpcError:
                if not is_here("registrar.0", self._settings):
                    fail("The registrar does not answer, and it keeps the users on another host.")
        return None

    def _open(self) -> UserStore:
        if self._store is None:
            self._check_owner()
            try:
                self._store = UserStore(self._settings.users_path)
            except UnusableFile as error:
                fail(str(error))
        return self._store

    def _check_owner(self) -> None:
        """What root wrote, the switchboard of another user could not read."""
        directory = self._settings.data_dir
        try:
            directory.mkdir(parents=True, exist_ok=True)
            owner = directory.stat().st_uid
        except OSError as error:
            fail(f"The data directory {directory} cannot be used: {error.strerror}.")
        if owner != os.geteuid():
            name = pwd.getpwuid(owner).pw_name
            fail(f"The data directory {directory} belongs to {name}: run this command as {name}.")
