"""The phrases in force, in the form in which their owner and the senders have them (RFC 3261 §7.2, §21.1).

Progress (1xx) and success (2xx) other than 100 and 180 tell the caller what the callee has to say
(§21.1.3-5). There, only the standard English phrase gives way; words of the callee's own are kept.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from switchboard.phrases.language import ENGLISH, MAX_LENGTH, choose_language, match_language
from switchboard.sip.splice import replace_reason

CHOICES: Final = 1024
"""Choices of language that are remembered, by the language set for a reader and Accept-Language (of bounded length)."""

Table = dict[bytes, bytes]
"""Status code, three digits -> phrase in UTF-8."""

_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9][0-9]) ([^\r\n]*)\r\n", re.IGNORECASE)
_ALWAYS_REPLACED: Final = frozenset((b"100", b"180"))


class Phrases:
    """A table a language. `language`: the switchboard's; `users`: user -> the language set for them.

    `standard`: the standard English phrases in lower case, to compare with.
    """

    def __init__(
        self, language: str, users: Mapping[str, str], tables: Mapping[str, Table], standard: Table
    ) -> None:
        self._language = language
        self.users = users
        self._tables = tables
        self.standard = standard
        self._choose = lru_cache(CHOICES)(self._choose_table)

    @classmethod
    def from_wire(cls, body: Any) -> "Phrases":
        """Return what `to_wire` told (docs/BUS.md, `phrases.tables`). ValueError."""
        match body:
            case [str(language), dict(users), dict(tables), dict(standard)]:
                return cls(language, users, tables, standard)
        raise ValueError("no tables of phrases")

    def to_wire(self) -> list[Any]:
        """All of it as plain values."""
        return [self._language, dict(self.users), dict(self._tables), self.standard]

    def translate(self, raw: bytes, user: str, accept_language: str) -> bytes:
        """Return the response `raw` with the phrase for its reader; other octets pass unchanged.

        `user`: its reader, "" if not a user of ours. `accept_language`: as the request has it (untrusted), or "".
        """
        line = _STATUS_LINE.match(raw)
        if not line:
            return raw
        code, said = line.groups()
        phrase = self.phrases(user, accept_language).get(code)
        if phrase is None or (code < b"300" and self._says_more(code, said)):
            return raw
        return replace_reason(raw, phrase)

    def phrases(self, user: str, accept_language: str) -> Table:
        """The phrases of that reader's language, by code; as `translate` takes them."""
        return self._choose(self.users.get(user, ""), accept_language[: MAX_LENGTH + 1])

    def _says_more(self, code: bytes, said: bytes) -> bool:
        said = said.strip().lower()
        return code not in _ALWAYS_REPLACED and said not in (b"", self.standard.get(code))

    def _choose_table(self, set_language: str, accept_language: str) -> Table:
        language = match_language(set_language, self._tables)
        if language is None:
            default = match_language(self._language, self._tables) or ENGLISH
            language = choose_language(accept_language, self._tables, default)
        return self._tables[language]
