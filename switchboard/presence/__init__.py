"""Who watches whom, and what they are told: subscriptions (RFC 6665) and publications (RFC 3903)."""
