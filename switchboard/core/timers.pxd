import cython

cdef int _FEW
cdef dict _ENDINGS


cdef class TimerValues:
    cdef readonly double t1, t2, t4, c, lifetime, d, first_trying


cdef class Waiting:
    cdef public dict armed


cdef class Timers:
    cdef list _heap
    cdef dict _lanes
    cdef long _order
    cdef Py_ssize_t _size, _limit
    @cython.locals(entry=tuple)
    cpdef object arm(self, Waiting owner, str letter, double when)
    cpdef object rearm(self, Waiting owner, dict armed, double now)
    cpdef object next_deadline(self)
    @cython.locals(owner=Waiting, letter=str, entry=tuple)
    cpdef tuple pop_due(self, double now)
    @cython.locals(heap=list, first=tuple)
    cdef tuple _first(self)
    cdef object _drop_disarmed(self)


@cython.locals(owner=Waiting)
cdef bint _is_armed(tuple entry) except -1
