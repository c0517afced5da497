"""The settings, and where they put each process."""
