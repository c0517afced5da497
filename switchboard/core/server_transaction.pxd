import cython

from switchboard.core.commands cimport Turn
from switchboard.core.timers cimport Timers, TimerValues, Waiting

cdef int _TRYING, _PROCEEDING, _COMPLETED, _CONFIRMED, _ACCEPTED, _TERMINATED


cdef class ServerTransaction(Waiting):
    cdef readonly tuple key
    cdef readonly object flow, reader
    cdef public bytes last, trying
    cdef public object user
    cdef public int state
    cdef double _interval
    cdef Timers _timers
    cdef TimerValues _values
    cpdef tuple fixed(self)
    cpdef tuple changing(self)
    cpdef object repeat(self, Turn turn)
    cpdef object respond(self, int status, bytes raw, Turn turn)
    cpdef object fire(self, str letter, Turn turn)
    cdef object _send(self, bytes raw, Turn turn)
    cdef object _terminate(self)


cdef class InviteServerTransaction(ServerTransaction):
    cpdef bint acknowledge(self, Turn turn) except? -1
    cdef object _accept(self, Turn turn)
    cdef object _complete(self, Turn turn, bint repeat)


cdef class NonInviteServerTransaction(ServerTransaction):
    cpdef object expect(self, bytes trying, Turn turn)


@cython.locals(transaction=ServerTransaction)
cpdef ServerTransaction restore_server(
    tuple fixed, tuple changing, Timers timers, TimerValues values, double now
)
