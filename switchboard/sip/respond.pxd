from switchboard.sip.message cimport Message
from switchboard.sip._splice cimport complete_via


cpdef bytes received_via(Message request, object source)
cpdef bytes complete_value(bytes value, object via, object source)
cpdef object response_address(Message request, object source)
cpdef object reply_to(object via, object source)
cdef bint _same_host(str host, str source) except -1
