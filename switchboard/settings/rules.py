"""What the settings have to do with the rules of users and groups."""

from collections.abc import Callable

from switchboard.registrar.rule_checks import Surroundings
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings


def surroundings_of(settings: Settings, is_known: Callable[[str], bool]) -> Surroundings:
    """What rules are checked against. `is_known`: whether somebody has a password, or is registered."""
    return Surroundings(
        lambda user: user in settings.users or is_known(user),
        own_domains(settings).owns,
        settings.make_dial_plan(),
        settings.max_forks,
        settings.foreign_users,
    )
