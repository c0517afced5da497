"""Ingress: which sources may send, and which worker gets each message."""
