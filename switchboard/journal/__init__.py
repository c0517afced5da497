"""Call events, folded into call detail records."""
