"""The compiled core: extension modules that take over what is slow in Python, where they could be built."""
