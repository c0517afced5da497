"""Looks at a set-up as a helper would: `probe` gathers facts, the checks judge them and touch nothing."""
