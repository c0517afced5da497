"""None"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.phrases.catalogue import Catalogue, builtin_catalogues
from switchboard.phrases.phrases import CHOICES
from switchboard.phrases.translate import Translator, to_ascii
from switchboard.sip.splice import replace_reason


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Obsadené", "sk", "Obsadene"),
        ("Žiadosť zrušená", "sk", "Ziadost zrusena"),
        ("Neprijateľné", "sk", "Neprijatelne"),
        ("Příliš žluťoučký kůň", "cs", "Prilis zlutoucky kun"),
        ("Ścieżka złożona, Łódź", "pl", "Sciezka zlozona, Lodz"),
        ("Időtúllépés", "hu", "Idotullepes"),
        ("Überall größer", "de", "Ueberall groesser"),
        ("Überall", "de-at", "Ueberall"),
        ("Đorđe, Ærø", "", "Dorde, AEro".replace("AE", "Ae")),
        ("„Obsadené“ – skúste neskôr…", "sk", "'Obsadene' - skuste neskor..."),
        ("Obsadene\u0301", "sk", "Obsadene"),
        ("Busy Here", "en", "Busy Here"),
        ("Спроба з’єднання", "uk", "Sproba ziednannia"),
        ("Згода", "uk", "Zghoda"),
        ("Розгалуження", "uk", "Rozghaluzhennia"),
        ("Їжак Юрій", "uk", "Yizhak Yurii"),
        ("Єнакієве, Гаєвич, Короп’є", "uk", "Yenakiieve, Haievych, Koropie"),
        ("Йосипівка, Стрий", "uk", "Yosypivka, Stryi"),
        ("Яготин, Ічня", "uk", "Yahotyn, Ichnia"),
        ("Щербухи, Гоща, Ґалаґан", "uk", "Shcherbukhy, Hoshcha, Galagan"),
        ("ЗБІЙ", "uk", "ZBII"),
        ("Я", "uk", "Ya"),
        ("忙碌", "zh", None),
        ("Κατειλημμένο", "el", None),
    ],
)
def test_to_ascii(text: str, language: str, expected: str | None) -> None:
    assert to_ascii(text, language) == expected


@pytest.mark.parametrize("language", list(builtin_catalogues()))
def test_every_built_in_phrase_has_an_ascii_form(language: str) -> None:
    for code, phrase in builtin_catalogues()[language].phrases.items():
        folded = to_ascii(phrase, language)
        assert folded, code
        assert folded.isprintable(), code


REST = b'Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\nWarning: 399 h "SIP/2.0 486 Busy Here"\r\n\r\nv=0\r\n'


def respond(status_line: str) -> bytes:
    return status_line.encode() + b"\r\n" + REST


def own(**languages: dict[str, str]) -> dict[str, Catalogue]:
    return {tag.replace("_", "-"): Catalogue(phrases=phrases) for tag, phrases in languages.items()}


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ("SIP/2.0 100 Trying", "SIP/2.0 100 Skúšanie"),
        ("SIP/2.0 100 your call is important to us", "SIP/2.0 100 Skúšanie"),
        ("SIP/2.0 180 Ringing", "SIP/2.0 180 Zvonenie"),
        ("SIP/2.0 180 Tuuut", "SIP/2.0 180 Zvonenie"),
        ("SIP/2.0 180 ", "SIP/2.0 180 Zvonenie"),
        ("SIP/2.0 486 Busy here", "SIP/2.0 486 Obsadené"),
        ("SIP/2.0 486 I am asleep", "SIP/2.0 486 Obsadené"),
        ("SIP/2.0 486 Obsadené", "SIP/2.0 486 Obsadené"),
        ("sip/2.0 603 Decline", "sip/2.0 603 Odmietnutie"),
        ("SIP/2.0 200 OK", "SIP/2.0 200 V poriadku"),
    ],
)
def test_the_catalogue_wins(received: str, sent: str) -> None:
    assert Translator("sk", {}).translate(respond(received), "", "") == respond(sent)


@pytest.mark.parametrize(
    ("received", "sent"),
    [
        ("SIP/2.0 182 5 calls queued; 15 minutes", None),
        ("SIP/2.0 182 Queued", "SIP/2.0 182 Hovor čaká v poradí"),
        ("SIP/2.0 182 QUEUED ", "SIP/2.0 182 Hovor čaká v poradí"),
        ("SIP/2.0 182 ", "SIP/2.0 182 Hovor čaká v poradí"),
        ("SIP/2.0 181 Call is being forwarded", "SIP/2.0 181 Hovor sa presmerúva"),
        ("SIP/2.0 181 To my mobile", None),
        ("SIP/2.0 183 My Very Own Phrase", None),
        ("SIP/2.0 183 Session Progress", "SIP/2.0 183 Spojenie sa nadväzuje"),
        ("SIP/2.0 199 Gone elsewhere", None),
        ("SIP/2.0 200 Ok", "SIP/2.0 200 V poriadku"),
        ("SIP/2.0 200 Voicemail", None),
        ("SIP/2.0 199 Early Dialog Terminated", "SIP/2.0 199 Predbežný dialóg ukončený"),
    ],
)
def test_the_callees_own_words_are_kept(received: str, sent: str | None) -> None:
    assert Translator("sk", {}).translate(respond(received), "", "") == respond(sent or received)


@pytest.mark.parametrize("code", ["150", "222", "299", "399", "499", "599", "699"])
def test_a_code_without_an_entry_keeps_its_phrase(code: str) -> None:
    raw = respond(f"SIP/2.0 {code} Something")
    assert Translator("sk", {}).translate(raw, "", "") == raw


@pytest.mark.parametrize("code", [*builtin_catalogues()["en"].phrases, "222"])
def test_english_leaves_every_phrase_alone(code: str) -> None:
    raw = f"SIP/2.0 {code} \xe9 anything ".encode("latin-1") + b"\r\n" + REST
    assert Translator("en", {}).translate(raw, "", "") == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"SIP/2.0 486",
        b"SIP/2.0 486 Busy Here",
        b"SIP/2.0 486\r\n\r\n",
        b"SIP/2.0 486 Busy\nVia: x\r\n\r\n",
        b"SIP/3.0 486 Busy\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n\r\n",
        b"OPTION S486 \r\n\r\n",
    ],
)
def test_what_is_no_response_passes_unchanged(raw: bytes) -> None:
    assert Translator("sk", {}).translate(raw, "", "") == raw


@pytest.mark.parametrize(
    ("user", "accept_language", "phrase"),
    [
        ("", "", "Obsadené"),
        ("anna", "", "Besetzt"),
        ("anna", "pl", "Besetzt"),
        ("ben", "pl", "Zajęte"),
        ("", "hu-HU, pl;q=0.5", "Foglalt"),
        ("", "en", "Busy Here"),
        ("eve", "pl", "Busy Here"),
        ("", "fr", "Obsadené"),
        ("gone", "", "Obsadené"),
        ("gone", "cs", "Obsazeno"),
        ("", "cs," * 10_000, "Obsadené"),
    ],
)
def test_the_reader_decides_the_language(user: str, accept_language: str, phrase: str) -> None:
    translator = Translator("sk", {"anna": "de", "eve": "en", "gone": "fr"})
    translated = translator.translate(respond("SIP/2.0 486 Busy Here"), user, accept_language)
    assert translated == respond(f"SIP/2.0 486 {phrase}")


def translate_486(translator: Translator, accept_language: str = "") -> str:
    raw = translator.translate(b"SIP/2.0 486 Busy Here\r\n\r\n", "", accept_language)
    return raw[12 : raw.index(b"\r\n")].decode()


def test_own_phrases_override_single_ones_until_they_are_taken_away() -> None:
    translator = Translator("sk", {})
    assert translate_486(translator) == "Obsadené"
    translator.load(own(sk={"486": "Linka hovorí"}))
    assert translate_486(translator) == "Linka hovorí"
    assert translator.translate(respond("SIP/2.0 180 Ringing"), "", "") == respond("SIP/2.0 180 Zvonenie")
    translator.load({})
    assert translate_486(translator) == "Obsadené"


def test_own_english_phrases_replace_only_these() -> None:
    translator = Translator("en", {})
    translator.load(own(en={"486": "On the Phone"}))
    assert translate_486(translator) == "On the Phone"
    raw = respond("SIP/2.0 603 No")
    assert translator.translate(raw, "", "") == raw


def test_own_words_for_a_provisional_code_without_a_standard_phrase_yield_to_the_callees() -> None:
    translator = Translator("sk", {})
    translator.load(own(sk={"150": "Moment"}))
    kept = respond("SIP/2.0 150 Wait a second")
    assert translator.translate(kept, "", "") == kept
    assert translator.translate(respond("SIP/2.0 150 "), "", "") == respond("SIP/2.0 150 Moment")


def test_an_own_language_comes_and_goes() -> None:
    translator = Translator("fr", {})
    assert translate_486(translator) == "Busy Here"
    translator.load(own(fr={"486": "Occupé"}, de_at={"486": "Belegt"}))
    assert set(translator.languages) == {*builtin_catalogues(), "fr", "de-at"}
    assert translate_486(translator) == "Occupé"
    assert translate_486(translator, "de-AT") == "Belegt"
    assert translate_486(translator, "de-DE") == "Besetzt"
    translator.load({})
    assert translate_486(translator) == "Busy Here"


def test_ascii() -> None:
    translator = Translator("sk", {}, ascii_only=True)
    translator.load(own(zh={"486": "忙碌", "180": "Ring"}, sk={"603": "Nechcú"}))
    assert translate_486(translator) == "Obsadene"
    assert translate_486(translator, "uk") == "Zainiato"
    assert translate_486(translator, "zh") == "Busy Here"
    assert translator.translate(respond("SIP/2.0 603 No"), "", "") == respond("SIP/2.0 603 Nechcu")


def test_choices_are_remembered_within_bounds() -> None:
    translator = Translator("sk", {})
    for number in range(CHOICES + 10):
        translate_486(translator, f"cs;x={number}")
    translate_486(translator, f"cs;x={CHOICES}")
    info = translator._choose.cache_info()
    assert (info.currsize, info.hits) == (CHOICES, 1)


@given(st.sampled_from(["100", "180", "183", "200", "486", "603"]), st.binary(), st.text(max_size=20))
def test_nothing_behind_the_status_line_changes(code: str, rest: bytes, accept_language: str) -> None:
    raw = b"SIP/2.0 %s Whatever\r\n" % code.encode() + rest
    translated = Translator("uk", {}).translate(raw, "", accept_language)
    assert translated.startswith(b"SIP/2.0 %s " % code.encode())
    assert translated.partition(b"\r\n")[2] == rest


@given(
    st.binary().filter(lambda said: b"\r" not in said),
    st.binary(),
    st.text(st.characters(exclude_categories=["C"])),
)
def test_replace_reason_changes_the_reason_only(said: bytes, rest: bytes, phrase: str) -> None:
    raw = b"SIP/2.0 486 " + said + b"\r\n" + rest
    assert replace_reason(raw, phrase.encode()) == b"SIP/2.0 486 " + phrase.encode() + b"\r\n" + rest
