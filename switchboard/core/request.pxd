import cython

from switchboard.core.domains cimport OwnDomains
from switchboard.core.loop cimport own_passes
from switchboard.sip.message cimport Message
from switchboard.sip.respond cimport received_via, response_address
from switchboard.sip.uri cimport SipUri, parse_uri
from switchboard.sip.via cimport Via
from switchboard.core.transaction_key cimport server_key


cdef class Received:
    cdef readonly Message message
    cdef readonly str method
    cdef readonly object source
    cdef readonly Via via
    cdef readonly tuple key
    cdef readonly bint is_in_dialog
    cdef OwnDomains _own
    cdef bytes _completed_via
    cdef str _routing_hash, _caller, _callee
    cdef list _passes
    cpdef tuple saved(self)
    cpdef bint owns(self, SipUri uri) except -1


@cython.locals(uri=SipUri)
cdef str _user_of(str text, OwnDomains own)
cdef str _address_of_record(str text)
