"""Native twins: what runs on every plain message."""
