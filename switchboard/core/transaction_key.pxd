from switchboard.sip.message cimport Message
from switchboard.sip.via cimport Via

cdef str _COOKIE


cpdef tuple server_key(Message request, Via via, str method=*)
cpdef tuple client_key(str branch, str method)
