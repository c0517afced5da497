"""Says that unacknowledged.py is compiled, and what it holds."""

cdef class Unacknowledged:
    cdef public long keep, dropped
    cdef object _items, _quiet_since
    cdef long _last, _told
    cpdef long put(self, object item) except -1
    cpdef list acknowledge(self, long number, double now)
