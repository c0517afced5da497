"""Who may send at all: limits of rate, access lists, scanners; before anything is routed, without I/O."""
