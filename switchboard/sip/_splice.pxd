"""For other compiled modules: the byte surgery of `splice.py` and `respond.py`."""

from switchboard.sip.message cimport Message


cpdef bytes forward_request(Message request, object change)
cpdef bytes strip_top_via(Message response)
cpdef tuple top_via_cut(Message response)
cpdef bytes complete_via(bytes via, bytes host, int port, bint add_received)
cpdef bytes build_response(
    Message request, int status, str reason=*, str to_tag=*, object headers=*, bytes top_via=*
)
