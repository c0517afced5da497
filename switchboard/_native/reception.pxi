# The way of a plain REGISTER from the frame to its 200: the twin of workers/reception.py and the rules behind it.
#
# Theory. Nearly every REGISTER of a running system is a refresh: one contact, the same as before, with a new lifetime.
# It needs no object of Python. It is read in place (`register_reading.pxi`), compared with the packed bindings of its
# user, and answered; the new record is packed from the octets of the request and of the old record
# (`register_binding.pxi`, `register_answer.pxi`). The batch's commit, by the worker, makes the records durable before
# an answer leaves.
#
# A REGISTER is plain if it has at most one contact, of a user of ours, in fields as well-behaved user agents write
# them, in order, within the limits, and without Require. The rules are those of registrar/rules.py and rebind.py. Any
# other REGISTER is odd, and is left to them unchanged. Answers of Python to questions about texts are remembered as
# facts (`facts.pxi`).

include "register_reading.pxi"
include "register_binding.pxi"
include "register_answer.pxi"


cdef bytes _seconds_of(str name):
    return b"%d" % reference("switchboard.registrar.outbound", name)


cdef class Reception:
    """Answers the REGISTERs of frames; `workers/reception.py` documents the methods.

    `reference`: a `ReceptionInPython` of the same `registrar`, which takes the odd ones.
    """

    cdef readonly uint64_t replied, retransmissions
    cdef object _stamp, _reference, _registrar, _store
    cdef UserTable _table
    cdef list _records  # of the batch
    cdef int64_t _row
    cdef bint _may_change
    cdef Answered _answered
    cdef bytes _secret, _date, _flow_timer, _udp_flow_timer
    cdef int64_t _date_second, _min_expires, _max_expires, _default_expires
    cdef Py_ssize_t _max_contacts
    cdef Facts _facts
    cdef Register _register
    cdef Bindings _bindings
    cdef Buffer _key, _text, _params, _record, _response, _item

    def __cinit__(self):
        if not open_facts(&self._facts):
            raise MemoryError

    def __init__(self, reference, registrar):
        policy = registrar.policy
        self._reference, self._registrar, self._store = reference, registrar, registrar.store
        self._answered, self._secret = reference.answered, registrar.secret
        self._date, self._date_second = b"", -1
        self._flow_timer, self._udp_flow_timer = _seconds_of("FLOW_TIMER_S"), _seconds_of("UDP_FLOW_TIMER_S")
        self._min_expires, self._max_expires = policy.min_expires, policy.max_expires
        self._default_expires, self._max_contacts = policy.default_expires, policy.max_contacts

    def __dealloc__(self):
        close_facts(&self._facts)
        for data in (
            <uintptr_t>self._key.data, <uintptr_t>self._text.data, <uintptr_t>self._params.data,
            <uintptr_t>self._record.data, <uintptr_t>self._response.data, <uintptr_t>self._item.data,
        ):
            free(<void *><uintptr_t>data)

    def stats(self):
        counters = self._reference.stats()
        counters["replied"] += self.replied
        counters["retransmissions"] += self.retransmissions
        return counters

    def purge(self, double now):
        self._answered.purge(now)

    def begin(self):
        self._answered.begin()

    def undo(self):
        self._answered.undo()
        self._reference.forget_registered()
        forget_facts(&self._facts)

    def take_sources(self):
        return self._reference.take_sources()

    def take_stamp(self):
        stamp, self._stamp = self._stamp, None
        return stamp

    def take(self, bytes frame not None, Py_ssize_t start, double now, double now_at):
        cdef Cursor cursor
        cdef Py_ssize_t count, at
        cdef double stamp = 0
        cdef list items = []
        cdef object item
        if not 0 <= start <= PyBytes_GET_SIZE(frame):
            raise _codec_error("no list")
        cursor.at = <const uint8_t *>PyBytes_AS_STRING(frame) + start
        cursor.end = <const uint8_t *>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(frame)
        self._table, self._records, self._row = self._store.table, self._store.records, self._store.number + 1
        self._may_change = not self._store.writing.error
        count = read_list(&cursor)
        for at in range(count):
            if read_real(&cursor, &stamp):
                self._stamp = stamp
                continue
            item = self._answer_to_next(&cursor, now, now_at)
            if item is not None:
                items.append(item)
        if count < 0 or cursor.at != cursor.end:
            raise _codec_error("no list")
        return items

    cdef object _answer_to_next(self, Cursor *cursor, double now, double now_at):
        """Return the item that answers the next item of the frame; None if it gets no answer."""
        cdef const uint8_t *start = cursor.at
        cdef Slice flow, index, raw
        cdef object item
        if (
            read_list(cursor) == 3 and read_octets(cursor, &flow) and read_octets(cursor, &index)
            and read_octets(cursor, &raw)
        ):
            item = self._serve(flow, index, raw, now, now_at)
            if item is not None:
                return item
        cursor.at = start
        if not skip(cursor, 0):
            raise _codec_error("no item")
        item = reference("switchboard.codec", "unpack")(bytes_of(slice_of(start, cursor.at)))
        return self._reference.answer(item, now, now_at)

    cdef object _serve(self, Slice flow, Slice index, Slice raw, double now, double now_at):
        """Return the answer to a plain REGISTER. None: it is odd, and nothing has changed."""
        cdef Register *register = &self._register
        cdef object found
        if not (read_source(flow, &register.source) and read_register(register, raw, index)):
            return None
        if register.message.via_host.at[0] == c'[' and not is_host(register.message.via_host, register.source.host):
            return None  # the two may be spellings of one address
        self._note_key()
        found = self._answered.found(content(&self._key), now)
        if found is not None:
            self.retransmissions += 1
            return found
        if not (_knows_user(self) and (self._may_change or not register.has_contact) and _binds(self, now_at)):
            return None
        _write_response(self, now_at)
        found = _packed_answer(self)
        if self._bindings.is_changed or self._bindings.until:
            _put_record(self)
            if register.source.connection.size:
                self._registrar.tell_bound(text_of(register.user), bytes_of(flow))
        self._answered.keep(content(&self._key), found, now)
        if not register.source.connection.size:
            self._note_registered(flow, now)
        self.replied += 1
        return found

    cdef int _note_registered(self, Slice flow, double now) except -1:
        cdef double until
        self._text.size = 0
        put(&self._text, b"src", 3)
        put_slice(&self._text, flow)
        if find_fact(&self._facts, content(&self._text), now) == NULL:
            until = self._reference.note_registered(bytes_of(flow), now)
            learn_fact(&self._facts, content(&self._text), nothing(), until)
        return 0

    cdef void _note_key(self) noexcept:
        """Write the packed key of the server transaction (`server_key`) to `_key`."""
        cdef Message *message = &self._register.message
        cdef Py_ssize_t at
        self._text.size = self._key.size = 0
        for at in range(message.branch.size):
            put_octet(&self._text, _lowered[message.branch.at[at]])
        pack_list(&self._key, 4)
        pack_text(&self._key, content(&self._text))
        pack_text(&self._key, message.via_host)
        pack_number(&self._key, message.port)
        pack_text(&self._key, message.method_text)
        put_slice(&self._key, self._register.source.connection)


