# The way of a plain REGISTER from the frame to its 200: the twin of workers/reception.py and of what stands behind it.
#
# Plain is: one contact or none, of a user of ours, in fields as well-behaved user agents write them, in order, within
# the limits, with nothing required. The rules are those of registrar/rules.py and rebind.py; whatever else comes is
# theirs. What Python finds out of texts is remembered as facts (`facts.pxi`).

cdef extern from "arpa/inet.h":
    const char *inet_ntop(int family, const void *address, char *text, unsigned int size) nogil

cdef enum:
    IPV4 = 2  # AF_INET, AF_INET6 of Linux
    IPV6 = 10
    UDP = 1
    WSS = 5
    CONNECTION_SIZE = 9
    H_EXPIRES = 11
    H_REQUIRE = 13
    H_SUPPORTED = 14
    H_PATH = 15
    H_USER_AGENT = 17
    MOST_BINDINGS = 64
    MOST_OCTETS = 16000  # of bindings; where there are more the reference looks
    LARGEST_REGISTER = 8000
    LONGEST_USER_AGENT = 200
    SEPARATORS = 32
    NEVER_TOO_BRIEF = 3600

cdef struct Source:
    # Where a message came from. `port_at`: where the flow has its port. `connection`: nothing for UDP.
    Slice flow
    Slice connection
    Py_ssize_t port_at
    int port
    Slice host
    Slice hop  # host and port, an IPv6 address in brackets
    char text[64]

cdef struct Register:
    # A plain REGISTER. `expires`: of its header field, -1 if it has none.
    Message message
    Source source
    Slice to_uri
    Slice user
    Slice user_agent
    Wanted wanted
    bint has_contact
    bint is_outbound  # the contact is bound to a flow, and the phone knows what that is (RFC 5626)
    int64_t expires

cdef struct Bindings:
    # Of a user, those that are valid; those that stay are `kept`. `until`: of the one that is added, 0 if none is.
    Bound bound[MOST_BINDINGS]
    bint kept[MOST_BINDINGS]
    int count
    bint is_changed
    double until


cdef bint read_source(Slice flow, Source *source) noexcept nogil:
    """Read the flow of what came (sip/flow.py); False if there is none, or an address with several spellings."""
    cdef const uint8_t *at = flow.at + 1
    cdef const uint8_t *end = flow.at + flow.size
    cdef int family
    cdef int connection_size
    if flow.size < 2 or not UDP <= flow.at[0] <= WSS:
        return False
    if end - at < 2 + at[0] or (at[0] != 0 and at[0] != 4 and at[0] != 16):
        return False
    connection_size = 0 if flow.at[0] == UDP else CONNECTION_SIZE
    at += 1 + at[0]
    family = IPV4 if at[0] == 4 else IPV6
    if (at[0] != 4 and at[0] != 16) or end - at != 3 + at[0] + connection_size:
        return False
    source.connection = slice_of(end - connection_size, end)
    source.text[0] = c'['
    if inet_ntop(family, at + 1, source.text + 1, 50) == NULL:
        return False
    source.host = slice_of(<const uint8_t *>source.text + 1, <const uint8_t *>source.text + 1 + strlen(source.text + 1))
    if family == IPV6 and memchr(source.host.at, c'.', source.host.size) != NULL:
        return False  # an IPv4 address within
    at += 1 + at[0]
    source.flow, source.port_at, source.port = flow, at - flow.at, at[0] << 8 | at[1]
    _end_hop(source, family == IPV6)
    return True


cdef void _end_hop(Source *source, bint is_bracketed) noexcept nogil:
    cdef char *at = source.text + 1 + source.host.size
    if is_bracketed:
        at[0] = c']'
        at += 1
    at += snprintf(at, 8, ":%d", source.port)
    source.hop = slice_of(source.host.at - is_bracketed, <const uint8_t *>at)


