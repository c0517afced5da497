"""`switchboard keys`: makes the keys with which the hosts of one switchboard know each other."""

from switchboard.auth.key_file import make_key
from switchboard.bus.keys import PUBLIC, SECRET, make_keys
from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import settings_or_exit


def keys(as_json: JsonOption = False) -> None:
    """Make a pair of keys for each host of the settings that has none."""
    settings = settings_or_exit()
    if not settings.hosts:
        fail("The settings name no hosts: there is nobody to need a key (docs/HOSTS.md).", MISUSED)
    directory = settings.keys_path
    try:
        made = make_keys(directory, settings.hosts)
        if not settings.shared_key_path.exists():
            make_key(settings.shared_key_path)
    except OSError as error:
        fail(f"The keys cannot be written to {directory}: {error.strerror}.")
    if as_json:
        print_json({"directory": str(directory), "made": made})
    say(f"Made in {directory}: {', '.join(made)}." if made else f"All hosts have keys in {directory}.")
    for host in settings.hosts:
        if host != settings.here:
            say(
                f"Copy to that directory of {host}: all *{PUBLIC}, {settings.shared_key_path.name}, "
                f"and {host}{SECRET}; then remove that here."
            )
