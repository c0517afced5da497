"""Where the settings have the users, and their rules."""

from switchboard.auth.user_store import UserStore
from switchboard.postgres.url import PostgresUrl
from switchboard.registrar.rule_store import RULES, RuleStore, SharedRuleStore
from switchboard.settings.location import check_postgres
from switchboard.settings.model import Settings
from switchboard.settings.types import SQLITE


def check_users(settings: Settings) -> None:
    """SettingsError if a program is missing that the users need where they are."""
    if settings.users_store != SQLITE:
        check_postgres("users are")


def open_users(settings: Settings, follows: bool) -> UserStore:
    """The users, as this host's registrar or, if it does not run, a command has them. UserStoreError, SettingsError.

    `follows`: changes that others make are taken over by `go_on`.
    """
    if settings.users_store == SQLITE:
        return UserStore(settings.users_path)
    check_users(settings)
    from switchboard.auth.postgres_users import PostgresUsers
    from switchboard.auth.shared_users import SharedUserStore

    url = PostgresUrl.parse(settings.users_store)
    return SharedUserStore(settings.users_path, lambda: PostgresUsers(url), follows)


def open_rules(settings: Settings, follows: bool) -> RuleStore:
    """The same of the rules of users and groups, which are where the users are. RuleStoreError, SettingsError."""
    if settings.users_store == SQLITE:
        return RuleStore(settings.rules_path)
    check_users(settings)
    from switchboard.postgres.records import PostgresRecords

    url = PostgresUrl.parse(settings.users_store)
    return SharedRuleStore(settings.rules_path, lambda: PostgresRecords(RULES, url), follows)