cdef bint read_register(Register *register, Slice raw, Slice index) noexcept nogil:
    """Read all that a plain REGISTER says; False if it is odd."""
    cdef Message *message = &register.message
    if not 16 < raw.size <= LARGEST_REGISTER or index.size < 2 * I_FIRST or index.size % (2 * I_WIDTH):
        return False
    message.raw, message.size, message.index = raw.at, raw.size, index
    message.status = offset_in(message, I_STATUS)
    message.headers_start, message.headers_end = offset_in(message, I_HEADERS_START), offset_in(message, I_HEADERS_END)
    if message.status or not 9 <= message.headers_start <= message.headers_end <= raw.size:
        return False
    message.method_text = slice_of(raw.at, raw.at + offset_in(message, I_METHOD_END))
    return (
        is_text(message.method_text, b"REGISTER", 8)
        and _read_fields(message) and _are_printable(message) and _read_order(message) and _read_via(message)
        and _read_address(value_of(message, H_FROM), &message.from_uri, &message.from_tag)
        and _read_address(value_of(message, H_TO), &register.to_uri, &message.to_tag)
        and _read_wishes(register)
    )


cdef bint _are_printable(const Message *message) noexcept nogil:
    """Whether no field that has a number holds a control character: the reference takes some of them off."""
    cdef const Field *field
    cdef int place, at
    for place in range(message.count):
        field = &message.fields[place]
        if field.number == H_OTHER:
            continue
        for at in range(field.start, field.end):
            if message.raw[at] < 0x20 or message.raw[at] == 0x7F:
                return False
    return True


cdef bint _read_order(Message *message) noexcept nogil:
    """Call-ID and CSeq."""
    cdef Slice value = value_of(message, H_CSEQ)
    cdef const uint8_t *end = value.at + value.size
    cdef int64_t number
    cdef const uint8_t *at = _past_digits(value.at, end, 9, &number)
    message.call_id = value_of(message, H_CALL_ID)
    if at == NULL or (value.at[0] == c'0' and at - value.at > 1) or not 0 < message.call_id.size <= LONGEST_NAME:
        return False
    message.sequence = <uint32_t>number
    return end - at == 9 and memcmp(at, b" REGISTER", 9) == 0


cdef bint _read_wishes(Register *register) noexcept nogil:
    """Contact, Expires, and what would make it odd."""
    cdef Message *message = &register.message
    cdef Slice expires = value_of(message, H_EXPIRES)
    cdef Py_ssize_t at
    if (
        message.seen[H_ROUTE] or message.seen[H_REQUIRE] or message.seen[H_PATH] or message.seen[H_EXPIRES] > 1
        or message.seen[H_USER_AGENT] > 1 or message.seen[H_ACCEPT_LANGUAGE] > 1
    ):
        return False
    register.user_agent = value_of(message, H_USER_AGENT)
    if register.user_agent.size > LONGEST_USER_AGENT:
        return False
    for at in range(register.user_agent.size):
        if register.user_agent.at[at] & 0x80:
            return False
    register.expires = -1
    if message.seen[H_EXPIRES] and _past_digits(
        expires.at, expires.at + expires.size, 9, &register.expires
    ) != expires.at + expires.size:
        return False
    register.has_contact = message.seen[H_CONTACT] == 1
    if register.has_contact and not read_contact(value_of(message, H_CONTACT), &register.wanted):
        return False
    return not _wants_more(register)


cdef bint _wants_more(Register *register) noexcept nogil:
    """Whether it wants a GRUU or names one (RFC 5627), or a flow that does not lead to the phone (RFC 5626)."""
    cdef const Message *message = &register.message
    cdef Slice supported = value_of(message, H_SUPPORTED)
    register.is_outbound = False
    if message.seen[H_SUPPORTED] > 1 or _holds(supported, b"gruu", 4):
        return True
    if message.seen[H_VIA] > 1 and register.source.connection.size:
        return True
    if not register.has_contact:
        return False
    if register.wanted.reg_id.size:
        if message.seen[H_VIA] > 1:
            return True
        register.is_outbound = register.wanted.instance.size > 0 and _holds_tag(supported, b"outbound", 8)
        if not register.is_outbound and _holds(supported, b"outbound", 8):
            return True
    return _holds(register.wanted.uri, b";gr", 3)


