from switchboard.bus.unacknowledged cimport Unacknowledged
from switchboard.durable.keyed_log cimport KeyedLog
from switchboard.durable.unit_log cimport UnitLog
from switchboard.proxy.commands cimport ProxyTurn


cdef class RouterLog:
    cdef KeyedLog _log
    cdef UnitLog _units
    cdef dict _touched
    cdef readonly Unacknowledged events
    cdef readonly str series
    cdef readonly list nonces
    cpdef object note(self, ProxyTurn turn)
    cpdef object acknowledge(self, str series, long number, double now)
    cpdef object commit(self, double now)
    cdef object _put_event(self, list item)