cdef bint _knows_user(Reception self) except -1:
    """Whether To is a plain URI, without parameters, of a user of our domains."""
    cdef Register *register = &self._register
    cdef PlainUri plain
    cdef Slice uri = register.to_uri
    if not read_plain_uri(uri, &plain) or plain.user.size == 0:
        return False
    if plain.place.at + plain.place.size != uri.at + uri.size:
        return False
    register.user = plain.user
    self._text.size = 0
    put(&self._text, b"own", 4)
    put_slice(&self._text, plain.place)
    return _is_fact(self, "owns", plain.place)


cdef bint _is_translated(Reception self) except -1:
    """Whether the user agent is reached at the source of the request instead of its contact."""
    cdef Register *register = &self._register
    cdef PlainUri *plain = &register.wanted.plain
    if same(plain.host, register.source.host):
        return False
    self._text.size = 0
    put(&self._text, b"far", 4)
    put_slice(&self._text, plain.place)
    put_octet(&self._text, 0)
    put_slice(&self._text, register.message.via_host)
    put_octet(&self._text, 0)
    put_slice(&self._text, register.source.host)
    return _is_fact(self, "is_translated", plain.place)


cdef bint _is_fact(Reception self, str question, Slice place) except -1:
    """Ask the registrar, or remember its answer, which is kept under the key in `_text`."""
    cdef Fact *fact = find_fact(&self._facts, content(&self._text), 0)
    cdef uint8_t answer[3]
    cdef list about
    if fact == NULL:
        about = [text_of(place)]
        if question == "is_translated":
            about += [text_of(self._register.message.via_host), text_of(self._register.source.host)]
        answer[0], answer[1], answer[2] = 0, 1, getattr(self._registrar, question)(*about)
        fact = learn_fact(
            &self._facts, content(&self._text), slice_of(answer, answer + 3), 0
        )
        if fact == NULL:
            raise MemoryError
    return field_of(fact, 0).at[0]
