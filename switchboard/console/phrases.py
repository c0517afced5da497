"""The page Phrases: which language says what; try one."""

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.console.pages import Pages
from switchboard.phrases.catalogue import Catalogue, CatalogueDirectory, builtin_catalogues
from switchboard.phrases.language import ENGLISH
from switchboard.phrases.translate import Translator
from switchboard.settings.model import Settings

MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Language:
    """One that can be chosen; `is_own`: the operator has a catalogue of it."""

    tag: str
    name: str
    is_own: bool


class PhraseBook:
    """What the catalogues say. They are read anew for each book, as the translator does when they change."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        directory = CatalogueDirectory(settings.phrases_dir)
        directory.refresh()
        self._own = directory.catalogues
        self.languages = _languages(self._own)

    def chosen(self, language: str) -> str:
        """That language if there is a catalogue of it, else the default one."""
        if language in self.languages:
            return language
        return self._settings.language if self._settings.language in self.languages else ENGLISH

    def rows(self, language: str) -> list[tuple[str, str, str, bool]]:
        """Code, English, the phrase of a known language, and whether it is the operator's own."""
        return _rows(language, self._own)

    def say(self, code: str, user: str, accept: str) -> str:
        """The status line of a response with this code to `user`, whose phone accepts these languages."""
        users = {name: each.language for name, each in self._settings.users.items() if each.language}
        translator = Translator(self._settings.language, users, ascii_only=self._settings.ascii_phrases)
        translator.load(self._own)
        english = builtin_catalogues()[ENGLISH].phrases.get(code, "")
        raw = f"SIP/2.0 {code} {english}\r\n\r\n".encode()
        return translator.translate(raw, user, accept).split(b"\r\n")[0].decode()


class Phrases:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings) -> None:
        self._pages = pages
        self._settings = settings
        self.routes = [Route("/phrases", self.show)]

    async def show(self, request: Request) -> Response:
        """The catalogue of one language beside English, and what a response would say."""
        asked = {
            name: request.query_params.get(name, "").strip()[:MAX_TEXT]
            for name in ("language", "code", "user", "accept")
        }
        book = await asyncio.to_thread(PhraseBook, self._settings)
        chosen = book.chosen(asked["language"])
        is_tried = asked["code"].isdecimal()
        return self._pages.page(
            request,
            "phrases.html",
            languages=book.languages.values(),
            chosen=chosen,
            rows=book.rows(chosen),
            settings=self._settings,
            asked=asked,
            said_line=book.say(asked["code"], asked["user"], asked["accept"]) if is_tried else None,
        )


def _languages(own: dict[str, Catalogue]) -> dict[str, Language]:
    catalogues = {**builtin_catalogues(), **own}
    return {
        tag: Language(tag, catalogues[tag].meta.name if catalogues[tag].meta else tag, tag in own)  # type: ignore[union-attr]
        for tag in sorted(catalogues)
    }


def _rows(language: str, own: dict[str, Catalogue]) -> list[tuple[str, str, str, bool]]:
    """Code, English, the phrase of the language, and whether it is the operator's own."""
    builtin = builtin_catalogues()
    english = builtin[ENGLISH].phrases
    phrases = builtin[language].phrases if language in builtin else {}
    ours = own[language].phrases if language in own else {}
    codes = sorted({*english, *phrases, *ours})
    return [
        (code, english.get(code, ""), ours.get(code) or phrases.get(code, ""), code in ours) for code in codes
    ]
