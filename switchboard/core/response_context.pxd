import cython

from switchboard.core.branch cimport Branch, restore_branch
from switchboard.core.proxy_commands cimport ProxyTurn
from switchboard.core.environment cimport Environment
from switchboard.core.forwarding cimport compose, plan
from switchboard.core.preprocess cimport Routing
from switchboard.core.request cimport Received
from switchboard.core.session_timer cimport session_expires_s
from switchboard.core.target cimport by_priority
from switchboard.sip.message cimport Message
from switchboard.sip._splice cimport build_response
from switchboard.sip._splice cimport strip_top_via
from switchboard.core.server_transaction cimport ServerTransaction


cdef class ResponseContext:
    cdef readonly ServerTransaction server
    cdef readonly int edition
    cdef Environment _env
    cdef Received _received
    cdef Routing _routing
    cdef list _branches, _groups
    cdef set _tried, _answers
    cdef dict _led
    cdef bint _cancelled, _rang
    cdef object _unplanned
    @cython.locals(branch=Branch)
    cpdef bint is_alive(self) except -1
    @cython.locals(branch=Branch)
    cpdef tuple fixed(self)
    @cython.locals(branch=Branch)
    cpdef tuple changing(self)
    @cython.locals(branch=Branch)
    cpdef list lingering(self)
    @cython.locals(branch=Branch)
    cpdef object dissolve(self)
    @cython.locals(branch=Branch)
    cpdef object resume(self, ProxyTurn turn)
    cpdef object start(self, list targets, ProxyTurn turn)
    cpdef object receive(self, Branch branch, Message response, ProxyTurn turn)
    cpdef object time_out(self, Branch branch, ProxyTurn turn)
    cpdef object fail_to_deliver(self, Branch branch, ProxyTurn turn)
    cpdef object fire(self, Branch branch, str letter, ProxyTurn turn)
    cpdef object cancel(self, object reasons, ProxyTurn turn)
    cdef bint _add(self, list targets) except -1
    @cython.locals(branch=Branch)
    cdef int _used(self) except -1
    cdef object _settle(self, ProxyTurn turn)
    @cython.locals(branch=Branch)
    cdef bint _is_pending(self) except -1
    @cython.locals(branch=Branch)
    cdef object _start_group(self, list group, ProxyTurn turn)
    cdef Branch _make_branch(self, object target, int breadth)
    cdef object _resolve(self, Branch branch, ProxyTurn turn)
    cpdef object _send(self, Branch branch, object hop, ProxyTurn turn)
    cdef object _receive_provisional(self, Branch branch, Message response, ProxyTurn turn)
    cdef object _give_up(self, Branch branch, int status, ProxyTurn turn)
    cdef list _added_lines(self, Branch branch, object flow)
    cdef object _succeed(self, Branch branch, Message response, ProxyTurn turn)
    cdef object _fail(self, Branch branch, Message response, ProxyTurn turn)
    @cython.locals(branch=Branch)
    cdef object _cancel_rest(self, ProxyTurn turn, object reasons=*)
    cdef object _send_best(self, ProxyTurn turn)
    cdef bint _must_not_pass(self, int status) except -1
    cdef object _answer_ourselves(self, int status, ProxyTurn turn)
    @cython.locals(branch=Branch)
    cdef list _candidates(self)
    cdef object _relay(self, Message response, ProxyTurn turn, Branch branch=*)
    cdef object _note_ringing(self, int status, ProxyTurn turn)
    cdef object _note_success(self, Message response, ProxyTurn turn)
    cdef object _note_bye(self, int status, ProxyTurn turn)


@cython.locals(context=ResponseContext)
cpdef ResponseContext restore_context(
    Environment env, ServerTransaction server, tuple fixed, tuple changing, double now
)
