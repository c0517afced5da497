"""A program driven through its console: commands go in, events are awaited in what comes out."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pexpect

EVENT_S = 20.0
"""An event comes within this time, even on a busy machine."""
ASK_AGAIN_S = 0.3
QUIT_S = 5.0
_SHOWN_LINES = 40


class ConsoleError(AssertionError):
    """The program did not say what was awaited; the message has its transcript and the end of its log."""


class Console:
    """A running program and the transcript of its console.

    An event counts once: a wait for the same words goes on behind the place where the last one found them.
    So the events of several calls may come in any order.
    """

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self._name = name
        self._log = log
        self._transcript = ""
        self._past = 0
        self._found: dict[str, int] = {}
        self._child: pexpect.spawn[str] = pexpect.spawn(
            command[0],
            list(command[1:]),
            env=dict(environment),
            encoding="utf-8",
            codec_errors="replace",
            echo=False,
        )
        self._child.delaybeforesend = None

    @property
    def alive(self) -> bool:
        """Whether the program still runs."""
        return self._child.isalive()

    def say(self, command: str) -> None:
        """Type one line."""
        self._transcript += f"\n<<< {command}\n"
        try:
            self._child.sendline(command)
        except OSError as error:
            raise self._failure(f"ended before {command!r}") from error

    def wait(self, words: str, seconds: float = EVENT_S) -> re.Match[str]:
        """Return the next match of the pattern `words`; ConsoleError after `seconds` or when it ends."""
        deadline = time.monotonic() + seconds
        pattern = re.compile(words)
        while not (match := pattern.search(self._transcript, self._found.get(words, self._past))):
            if not self._read(deadline):
                raise self._failure(f"did not say {words!r} in {seconds:g} s")
        self._found[words] = match.end()
        return match

    def wait_anew(self, words: str) -> None:
        """As `wait`; what was said before is past."""
        self._past = self.wait(words).end()
        self._found.clear()

    def ask(self, question: str, words: str) -> None:
        """Give the command `question` until its answer matches `words`; ConsoleError after `EVENT_S`."""
        deadline = time.monotonic() + EVENT_S
        while time.monotonic() < deadline:
            if self._ask_once(question, words):
                return
        raise self._failure(f"did not answer {words!r} to {question!r}")

    def forget(self) -> None:
        """Later waits find only what is said from now on."""
        while self._read(0.0):
            pass
        self._past = len(self._transcript)
        self._found.clear()

    def close(self, farewell: str) -> None:
        """End the program with the command `farewell`; by force if it does not heed it."""
        try:
            self._child.sendline(farewell)
            self._child.expect(pexpect.EOF, timeout=QUIT_S)
        except (OSError, pexpect.TIMEOUT):
            self._transcript += f"\n(killed: did not heed {farewell!r})\n"
        finally:
            self._child.close(force=True)

    def kill(self) -> None:
        """End the program by SIGKILL."""
        self._child.close(force=True)

    def _ask_once(self, question: str, words: str) -> bool:
        asked_at = len(self._transcript)
        self.say(question)
        deadline = time.monotonic() + ASK_AGAIN_S
        while not re.search(words, self._transcript[asked_at:]):
            if not self._read(deadline):
                return False
        return True

    def _read(self, deadline: float) -> bool:
        """Add what the program says next to the transcript; False if that is nothing until `deadline`."""
        try:
            self._transcript += self._child.read_nonblocking(4096, max(0.0, deadline - time.monotonic()))
        except pexpect.TIMEOUT:
            return False
        except pexpect.EOF as error:
            raise self._failure("ended") from error
        return True

    def _failure(self, what: str) -> ConsoleError:
        parts = [f"{self._name} {what}; its console:", *self._transcript.splitlines()[-_SHOWN_LINES:]]
        if self._log and self._log.exists():
            lines = self._log.read_text(errors="replace").splitlines()
            parts += [f"{self._log}:", *lines[-_SHOWN_LINES:]]
        return ConsoleError("\n".join(parts))
