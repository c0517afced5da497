"""Trunks: accounts at providers, as whose user agent the switchboard registers (RFC 3261 §10)."""