cdef bint _holds_tag(Slice tags, const char *tag, Py_ssize_t size) noexcept nogil:
    """Whether the tag is one of a list, written in lower case."""
    cdef const uint8_t *at = tags.at
    cdef const uint8_t *end = tags.at + tags.size
    cdef const uint8_t *stop
    while at < end:
        stop = run(at, end, IN_TOKEN)
        if stop < end and stop[0] != c',':
            return False
        if is_text(slice_of(at, stop), tag, size):
            return True
        at = stop + 1
        while at < end and at[0] == c' ':
            at += 1
    return False


cdef bint _holds(Slice text, const char *part, Py_ssize_t size) noexcept nogil:
    """Whether the part, in lower case, is somewhere in the text, in any case."""
    cdef Py_ssize_t at, same_so_far = 0
    for at in range(text.size - size + 1):
        same_so_far = 0
        while same_so_far < size and _lowered[text.at[at + same_so_far]] == <uint8_t>part[same_so_far]:
            same_so_far += 1
        if same_so_far == size:
            return True
    return False


cdef bint read_bindings(Slice packed, double now_at, Bindings *bindings) noexcept nogil:
    """Read those that are valid; False if one is odd, or there are many."""
    cdef Cursor cursor
    cdef Py_ssize_t count, at
    cdef Bound *bound
    bindings.count, bindings.is_changed, bindings.until = 0, False, 0
    if packed.size == 0:
        return True
    cursor.at, cursor.end = packed.at, packed.at + packed.size
    count = read_list(&cursor)
    if not 0 <= count <= MOST_BINDINGS:
        return False
    for at in range(count):
        bound = &bindings.bound[bindings.count]
        if not read_bound(&cursor, bound):
            return False
        bindings.kept[bindings.count] = True
        bindings.count += bound.until > now_at
    return True


cdef int rebound(Register *register, Bindings *bindings, bint is_added) noexcept nogil:
    """Let those go whose place the contact takes, or which it removes (`rebind`). How many stay; -1 if that is odd."""
    cdef Message *message = &register.message
    cdef int at, alike, left = 0
    cdef Bound *bound
    cdef Slice flow = register.source.flow if register.source.connection.size else nothing()
    for at in range(bindings.count):
        bound = &bindings.bound[at]
        alike = DIFFERENT
        if register.has_contact:
            alike = meant(&register.wanted, is_added, flow, message.call_id, bound)
        if alike == UNCLEAR or (same(bound.call_id, message.call_id) and bound.cseq >= message.sequence):
            return -1  # out of order, or repeated
        bindings.kept[at] = alike == DIFFERENT
        bindings.is_changed |= alike == SAME
        left += alike == DIFFERENT
    return left


cdef bytes _seconds_of(str name):
    return b"%d" % reference("switchboard.registrar.outbound", name)


