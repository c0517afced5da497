"""Says that outbox.py is compiled, and what it holds."""

cdef class Outbox:
    cdef public object peer
    cdef public str subject
    cdef public long keep, sent, dropped
    cdef public list _items
    cdef bint _blocked

cdef class PackedOutbox(Outbox):
    pass
