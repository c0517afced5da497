import cython


cdef class Dormant:
    cdef readonly dict servers, clients
    cdef object _restore, _end, _lane
    cdef dict _units
    cdef list _heap
    @cython.locals(sleeper=tuple)
    cpdef object add(self, object unit, object servers, object clients, object due, object ends=*)
    cpdef object meet_server(self, tuple key)
    cpdef object meet_client(self, tuple key)
    @cython.locals(first=tuple)
    cpdef object meet_due(self, double now)
    @cython.locals(first=tuple)
    cpdef object next_deadline(self)
    cdef object _take(self, object unit)
    @cython.locals(heap=list)
    cdef tuple _first(self)
