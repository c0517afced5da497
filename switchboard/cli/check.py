"""`switchboard check`: validates the settings and shows where each comes from."""

from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.settings import Settings, SettingsError, UserSettings, read_settings

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
        values = settings.model_dump(mode="json")
        print_json(
            {"settings": [{"setting": key, "value": values[key], "from": origins.of(key)} for key in values]}
        )
    else:
        rows = [(key, _shown(getattr(settings, key)), origins.of(key)) for key in Settings.model_fields]
        print_table(HEADINGS, rows, "")
    if warning := unknown_variables(origins):
        say(warning)
    say("The settings are good.")


def _shown(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}: {_shown(each)}" for name, each in value.items())
        case UserSettings():
            return value.language
    return value
