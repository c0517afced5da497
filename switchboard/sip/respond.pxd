from switchboard.sip.message cimport Message
from switchboard.sip.splice cimport complete_via


cpdef bytes build_response(
    Message request, int status, str reason=*, str to_tag=*, object headers=*, bytes top_via=*
)
cdef list _vias(Message request, bytes top_via)
cdef bytes _to_line(Message request, int status, str to_tag)
cpdef bytes received_via(Message request, object source)
cdef bytes _complete(bytes value, object via, object source)
cpdef object response_address(Message request, object source)
cdef object _reply_to(object via, object source)
cdef bint _same_host(str host, str source) except -1
