"""Which language a reader wants: Accept-Language (RFC 3261 §20.3, RFC 2616 §14.4, RFC 4647 §3.4)."""

import re
from collections.abc import Collection, Iterable, Mapping

ENGLISH = "en"
MAX_LENGTH = 256
"""Characters of an Accept-Language value; a longer one is nobody's wish and is ignored."""

_RANGE = re.compile(r"[a-z]{1,8}(-[a-z0-9]{1,8})*|\*")
_QVALUE = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


def parse_accept_language(text: str) -> list[tuple[str, float]]:
    """Return (language range in lower case, q) by falling q, equals in the order of `text`.

    `text` is untrusted; its malformed parts are left out.
    """
    if len(text) > MAX_LENGTH:
        return []
    ranges = []
    for element in text.lower().split(","):
        tag, *params = (part.strip() for part in element.split(";"))
        quality = _quality(params)
        if _RANGE.fullmatch(tag) and quality is not None:
            ranges.append((tag, quality))
    return sorted(ranges, key=lambda one: -one[1])


def _quality(params: Iterable[str]) -> float | None:
    for param in params:
        name, _, value = param.partition("=")
        if name.rstrip() == "q":
            value = value.strip()
            return float(value) if _QVALUE.fullmatch(value) else None
    return 1.0


def match_language(wanted: str, available: Collection[str]) -> str | None:
    """Return the available language nearest to the tag `wanted`; None if there is none.

    That is itself, else a wider one (sk for sk-SK), else a narrower one (de-at for de).
    """
    wanted = wanted.lower().replace("_", "-")
    tag = wanted
    while tag:
        if tag in available:
            return tag
        tag = tag.rpartition("-")[0]
    return min((tag for tag in available if tag.startswith(wanted + "-")), default=None)


def choose_language(accept_language: str, available: Collection[str], default: str) -> str:
    """Return the best available language for an Accept-Language value; `default` where it names none.

    A default that the value refuses by name (q=0) gives way to English, that is to the phrases as they come.
    """
    ranges = parse_accept_language(accept_language)
    named = [tag for tag, _ in ranges if tag != "*"]
    refused = [tag for tag, quality in ranges if not quality and tag != "*"]
    for wanted in (tag for tag, quality in ranges if quality):
        if wanted == "*":
            found = _first_outside(named, (default, ENGLISH, *sorted(available)))
        else:
            found = match_language(wanted, available)
        if found and not _covered(found, refused):
            return found
    return ENGLISH if _covered(default, refused) else default


def _first_outside(ranges: list[str], tags: Iterable[str]) -> str | None:
    return next((tag for tag in tags if not _covered(tag, ranges)), None)


def _covered(tag: str, ranges: list[str]) -> bool:
    return any(tag == one or tag.startswith(one + "-") for one in ranges)


def explain_unknown(wanted: Mapping[str, str], available: Collection[str]) -> str:
    """Say which settings (name -> language) name a language without a catalogue; "" if none does."""
    unknown = [f"{key} = {tag!r}" for key, tag in wanted.items() if not match_language(tag, available)]
    if not unknown:
        return ""
    return f"No catalogue of phrases for {', '.join(unknown)}. Available: {', '.join(sorted(available))}."
