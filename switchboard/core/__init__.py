"""The decisions of a router: transactions (RFC 3261 §17) and a proxy (§16). Time is an argument, there is no I/O."""
