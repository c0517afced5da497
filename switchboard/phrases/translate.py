"""Puts the reader's phrase in place of a response's own (RFC 3261 §7.2, §21.1), in plain ASCII where that is wanted."""

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Final

from switchboard.phrases.catalogue import Catalogue, builtin_catalogues
from switchboard.phrases.language import ENGLISH
from switchboard.phrases.phrases import Phrases, Table

_MARKS: Final = str.maketrans("łŁđĐðÐøØħĦı’‘‚ʼ“”„«»–—‐‑−", "lLdDdDoOhHi'''''''''-----") | str.maketrans(
    {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "þ": "th", "Þ": "Th"}
)
"""Letters and signs that do not decompose into a base and marks."""

_GERMAN: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})

_CYRILLIC_WORD = re.compile(r"[\u0400-\u04ff]+(?:['’ʼ][\u0400-\u04ff]+)*")
_INITIAL: Final = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}
_LETTERS: Final = dict(zip("абвгґдезиіїйклмнопрстуф", "abvhgdezyiiiklmnoprstuf", strict=True)) | {
    **{"є": "ie", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "iu", "я": "ia"},
    **dict.fromkeys("ь'’ʼ", ""),
}
"""The official transliteration of Ukrainian (Cabinet of Ministers, resolution 55 of 2010)."""


def to_ascii(text: str, language: str = "") -> str | None:
    """Return `text` in ASCII; None if one of its letters has no ASCII form known here.

    `language`: the tag of the text's language, which may have a habit of its own (German ü is ue).
    """
    text = unicodedata.normalize("NFC", text)
    text = _CYRILLIC_WORD.sub(_transliterate, text)
    if language.partition("-")[0] == "de":
        text = text.translate(_GERMAN)
    decomposed = unicodedata.normalize("NFKD", text.translate(_MARKS))
    folded = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    return folded if folded.isascii() else None


def _transliterate(match: re.Match[str]) -> str:
    word = match[0]
    letters = word.lower().replace("зг", "zgh")
    first = _INITIAL.get(letters[0]) or _LETTERS.get(letters[0], letters[0])
    latin = first + "".join(_LETTERS.get(letter, letter) for letter in letters[1:])
    if len(word) > 1 and word.isupper():
        return latin.upper()
    return latin[:1].upper() + latin[1:] if word[0].isupper() else latin


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
