import cython

from switchboard.sip.message cimport Message
from switchboard.core.client_transaction cimport (
    ClientTransaction, InviteClientTransaction, NonInviteClientTransaction, restore_client,
)
from switchboard.core.commands cimport Turn
from switchboard.core.dormant cimport Dormant
from switchboard.core.transaction_key cimport client_key
from switchboard.core.repetitions cimport Repetitions
from switchboard.core.server_transaction cimport (
    InviteServerTransaction, NonInviteServerTransaction, ServerTransaction, restore_server,
)
from switchboard.core.timers cimport Timers, TimerValues, Waiting


cdef class TransactionLayer:
    cdef readonly TimerValues values
    cdef readonly Timers timers
    cdef readonly dict servers, clients
    cdef public Dormant dormant
    cdef readonly Repetitions repetitions
    cpdef ServerTransaction find_server(self, tuple key)
    cpdef ServerTransaction open_server(self, tuple key, object flow, object reader)
    cpdef ClientTransaction open_client(self, str branch, str method, object flow, bytes raw, object user, Turn turn)
    cpdef ServerTransaction restore_server(self, tuple fixed, tuple changing, double now)
    cpdef ClientTransaction restore_client(self, tuple fixed, tuple changing, double now, object user=*)
    cpdef ClientTransaction receive_response(self, Message response, Turn turn)
    @cython.locals(server=ServerTransaction, client=ClientTransaction)
    cpdef object let_sleep(self, object unit, list servers, list clients, object until)
    cpdef object abandon(self, ClientTransaction client)
    cpdef ClientTransaction fail(self, tuple key, object flow, Turn turn)
    cpdef object next_deadline(self)
