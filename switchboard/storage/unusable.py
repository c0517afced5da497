"""What every store, log and journal raises that finds a file which it cannot use, or not write to."""


class UnusableFile(Exception):
    """A file on disk is damaged, of another version, or in use; the text tells people why and what to do."""

    is_of_another_version = False


class NotWritten(Exception):
    """What was to be kept could not be written, and has not happened; the text tells people why."""
