"""Phrases in plain ASCII, for displays that know nothing else."""

import re
import unicodedata
from typing import Final

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
