"""The transports of SIP: what the edge needs of each (RFC 3261 §18)."""
