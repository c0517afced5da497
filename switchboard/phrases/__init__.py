"""Reason phrases in the languages of the people who read them (RFC 3261 §7.2, §20.3)."""
