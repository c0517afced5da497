import cython

from switchboard.sip.message cimport Message
from switchboard.core.commands cimport Turn
from switchboard.core.timers cimport Timers, TimerValues, Waiting

cdef int _TRYING, _PROCEEDING, _COMPLETED, _ACCEPTED, _TERMINATED


cdef class ClientTransaction(Waiting):
    cdef readonly tuple key
    cdef readonly object flow
    cdef readonly bytes raw
    cdef public object user
    cdef public int state
    cdef double _interval
    cdef Timers _timers
    cdef TimerValues _values
    cpdef tuple fixed(self)
    cpdef tuple changing(self)
    cpdef object start(self, Turn turn)
    cpdef bint receive(self, Message response, Turn turn) except? -1
    cpdef bint fire(self, str letter, Turn turn) except? -1
    cpdef bint fail(self, Turn turn) except? -1
    cpdef object skip(self, Turn turn)
    cdef object _retransmit(self, Turn turn)
    cpdef object _wait(self, Turn turn)
    cdef object _finish(self, int state, str letter, double after, Turn turn)
    cdef object _send(self, Turn turn)
    cpdef object end(self)


cdef class InviteClientTransaction(ClientTransaction):
    cdef object _acknowledge(self, Message response, Turn turn)


cdef class NonInviteClientTransaction(ClientTransaction):
    pass


@cython.locals(transaction=ClientTransaction)
cpdef ClientTransaction restore_client(
    tuple fixed, tuple changing, Timers timers, TimerValues values, double now, object user=*
)
