import pytest

from switchboard.phrases.catalogue import builtin_catalogues
from switchboard.phrases.fold import to_ascii


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
