"""What all that is kept on PostgreSQL has in common: URLs, connections, errors in words, the schema."""
