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


class Phrases:
    """Owns the page. It reads the catalogues anew each time, as the translator does when they change."""

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
        own = await asyncio.to_thread(self._own)
        languages = _languages(own)
        chosen = asked["language"] if asked["language"] in languages else self._default(languages)
        return self._pages.page(
            request,
            "phrases.html",
            languages=languages.values(),
            chosen=chosen,
            rows=_rows(chosen, own),
            settings=self._settings,
            asked=asked,
            said_line=self._try(asked, own) if asked["code"].isdecimal() else None,
        )

    def _own(self) -> dict[str, Catalogue]:
        directory = CatalogueDirectory(self._settings.phrases_dir)
        directory.refresh()
        return directory.catalogues

    def _default(self, languages: dict[str, Language]) -> str:
        return self._settings.language if self._settings.language in languages else ENGLISH

    def _try(self, asked: dict[str, str], own: dict[str, Catalogue]) -> str:
        users = {name: user.language for name, user in self._settings.users.items() if user.language}
        translator = Translator(self._settings.language, users, ascii_only=self._settings.ascii_phrases)
        translator.load(own)
        english = builtin_catalogues()[ENGLISH].phrases.get(asked["code"], "")
        raw = f"SIP/2.0 {asked['code']} {english}\r\n\r\n".encode()
        return translator.translate(raw, asked["user"], asked["accept"]).split(b"\r\n")[0].decode()


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
