"""`python -m switchboard` is the command `switchboard`, and so is the script that pip installs."""

import gc
import os
import signal
import sys

INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Entry point: Ctrl-C while the modules are imported ends it at once, without a word, with status 130."""
    ordinary = signal.getsignal(signal.SIGINT)
    if ordinary is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    gc.disable()  # what is imported stays: looking for garbage in it costs a tenth of a start
    from switchboard.cli.main import make_app

    app = make_app(sys.argv[1:2])
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, ordinary)
    try:
        app()
    except PermissionError as error:
        sys.exit(_may_not(error))


def _may_not(error: PermissionError) -> str:
    """A file may not be used by this user."""
    return f"{error.filename} cannot be used: {error.strerror}. Run this command as the user who runs the switchboard."


def _end(_number: int, _frame: object) -> None:
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
