"""The web console: sees and steers a switchboard from a browser. No call needs it."""
