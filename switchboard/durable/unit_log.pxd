import cython

from switchboard.proxy.units cimport base_of, edition_of, forget, is_over, state_of, units_of
from switchboard.transaction.timers cimport Waiting


cdef class _Place:
    cdef long number
    cdef int edition
    cdef bytes base, state


cdef class UnitLog:
    cdef object _log
    cdef dict _places
    cdef list _found
    cdef long _last
    @cython.locals(place=_Place)
    cpdef object save(self, object touched, double now)
    @cython.locals(place=_Place)
    cdef object _put(self, Waiting unit, double now)
    cpdef object _restore(self, object env, double now, long number)
    cdef object _read(self, long number)
    cdef object _erase(self, long number)
