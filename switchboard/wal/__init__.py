"""What a router keeps for its successor."""
