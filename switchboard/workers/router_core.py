"""How the core of a router is made of the settings, and of what its worker has."""

import secrets
from collections.abc import Container
from typing import NamedTuple

from switchboard.auth.authenticator import Authenticator, Trusted
from switchboard.auth.failures import Failures
from switchboard.core.authorization import Admission
from switchboard.core.delegation import Either, EventPolicy
from switchboard.core.dialog_seal import DialogSeals
from switchboard.core.domains import parse_networks
from switchboard.core.environment import Environment
from switchboard.core.forwarding import LARGEST_SENT
from switchboard.core.limits import Caps
from switchboard.core.loop_detection import Branches
from switchboard.core.planner import Planner
from switchboard.core.qualifying import Qualifier, share_of
from switchboard.core.router_core import RouterCore
from switchboard.core.star_codes import StarCodes
from switchboard.core.targets import TargetPolicy
from switchboard.core.timers import TimerValues
from switchboard.core.transaction_log import Store
from switchboard.core.transactions import TransactionLayer
from switchboard.core.turns import Turns
from switchboard.messages.summary import MessageSummary
from switchboard.presence.reception import PACKAGES
from switchboard.registrar.replica import Replica
from switchboard.registrar.rule_replica import RuleReplica
from switchboard.settings.hosts import Component
from switchboard.settings.local import SourceAddresses, own_domains
from switchboard.settings.model import Settings
from switchboard.settings.site import components
from switchboard.workers.media_link import make_relays
from switchboard.workers.trunk_passwords import make_trunks


class Parts(NamedTuple):
    """What the core of router `instance` uses. `key`: of seals. `authenticator`: None if everybody is believed."""

    instance: int
    key: bytes
    replica: Replica
    rules: RuleReplica
    turns: Turns
    authenticator: Authenticator | None
    failures: Failures
    source_address: SourceAddresses
    caps: Caps


def make_core(settings: Settings, parts: Parts, store: Store) -> RouterCore:
    """Return the core, which keeps in `store` what a successor needs."""
    incarnation = secrets.token_hex(3)
    policy = _make_policy(settings, parts)
    core = RouterCore(
        Environment(
            layer=TransactionLayer(
                TimerValues(settings.t1_s, settings.t2_s, settings.t4_s, settings.timer_c_s)
            ),
            policy=policy,
            branches=Branches(parts.instance, incarnation),
            source_address=parts.source_address,
            port=settings.sip_port,
            incarnation=incarnation,
            recurse=settings.recurse,
            max_forks=settings.max_forks,
            caps=parts.caps,
            admission=_make_admission(settings, parts, policy),
            asserted_domain=settings.asserted_domain,
            tcp_above=settings.tcp_above_bytes or LARGEST_SENT,
            relays=make_relays(settings, parts.key),
            diverts=settings.diversion,
            star_codes=_make_star_codes(settings),
        ),
        store,
    )
    if settings.qualify_s:
        core.proxy.qualifier = Qualifier(
            core.proxy.env,
            settings.qualify_s,
            lambda: share_of(parts.replica.users(), parts.instance, settings.routers),
        )
    return core


def make_caps(settings: Settings, replica: Replica) -> Caps:
    """Return what bounds the transactions of a router."""
    return Caps(
        replica,
        settings.max_transactions,
        settings.max_source_transactions,
        parse_networks(settings.rate_exempt),
        64 * settings.t1_s,
    )


def _make_policy(settings: Settings, parts: Parts) -> TargetPolicy:
    policy = TargetPolicy(
        own=own_domains(settings),
        locations=parts.replica,
        seals=DialogSeals(parts.key),
        open_relay=settings.relay == "open",
        users=_known_users(settings, parts.authenticator),
        keeps_messages=_keeps_messages(settings),
        trusted=Trusted(settings.trusted),
        failures=parts.failures,
        keeps_identity=settings.identity_headers == "all",
        dial_plan=settings.make_dial_plan(),
        trunks=make_trunks(settings, parts.key),
        events=_make_events(settings, parts.authenticator),
    )
    policy.planner = Planner(
        parts.rules,
        policy,
        settings.max_forks,
        settings.do_not_disturb_status,
        settings.foreign_users,
        parts.turns,
    )
    return policy


def _make_admission(settings: Settings, parts: Parts, policy: TargetPolicy) -> Admission | None:
    if parts.authenticator is None:
        return None
    return Admission(parts.authenticator, policy, settings.auth_from, settings.strangers == "call")


def _make_events(settings: Settings, authenticator: Authenticator | None) -> EventPolicy | None:
    if not (settings.presence and _has_presence(settings)):
        return None
    packages = (*PACKAGES, MessageSummary.name) if _keeps_messages(settings) else PACKAGES
    return EventPolicy(packages, authenticator.verifier.users if authenticator else None)


def _make_star_codes(settings: Settings) -> StarCodes | None:
    actions = settings.star_codes.actions
    return StarCodes(actions) if actions else None


def _known_users(settings: Settings, authenticator: Authenticator | None) -> Container[str]:
    """Those who are users though nobody has ever registered as them."""
    if authenticator is None or not _keeps_messages(settings):
        return settings.users
    return Either(settings.users, authenticator.verifier.users)


def _keeps_messages(settings: Settings) -> bool:
    return _has_presence(settings) and settings.keep_messages_days > 0


def _has_presence(settings: Settings) -> bool:
    return Component.PRESENCE in components(settings)
