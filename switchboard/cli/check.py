"""`switchboard check`: validates the settings and shows where each comes from."""

from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.settings.model import Settings, SettingsError, UserSettings, read_settings

SECRET = frozenset({"console_password"})
HEADINGS = ("setting", "value", "from")


def check(as_json: JsonOption = False) -> None:
    """Validate the settings and list them with their sources. Exit status: 0 if they are good, else 2."""
    from switchboard.cli.soundness import check_soundness, unknown_variables  # with psutil: 40 ms

    try:
        settings, origins = read_settings()
        check_soundness(settings, origins)
    except SettingsError as error:
        fail(str(error), MISUSED)
    if as_json:
        found = [
            {"setting": key, "value": _masked(key, value), "from": origins.of(key)}
            for key, value in settings.model_dump(mode="json").items()
        ]
        print_json({"settings": found})
    else:
        rows = [(key, _shown(key, getattr(settings, key)), origins.of(key)) for key in Settings.model_fields]
        print_table(HEADINGS, rows, "")
    if warning := unknown_variables(origins):
        say(warning)
    say("The settings are good.")


def _shown(key: str, value: object) -> object:
    return _readable(_masked(key, value))


def _masked(key: str, value: object) -> object:
    return "(set)" if value and key in SECRET else value


def _readable(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}: {_readable(each)}" for name, each in value.items())
        case UserSettings():
            return value.language
    return value
