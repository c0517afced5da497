"""What every store, log and journal raises that cannot use its file or server, or not write to it."""


class UnusableFile(Exception):
    """A file on disk is damaged, of another version, or in use; the text tells people why and what to do."""

    is_of_another_version = False


class RemoteError(Exception):
    """A server that others run cannot be used now; the text is for people. What was to be changed may have been.

    `number`: of the system's errors, the one that is most like it.
    """

    def __init__(self, text: str, number: int) -> None:
        super().__init__(text)
        self.number = number


class NotWritten(Exception):
    """What was to be kept could not be written, and has not happened; the text tells people why."""
