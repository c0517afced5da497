"""Texts to users who are not there: kept, and delivered when they register again (RFC 3428, RFC 3842)."""
