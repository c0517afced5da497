"""The location service: the registrar's rules, its store, and the routers' copy (RFC 3261 §10)."""
