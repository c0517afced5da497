"""What passed the switchboard: kept, read again, drawn and explained."""
