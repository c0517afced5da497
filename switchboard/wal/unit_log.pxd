import cython

from switchboard.core.units cimport base_of, edition_of, forget, is_over, settled, state_of, units_of
from switchboard.core.transactions cimport TransactionLayer
from switchboard.core.timers cimport Waiting


cdef class _Place:
    cdef long number
    cdef int edition
    cdef bytes base, state


cdef class UnitLog:
    cdef object _log
    cdef dict _places
    cdef list _found
    cdef long _last
    cdef TransactionLayer _layer
    @cython.locals(place=_Place)
    cpdef object save(self, object touched, double now)
    @cython.locals(place=_Place)
    cdef object _put(self, Waiting unit, double now)
    cpdef object _restore(self, object env, double now, long number)
    @cython.locals(rest=tuple, place=_Place)
    cdef object _let_sleep(self, Waiting unit)
    cdef object _read(self, long number)
    cpdef object _erase(self, long number)
