"""Puts the reader's phrase in place of a response's own, and changes nothing else (RFC 3261 §7.2, §21.1)."""

from collections.abc import Collection, Mapping

from switchboard.phrases.catalogue import Catalogue, builtin_catalogues
from switchboard.phrases.fold import to_ascii
from switchboard.phrases.language import ENGLISH
from switchboard.phrases.phrases import Phrases, Table


class Translator(Phrases):
    """Makes the tables of phrases out of the catalogues."""

    def __init__(self, language: str, users: Mapping[str, str], *, ascii_only: bool = False) -> None:
        super().__init__(language, users, {}, _standard_phrases())
        self._ascii_only = ascii_only
        self.load({})

    @property
    def languages(self) -> Collection[str]:
        """The languages that can be chosen now."""
        return self._tables.keys()

    def load(self, own: Mapping[str, Catalogue]) -> None:
        """Lay the operator's `own` catalogues over the built-in ones, in place of those loaded before."""
        builtin = builtin_catalogues()
        self._tables = {
            language: self._make_table(language, builtin.get(language), own.get(language))
            for language in {*builtin, *own}
        }
        self._choose.cache_clear()

    def _make_table(self, language: str, builtin: Catalogue | None, own: Catalogue | None) -> Table:
        phrases = dict(builtin.phrases) if builtin and language != ENGLISH else {}
        phrases |= own.phrases if own else {}
        if not self._ascii_only:
            return {code.encode(): text.encode() for code, text in phrases.items()}
        folded = {code: to_ascii(text, language) for code, text in phrases.items()}
        return {code.encode(): text.encode() for code, text in folded.items() if text}


def _standard_phrases() -> Table:
    """The standard English phrases in lower case, to compare with."""
    english = builtin_catalogues()[ENGLISH].phrases
    return {code.encode(): text.lower().encode() for code, text in english.items()}
