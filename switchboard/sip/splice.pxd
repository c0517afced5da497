from switchboard.sip.message cimport Message

cdef object _RPORT, _RECEIVED, _NEXT_VALUE


cpdef bytes forward_request(Message request, object change)
cdef bytes _new_lines(Message request, object change)
cdef bytes _apply(bytes raw, list edits, Py_ssize_t end)
cpdef bytes complete_via(bytes via, bytes host, int port, bint add_received)
cpdef bytes strip_top_via(Message response)
cpdef tuple top_via_cut(Message response)
cpdef bytes make_ack(Message invite, Message response)
cpdef bytes make_cancel(Message invite, object reasons=*)
