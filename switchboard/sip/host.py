"""How hosts are written where a port may follow (RFC 3261 §25.1: IPv6reference, hostport)."""


def bracketed(host: str) -> str:
    """Return `host`, an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def format_hop(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
