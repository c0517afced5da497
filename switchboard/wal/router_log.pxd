from switchboard.bus.unacknowledged cimport Unacknowledged
from switchboard.wal.keyed_log cimport KeyedLog
from switchboard.wal.unit_log cimport UnitLog
from switchboard.core.proxy_commands cimport ProxyTurn


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
