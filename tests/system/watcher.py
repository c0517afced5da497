"""A phone that watches a user: its subscription (RFC 6665), and what it is told."""

from dataclasses import dataclass
from xml.etree import ElementTree

from system.dialog import Dialog
from system.sipmsg import Message
from system.user_agent import UserAgent

PIDF = "{urn:ietf:params:xml:ns:pidf}"
DIALOG_INFO = "{urn:ietf:params:xml:ns:dialog-info}"


@dataclass
class Watcher:
    """One subscription; `last` is the last NOTIFY."""

    dialog: Dialog
    event: str
    last: Message

    @classmethod
    def subscribe(cls, phone: UserAgent, uri: str, event: str, expires: int = 600) -> "Watcher":
        """Begin to watch; the first NOTIFY, which comes at once, is answered."""
        request = phone.ask("SUBSCRIBE", uri, [("Event", event), ("Expires", str(expires))])
        answer = request.expect(200)
        assert answer.get("expires") == str(expires)
        watcher = cls(Dialog.of_caller(phone, request, answer), event, answer)
        watcher.hear()
        return watcher

    def hear(self, status: int = 200) -> Message:
        """The next NOTIFY, which gets this answer."""
        notify = self.dialog.expect("NOTIFY")
        assert notify.request.get("event") == self.event
        notify.reply(status)
        self.last = notify.request
        return self.last

    def refresh(self, expires: int = 600) -> Message:
        """Ask for more time, or with 0 for no more; a NOTIFY follows."""
        request = self.dialog.start("SUBSCRIBE", [("Event", self.event), ("Expires", str(expires))])
        answer = request.expect(200)
        self.hear()
        return answer

    @property
    def state(self) -> str:
        """Subscription-State without its expiry."""
        return self.last.get("subscription-state").partition(";expires")[0]

    @property
    def basic(self) -> list[str | None]:
        """The basic statuses in the last document."""
        return [each.text for each in ElementTree.fromstring(self.last.body).iter(f"{PIDF}basic")]

    @property
    def calls(self) -> list[tuple[str | None, str | None]]:
        """Direction and state of the dialogs in the last document."""
        root = ElementTree.fromstring(self.last.body)
        return [
            (each.get("direction"), each.findtext(f"{DIALOG_INFO}state"))
            for each in root.iter(f"{DIALOG_INFO}dialog")
        ]

    def hear_until(self, *calls: tuple[str, str]) -> None:
        """Hear NOTIFYs until one tells just these dialogs: of what changes fast, not every state is told."""
        while self.calls != list(calls):
            self.hear()
