from switchboard.sip.message cimport Message


cdef class Registrar:
    cdef object _authenticator, _store, _is_own, _policy
    cdef readonly object answers
    cdef bytes _secret
    cdef readonly long displaced
    cdef list _displaced
    cpdef object process(self, Message request, tuple source, double now_at)
    cpdef list bindings(self, str user, double now_at)
    cdef str _user(self, Message request)
    cdef bytes _register(self, str user, Message request, tuple source, double now_at)
    cdef bytes _ok(self, Message request, object update, list wanted, double now_at)
    cdef str _to_tag(self, Message request)


cdef object _check_require(Message request)
cdef object _address_of_record(Message request)
cdef str _format_contact(object binding, double now_at)
