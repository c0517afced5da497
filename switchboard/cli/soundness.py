"""What is wrong with settings that are well-formed, but do not fit this machine or these catalogues."""

import socket

from switchboard.phrases.directory import available_languages
from switchboard.phrases.language import explain_unknown
from switchboard.settings.local import interfaces
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.origin import Origins
from switchboard.settings.site import is_here


def check_soundness(settings: Settings, origins: Origins) -> None:
    """Raise SettingsError if the address is not of this machine or a language has no catalogue.

    Each host of several looks at what concerns its own components.
    """
    if settings.sip_host and is_here("edge-rx.0", settings) and not _is_own(settings.sip_host):
        raise _foreign_address(settings.sip_host, origins)
    if is_here("translator.0", settings):
        _check_phrases(settings, origins)


def _check_phrases(settings: Settings, origins: Origins) -> None:
    if settings.phrases_dir and not settings.phrases_dir.is_dir():
        raise SettingsError(
            f"Bad setting phrases_dir: {settings.phrases_dir} ({origins.of('phrases_dir')}) is no directory. "
            "Make it, or leave the setting empty.",
            "bad setting phrases_dir",
        )
    wanted = {f"language ({origins.of('language')})": settings.language}
    for user, chosen in settings.users.items():
        if chosen.language is not None:
            wanted[f"users.{user}.language ({origins.of('users')})"] = chosen.language
    if problem := explain_unknown(wanted, available_languages(settings.phrases_dir)):
        raise SettingsError(f"Bad setting language. {problem}", "bad setting language")


def unknown_variables(origins: Origins) -> str:
    """A warning about variables that look like settings and are none; "" if there are none."""
    unknown = origins.unknown_variables(Settings.model_fields)
    return f"Warning: unknown environment variable {', '.join(unknown)}, ignored." if unknown else ""


def _is_own(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _foreign_address(host: str, origins: Origins) -> SettingsError:
    own = ", ".join(str(each.ip) for each in interfaces())
    return SettingsError(
        f"Bad setting sip_host: {host} ({origins.of('sip_host')}) is no address of this machine. "
        f"Allowed: {own}; or empty for all of them.",
        "bad setting sip_host",
    )
