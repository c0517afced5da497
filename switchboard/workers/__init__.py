"""One class a process: the bus on one side, a core on the other."""
