"""Where messages go and come from."""
