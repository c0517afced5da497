"""What every store, log and journal raises that finds a file which it cannot use."""


class UnusableFile(Exception):
    """A file on disk is damaged, of another version, or in use; the text tells people why and what to do."""
