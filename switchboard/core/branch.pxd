import cython

from switchboard.core.client_transaction cimport ClientTransaction
from switchboard.core.commands cimport Turn
from switchboard.core.transactions cimport TransactionLayer
from switchboard.core.timers cimport Waiting


cdef class Branch(Waiting):
    cdef readonly object context
    cdef readonly TransactionLayer layer
    cdef readonly object plan
    cdef readonly int breadth
    cdef public ClientTransaction client
    cdef public object final
    cdef public bint given_up, redirected
    cdef bint _cancel_wanted
    cdef object _reasons
    cpdef tuple fixed(self)
    cpdef tuple changing(self, bint whole)
    cpdef object watch(self, double now)
    cpdef object end(self, object final)
    cpdef object cancel(self, Turn turn, object reasons=*)
    cpdef object send_held_cancel(self, Turn turn)


@cython.locals(branch=Branch)
cpdef Branch restore_branch(object context, TransactionLayer layer, tuple fixed, tuple changing, double now)
