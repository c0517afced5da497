"""The processes of a switchboard: who starts them, follows them and looks after them."""
