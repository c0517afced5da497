"""Compiled twin of `note` in `transports/stream_states.py`: a kill between two stores leaves a state right, or none."""

cdef packed struct StateHead:
    uint64_t count
    unsigned char size


def note(unsigned char[::1] memory not None, Py_ssize_t first, Py_ssize_t second, uint64_t count, bytes state not None):
    """Do the same as `note_in_python`."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(state)
    cdef StateHead *one
    cdef StateHead *other
    if not 0 <= first < second <= memory.shape[0] - <Py_ssize_t>sizeof(StateHead) - size or size > second - first:
        raise ValueError("no place for a state")
    one, other = <StateHead *>&memory[first], <StateHead *>&memory[second]
    if one.size and (not other.size or one.count >= other.count):
        one = other
    one.size = 0
    atomic_signal_fence(memory_order_seq_cst)
    memcpy(<unsigned char *>one + sizeof(StateHead), PyBytes_AS_STRING(state), size)
    one.count = count
    atomic_signal_fence(memory_order_seq_cst)
    one.size = <unsigned char>size
    atomic_signal_fence(memory_order_seq_cst)
