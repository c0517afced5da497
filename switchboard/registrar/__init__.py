"""The registrar's rules (RFC 3261 §10), what it keeps, and the copies of that in the routers."""
