"""`switchboard tls`: the certificate by which phones know us, and its authority (docs/SECURITY.md#tls)."""

from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.running import check_owner, settings_or_exit
from switchboard.settings.model import Settings

tls = typer.Typer(help="The certificate by which phones know this switchboard.", no_args_is_help=True)
AuthorityOption = Annotated[
    bool, typer.Option("--authority", help="A new authority, too: phones have to trust it anew.")
]


@tls.command()
def show(as_json: JsonOption = False) -> None:
    """Show the certificate, and what is wrong with it. Exit status 1 if it cannot be used, or phones may refuse it."""
    from switchboard.transports.tls_files import (
        TlsFileError,
        doubts,
        files_of,
        promised_names,
        read_identity,
    )

    settings = settings_or_exit()
    files = files_of(settings)
    if not files.certificate.exists() and not settings.wants_certificate:
        fail("There is no certificate, because TLS is off: SWITCHBOARD_TLS=on turns it on.")
    try:
        found = read_identity(files)
    except TlsFileError as error:
        fail(str(error))
    problems = list(doubts(found, promised_names(settings), datetime.now(UTC)))
    shown = {
        "certificate": str(files.certificate),
        "authority": str(files.authority) if files.authority else None,
        "subject": found.subject,
        "issuer": found.issuer,
        "names": sorted(found.names),
        "valid_from": found.not_before.isoformat(),
        "valid_until": found.not_after.isoformat(),
        "sha256": found.fingerprint,
        "problems": problems,
    }
    if as_json:
        print_json(shown)
    else:
        rows = [(name.replace("_", " "), _shown(value)) for name, value in shown.items() if value]
        print_table(("", ""), rows, "")
    if problems:
        raise typer.Exit(FAILED)


@tls.command()
def new(authority: AuthorityOption = False, as_json: JsonOption = False) -> None:
    """Make a new certificate with a new key. It is in force within a second; no connection ends."""
    from switchboard.transports.tls_files import TlsFileError, files_of, make_anew, read_identity

    settings = settings_or_exit()
    files = files_of(settings)
    if files.authority is None:
        _fail_of_the_users(settings)
    check_owner(settings)
    try:
        make_anew(settings, datetime.now(UTC), with_authority=authority)
        found = read_identity(files)
    except TlsFileError as error:
        fail(str(error))
    if as_json:
        print_json({"certificate": str(files.certificate), "sha256": found.fingerprint})
    say(
        f"Made {files.certificate}, valid until {found.not_after:%Y-%m-%d}, for {', '.join(sorted(found.names))}."
    )
    if authority:
        say(f"Phones that trusted the authority of before have to get {files.authority}.")


def _fail_of_the_users(settings: Settings) -> NoReturn:
    fail(
        f"The certificate {settings.tls_certificate} is one of yours: put another one in its place "
        "(it is in force within a second).",
        MISUSED,
    )


def _shown(value: object) -> object:
    match value:
        case list():
            return ", ".join(map(str, value))
        case str() if value.endswith("+00:00"):
            return value.removesuffix("+00:00").replace("T", " ") + " UTC"
    return value
