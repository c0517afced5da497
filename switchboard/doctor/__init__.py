"""Looks at a set-up as an expert would: `probe` gathers facts, the checks judge them and touch nothing."""
