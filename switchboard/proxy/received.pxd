from switchboard.proxy.domains cimport OwnDomains
from switchboard.proxy.loop cimport own_passes
from switchboard.sip.message cimport Message
from switchboard.sip.respond cimport received_via, response_address


cdef class Received:
    cdef readonly Message message
    cdef readonly str method
    cdef readonly object source, via
    cdef readonly bint is_in_dialog
    cdef OwnDomains _own
    cdef bytes _completed_via
    cdef str _routing_hash, _caller
    cdef list _passes
    cpdef tuple saved(self)


cdef str _address_of_record(str text)
