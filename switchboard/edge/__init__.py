"""What comes from the network: who may send, and whose business it is."""
