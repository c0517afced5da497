import cython

from switchboard.core.branch cimport Branch
from switchboard.core.response_context cimport ResponseContext, restore_context
from switchboard.core.client_transaction cimport ClientTransaction
from switchboard.core.server_transaction cimport ServerTransaction
from switchboard.core.timers cimport Waiting


@cython.locals(client=ClientTransaction, branch=Branch, context=ResponseContext)
cdef Waiting _unit_of(object transaction)
cpdef dict units_of(object touched)
cpdef bint is_over(Waiting unit) except -1
@cython.locals(context=ResponseContext)
cpdef int edition_of(Waiting unit) except -1
cpdef tuple base_of(Waiting unit)
cpdef tuple state_of(Waiting unit, double now)
@cython.locals(part=Waiting, until=double)
cpdef tuple settled(Waiting unit)
@cython.locals(context=ResponseContext, server=ServerTransaction, clients=list)
cdef tuple _transactions_of(Waiting unit)
cpdef object forget(Waiting unit)
cdef ResponseContext _context_of(Waiting unit)
