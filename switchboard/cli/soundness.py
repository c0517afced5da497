"""What is wrong with settings that are well-formed, but do not fit this machine or these catalogues."""

import socket

from switchboard.local import interfaces
from switchboard.phrases.directory import available_languages
from switchboard.phrases.language import explain_unknown
from switchboard.settings import Settings, SettingsError
from switchboard.settings_origin import Origins


def check_soundness(settings: Settings, origins: Origins) -> None:
    """Raise SettingsError if the address is not of this machine or a language has no catalogue."""
    if settings.sip_host and not _is_own(settings.sip_host):
        raise _foreign_address(settings.sip_host, origins)
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
