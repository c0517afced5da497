from switchboard.core.proxy_commands cimport ProxyTurn
from switchboard.core.loop cimport Branches
from switchboard.core.unconfirmed cimport Unconfirmed
from switchboard.core.transactions cimport TransactionLayer


cdef class Environment:
    cdef readonly TransactionLayer layer
    cdef readonly Branches branches
    cdef readonly object policy, facing
    cdef readonly int port
    cdef readonly str incarnation, asserted_domain
    cdef readonly bint recurse
    cdef readonly int max_forks
    cdef readonly object caps, admission, answers
    cdef readonly dict waiting
    cdef readonly Unconfirmed unconfirmed
    cdef long _tags
    cpdef str make_tag(self)
    cpdef object flow_for(self, object plan, object hop)
    cdef object _flow_to(self, object hop, str local)
    cpdef object ask(self, object lookup, object then, ProxyTurn turn)
