import cython

from switchboard.core.answer cimport is_ack_of_such
from switchboard.core.branch cimport Branch
from switchboard.core.proxy_commands cimport ProxyTurn
from switchboard.core.response_context cimport ResponseContext
from switchboard.core.environment cimport Environment
from switchboard.core.forwarding cimport compose, plan
from switchboard.core.preprocess cimport Routing, preprocess
from switchboard.core.request cimport Received
from switchboard.sip.message cimport Message
from switchboard.sip._splice cimport build_response
from switchboard.sip._splice cimport top_via_cut
from switchboard.core.client_transaction cimport ClientTransaction
from switchboard.core.transaction_key cimport client_key, server_key
from switchboard.core.server_transaction cimport (
    InviteServerTransaction, NonInviteServerTransaction, ServerTransaction,
)


cdef class Proxy:
    cdef readonly Environment env
    cdef public object counters
    cpdef object receive(self, bytes raw, bytes index, object source, ProxyTurn turn)
    cpdef object next_deadline(self)
    cpdef object handle_timer(self, ProxyTurn turn)
    @cython.locals(branch=Branch)
    cdef object _receive_response(self, Message response, ProxyTurn turn)
    cdef object _receive_request(self, Received received, ProxyTurn turn)
    cdef bint _sends_away(self, Received received, ProxyTurn turn) except -1
    cdef object _process(self, Received received, ServerTransaction server, ProxyTurn turn)
    cdef object _refuse(self, Received received, ServerTransaction server, object refusal, ProxyTurn turn)
    cdef object _promise(self, Received received, ServerTransaction server, ProxyTurn turn)
    cdef object _receive_cancel(self, Received received, ServerTransaction server, ProxyTurn turn)
    cdef object _receive_ack(self, Received received, ProxyTurn turn)
    cdef object _pass_on(self, Received received, object found, Routing routing, ProxyTurn turn)
    cpdef object _send_ack(self, Received received, object found, Routing routing, object hop, ProxyTurn turn)
    cdef object _answer(self, Received received, ServerTransaction server, object answer, ProxyTurn turn)
    cdef object _note_invite(self, Received received, ProxyTurn turn)


cdef ResponseContext _context(Branch branch)
