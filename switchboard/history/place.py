"""Where the history is kept, on a switchboard of one host or of several."""

from switchboard.history.reader import HistoryReader
from switchboard.settings.components import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components, host_of, is_here

WORKER = "history.0"


def history_of(settings: Settings) -> HistoryReader:
    """A reader, which on another host than the history's tells where to ask."""
    return HistoryReader(settings.history_path, _elsewhere(settings))


def _elsewhere(settings: Settings) -> str:
    if not settings.hosts or not settings.history:
        return ""
    if Component.HISTORY not in components(settings):
        return "No host keeps a history: name history among the components of one (docs/HOSTS.md)."
    if is_here(WORKER, settings):
        return ""
    host = host_of(WORKER, settings)
    return (
        f"The history is kept on the host {host} ({settings.hosts[host].address}), and this is "
        f"{settings.here}: use `switchboard explain` and `ladder` there, or a console that runs there."
    )
