from switchboard.sip.message cimport Message

cdef str _COOKIE


cpdef tuple server_key(Message request, object via, str method=*)
cpdef tuple client_key(str branch, str method)