cdef class Reception:
    """Answers the REGISTERs of frames: `workers/reception.py` says how.

    `reference`: a `ReceptionInPython`, which does what is odd, for the same `registrar`.
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
        """The item that answers the one that begins here; None if it gets no answer."""
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
        """The answer to a plain REGISTER; None, and nothing has been done, if it is odd."""
        cdef Register *register = &self._register
        cdef object found
        if not (read_source(flow, &register.source) and read_register(register, raw, index)):
            return None
        if register.message.via_host.at[0] == c'[' and not is_host(register.message.via_host, register.source.host):
            return None  # it may be another spelling of the address
        self._note_key()
        found = self._answered.found(content(&self._key), now)
        if found is not None:
            self.retransmissions += 1
            return found
        if not (self._knows_user() and (self._may_change or not register.has_contact) and self._binds(now_at)):
            return None
        self._write_response(now_at)
        found = self._packed_answer()
        if self._bindings.is_changed or self._bindings.until:
            self._put_record()
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
        """The packed key of its server transaction (`server_key`)."""
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

    cdef bint _knows_user(self) except -1:
        """Whether To names a user of ours by a plain URI without parameters."""
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
        return self._is_fact("owns", plain.place)

    cdef bint _is_translated(self) except -1:
        """Whether the user agent is reached where the request came from, and not at its contact."""
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
        return self._is_fact("is_translated", plain.place)

    cdef bint _is_fact(self, str question, Slice place) except -1:
        """What the registrar says to the question, remembered by the key in `_text`."""
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

    cdef bint _binds(self, double now_at) except -1:
        """Work out what becomes of the user's bindings, and write the record of it; False if that is odd."""
        cdef Register *register = &self._register
        cdef Bindings *bindings = &self._bindings
        cdef User *user = find_user(&self._table.table, register.user)
        cdef int64_t granted = self._granted()
        cdef int left, at
        cdef Py_ssize_t octets = 0
        if granted < 0 or not read_bindings(nothing() if user == NULL else packed_of(user), now_at, bindings):
            return False
        left = rebound(register, bindings, granted > 0)
        if left < 0 or left + (granted > 0) > self._max_contacts:
            return False
        self._params.size = 0
        if granted:
            bindings.until = now_at + granted
            put_params(&self._params, &register.wanted)
            octets = register.wanted.uri.size + self._params.size + SEPARATORS
        for at in range(bindings.count):
            octets += bindings.bound[at].contact.size + bindings.bound[at].params.size + SEPARATORS
        if octets > MOST_OCTETS:
            return False
        return self._write_record(left + (granted > 0))

    cdef int64_t _granted(self) noexcept:
        """The lifetime that the contact gets (`_granted` of rebind.py); 0: it is removed, or there is none. -1: odd."""
        cdef Register *register = &self._register
        cdef int64_t expires = register.wanted.expires
        if not register.has_contact:
            return 0
        if expires < 0:
            expires = register.expires
        if expires < 0:
            return self._default_expires
        if 0 < expires < min(self._min_expires, <int64_t>NEVER_TOO_BRIEF):
            return -1
        return min(expires, self._max_expires)

    cdef bint _write_record(self, int count) except -1:
        cdef Register *register = &self._register
        cdef Bindings *bindings = &self._bindings
        cdef Buffer *to = &self._record
        cdef Message *message = &register.message
        cdef bint is_translated
        cdef int at
        to.size = 0
        pack_list(to, 2)
        pack_text(to, register.user)
        pack_list(to, count)
        for at in range(bindings.count):
            if bindings.kept[at]:
                put_slice(to, bindings.bound[at].packed)
        if bindings.until:
            is_translated = self._is_translated()
            pack_list(to, PLAIN_FIELDS + (register.source.connection.size > 0))
            pack_text(to, register.wanted.uri)
            pack_real(to, 1.0 if register.wanted.q < 0 else register.wanted.q / 1000.0)
            pack_real(to, bindings.until)
            pack_text(to, register.source.hop if is_translated else nothing())
            pack_list(to, 0)
            pack_text(to, content(&self._params))
            pack_text(to, message.call_id)
            pack_number(to, message.sequence)
            pack_text(to, register.user_agent)
            pack_text(to, register.source.hop)
            pack_text(to, message.branch)
            if register.source.connection.size:
                pack_octets(to, register.source.flow)
        return True

    cdef int _put_record(self) except -1:
        """Let the record be in force."""
        cdef Slice record = content(&self._record)
        cdef Cursor cursor
        cdef Slice user
        cursor.at, cursor.end = record.at + 1, record.at + record.size
        read_text(&cursor, &user)
        self._records.append(bytes_of(record))
        return self._table.set_user(user, slice_of(cursor.at, cursor.end), self._row)

    cdef int _write_response(self, double now_at) except -1:
        """Write the 200 (`_ok` of rules.py, `build_response`)."""
        cdef Register *register = &self._register
        cdef Message *message = &register.message
        cdef Bindings *bindings = &self._bindings
        cdef Buffer *to = &self._response
        cdef int at
        to.size = 0
        put(to, b"SIP/2.0 200 OK\r\n", 16)
        self._put_vias()
        put(to, b"From: ", 6)
        put_slice(to, value_of(message, H_FROM))
        put(to, b"\r\nTo: ", 6)
        put_slice(to, value_of(message, H_TO))
        if message.to_tag.size == 0:
            self._put_tag()
        put(to, b"\r\nCall-ID: ", 11)
        put_slice(to, message.call_id)
        put(to, b"\r\nCSeq: ", 8)
        put_slice(to, value_of(message, H_CSEQ))
        if bindings.until:
            put_contact(to, register.wanted.uri, content(&self._params), bindings.until - now_at)
        for at in range(bindings.count):
            if bindings.kept[at]:
                put_contact(to, bindings.bound[at].contact, bindings.bound[at].params, bindings.bound[at].until - now_at)
        if bindings.until and register.is_outbound:
            put(to, b"\r\nRequire: outbound\r\nFlow-Timer: ", 33)
            put_slice(to, slice_in(self._flow_timer if register.source.connection.size else self._udp_flow_timer))
        put(to, b"\r\nDate: ", 8)
        if <int64_t>now_at != self._date_second:
            self._date_second = <int64_t>now_at
            self._date = self._registrar.date(self._date_second).encode()
        put_slice(to, slice_in(self._date))
        put(to, b"\r\nContent-Length: 0\r\n\r\n", 23)
        return 0

    cdef void _put_vias(self) noexcept:
        """The top Via is completed with where the request came from (RFC 3261 §18.2.1, RFC 3581 §4)."""
        cdef Message *message = &self._register.message
        cdef Buffer *to = &self._response
        cdef const Field *field
        cdef Slice via = message.via
        cdef int at
        for at in range(message.count):
            field = &message.fields[at]
            if field.number != H_VIA:
                continue
            if at != message.first[H_VIA]:
                put(to, message.raw + field.line, line_end(message, at) - message.raw - field.line)
                continue
            put(to, message.raw + field.line, field.start - field.line)
            if message.rport:
                put(to, via.at, message.rport)
                put_octet(to, c'=')
                put_decimal(to, self._register.source.port)
                put(to, via.at + message.rport, via.size - message.rport)
            else:
                put_slice(to, via)
            if message.rport or not is_host(message.via_host, self._register.source.host):
                put(to, b";received=", 10)
                put_slice(to, self._register.source.host)
            put(to, message.raw + field.end, line_end(message, at) - message.raw - field.end)

    cdef void _put_tag(self) noexcept:
        """The tag that a retransmission would get again (`to_tag` of rules.py)."""
        cdef Message *message = &self._register.message
        cdef Blake2s sum
        cdef uint8_t octets[4]
        self._text.size = 0
        put_slice(&self._text, message.call_id)
        put_octet(&self._text, 0)
        put_decimal(&self._text, message.sequence)
        put_octet(&self._text, 0)
        put_slice(&self._text, message.branch)
        begin_sum(
            &sum, <const uint8_t *>PyBytes_AS_STRING(self._secret), <int>PyBytes_GET_SIZE(self._secret),
            <const uint8_t *>b"to-tag\0\0", 4,
        )
        add_to_sum(&sum, content(&self._text))
        end_sum(&sum, octets, 4)
        put(&self._response, b";tag=", 5)
        put_hexadecimal(
            &self._response, <uint64_t>octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3], 8
        )

    cdef bytes _packed_answer(self):
        """The item of sip.translate, to where the top Via says (`response_address`)."""
        cdef Register *register = &self._register
        cdef Source *source = &register.source
        cdef Buffer *to = &self._item
        self._text.size = to.size = 0
        put_slice(&self._text, source.flow)
        if not (register.message.rport or source.connection.size):
            self._text.data[source.port_at] = <uint8_t>(register.message.port >> 8)
            self._text.data[source.port_at + 1] = <uint8_t>register.message.port
        pack_list(to, 4)
        pack_octets(to, content(&self._text))
        pack_octets(to, content(&self._response))
        pack_text(to, register.user)
        pack_text(to, value_of(&register.message, H_ACCEPT_LANGUAGE))
        if to.failed or self._response.failed or self._text.failed or self._record.failed or self._key.failed:
            raise MemoryError
        return bytes_of(content(to))


cdef inline bint is_host(Slice named, Slice host) noexcept nogil:
    """Whether the host of a Via, perhaps in brackets, is this one."""
    if named.size > 2 and named.at[0] == c'[':
        return named.size == host.size + 2 and memcmp(named.at + 1, host.at, host.size) == 0
    return same(named, host)


cdef void put_contact(Buffer *to, Slice contact, Slice params, double left_s) noexcept nogil:
    put(to, b"\r\nContact: <", 12)
    put_slice(to, contact)
    put_octet(to, c'>')
    put_slice(to, params)
    put(to, b";expires=", 9)
    put_decimal(to, max(<int64_t>1, <int64_t>rint(left_s)))
