"""Compiled twin of `ingress.py`: from the kernel's buffer to the packed item, one object a datagram.

Well-formed messages are its business; whatever else comes it gives to the reference, after all that came before.
"""

cdef enum:
    LEAVE_TO_REFERENCE = -1
    ENDS_HERE = -2
    SENT_AWAY = -4
    NO_ROUTER = -1
    MOST_ROUTER_DIGITS = 3
    MOST_SCANNERS = 100
    FIRST_LETTERS = 4  # of a scanner's User-Agent: enough to leave it to the reference
    DATAGRAMS = 64
    SLOTS = 1024  # a power of two
    SLOTS_OF_CALLS = 16384
    NUMBERS_OF_ROUTERS = 1000  # as many as MOST_ROUTER_DIGITS allow
    LOWER_CASE = 0x20202020
    ADDRESS_ROOM = 1 + 127  # a packed address

cdef enum Place:
    # a message within a dialog between two phones
    GOES_ON
    BEGINS
    ODD_PLACE

cdef struct Heard:
    # a known source; `_kept` of the ingress holds the objects that it points to
    Py_ssize_t size
    unsigned char host[ADDRESS_ROOM]  # as it is packed
    void *text
    void *source

cdef bytes _PREFIX = b""
cdef bytes _TAG = b""
cdef bytes _TAG_PARAM = b""
cdef long _REGISTRAR = -1
cdef object _unpack_flow = None
cdef uint32_t _crc_table[256]


cdef int _know_names() except -1:
    global _PREFIX, _TAG, _TAG_PARAM, _REGISTRAR, _unpack_flow
    _PREFIX = reference("switchboard.sip.dispatch", "BRANCH_PREFIX").encode()
    _REGISTRAR = reference("switchboard.sip.dispatch", "REGISTRAR")
    _TAG = reference("switchboard.core.refusal", "TAG").encode()
    _TAG_PARAM = b";tag=" + _TAG
    _unpack_flow = reference("switchboard.sip.flow", "Flow").unpack
    if DATAGRAMS != reference("switchboard.edge.ingress", "DATAGRAMS_A_ROUND"):
        raise ValueError("the compiled ingress was built for another number of datagrams a round")
    if SLOTS_OF_CALLS != reference("switchboard.sip.shares", "SLOTS"):
        raise ValueError("the compiled ingress was built for another number of slots")
    if NUMBERS_OF_ROUTERS != reference("switchboard.sip.dispatch", "MOST_NUMBERS"):
        raise ValueError("the compiled ingress was built for another number of routers")
    return 0


def _fill_table():
    cdef uint32_t remainder
    cdef int octet
    for octet in range(256):
        remainder = octet
        for _ in range(8):
            remainder = remainder >> 1 ^ (<uint32_t>0xedb88320 if remainder & 1 else 0)
        _crc_table[octet] = remainder


_fill_table()


cdef class Ingress:
    """Sorts datagrams into the outboxes: one a router by number, those of the registrars from the last to the first,
    edge-tx's.

    `asked`: whether the reference was, or a source was not heard, since that was reset.
    """

    cdef public bint asked
    cdef Receiver _receiver
    cdef uint16_t *_index
    cdef object _dispatcher, _reference, _edge_filter
    cdef list _outboxes, _waiting
    cdef Py_ssize_t _registrar, _routers, _messages, _largest, _longest_index
    cdef dict _held
    cdef const unsigned char[::1] _table
    cdef const unsigned char[::1] _registrar_table
    cdef bint _has_registrars  # several
    cdef const short[::1] _ways
    cdef object _sources, _admission_control
    cdef Heard *_slots
    cdef list _kept
    cdef uint32_t _scanners[MOST_SCANNERS]
    cdef Py_ssize_t _scanner_count

    def __cinit__(self):
        self._index = <uint16_t *>malloc(longest_index() * sizeof(uint16_t))
        self._slots = <Heard *>calloc(SLOTS, sizeof(Heard))
        if self._index == NULL or self._slots == NULL:
            raise MemoryError

    def __init__(self, dispatcher, edge_filter, outboxes, *form):
        _know_names()
        self._receiver = Receiver(reference("socket", "inet_aton")(edge_filter.policy.advertised or "0.0.0.0"))
        self._dispatcher = dispatcher
        make_reference = reference("switchboard.edge.ingress", "IngressInPython")
        self._reference = make_reference(dispatcher, edge_filter, outboxes, *form)
        self._edge_filter = edge_filter
        self._sources = edge_filter.sources
        self._admission_control = edge_filter.admission_control
        self._largest = edge_filter.policy.largest
        self._longest_index = FIRST_HEADER + HEADER_WIDTH * edge_filter.policy.most_fields
        self._kept = [None] * SLOTS
        self._scanner_count = 0
        for letters in {_first_letters(name) for name in edge_filter.policy.scanners}:
            self._scanners[self._scanner_count] = letters
            self._scanner_count += 1
        self._registrar = len(outboxes) - 2  # the first one
        self._has_registrars, self._registrar_table = dispatcher.registrars > 1, dispatcher.registrar_table
        self._routers = self._registrar + 1 - dispatcher.registrars
        self._held, self._table, self._ways = dispatcher.held, dispatcher.table, dispatcher.ways
        self._outboxes = list(outboxes)
        self._waiting = [[] for _ in outboxes]
        self._messages = 0

    def __dealloc__(self):
        free(self._index)
        free(self._slots)

    def drain(self, sock, double now):
        """Read the waiting datagrams, at most DATAGRAMS_A_ROUND, and return their number. OSError."""
        return self.drain_fd(sock.fileno(), now)

    cpdef int drain_fd(self, int fd, double now) except -1:
        """The same of a descriptor."""
        cdef Arrival arrival
        cdef int number
        cdef int count = self._receiver.fetch(fd, DATAGRAMS)
        for number in range(count):
            self._receiver.read(number, &arrival)
            self._take(&arrival, now)
        self._hand_over()
        return count

    def take(self, bytes data, flow, double now):
        """Put the datagram (untrusted) into the outbox of its peer, or count it."""
        cdef Arrival arrival
        _begin_arrival(&arrival, flow.pack())
        arrival.data = <const unsigned char *>PyBytes_AS_STRING(data)
        arrival.size = PyBytes_GET_SIZE(data)
        self._take(&arrival, now)
        self._hand_over()

    def stats(self):
        """Datagrams by kind; of the messages, broken requests (refused) and what else broke (dropped)."""
        counters = self._reference.stats()
        counters["datagrams.message"] += self._messages
        return counters

    cdef int _take(self, Arrival *arrival, double now) except -1:
        cdef Py_ssize_t count = LEAVE_TO_REFERENCE, target = LEAVE_TO_REFERENCE
        cdef Heard *slot = self._slot(arrival, now)
        cdef Source source = <Source>slot.source
        if not is_heard(source, now):
            self.asked = True
            if not self._sources.hears(source, <str>slot.text, arrival.port, now):
                return 0
        if source.free and arrival.size <= self._largest and arrival.size and _is_letter(arrival.data[0]):
            count = scan_into(arrival.data, arrival.size, self._index)
        if count >= 0 and self._passes(arrival.data, count):
            target = self._target(arrival.data, count)
        if target >= 0:
            target = self._admit(arrival.data, count, target, <str>slot.text, now)
        if target == ENDS_HERE:
            self._messages += 1
        elif target == SENT_AWAY:
            self._messages += 1
            self._send_away(arrival, count)
        elif target < 0:
            self._leave_to_reference(arrival, now)
        else:
            self._messages += 1
            PyList_Append(<list>self._waiting[target], _pack(arrival, self._index, count))
        return 0

    cdef Heard *_slot(self, const Arrival *arrival, double now) except NULL:
        """What is known of the source; the address as text is made once for many datagrams."""
        cdef const unsigned char *packed = arrival.flow + arrival.host
        cdef Py_ssize_t size = 1 + address_size(packed)
        cdef uint32_t number = _hash(packed, size) & (SLOTS - 1)
        cdef Heard *slot = &self._slots[number]
        if slot.size == size and memcmp(slot.host, packed, size) == 0:
            return slot
        cdef str host = _host(arrival)
        cdef Source source = self._sources.find(host, now)
        self._kept[number] = (host, source)
        slot.size = size
        memcpy(slot.host, packed, size)
        slot.text, slot.source = <void *>host, <void *>source
        return slot

    cdef bint _passes(self, const unsigned char *data, Py_ssize_t count) noexcept:
        """Whether the edge_filter has nothing against a message of a free source."""
        if count > self._longest_index:
            return False
        if self._index[STATUS]:
            return True
        return not self._may_be_scanner(data, count)

    cdef Py_ssize_t _admit(
        self, const unsigned char *data, Py_ssize_t count, Py_ssize_t target, str host, double now
    ) except? -3:
        """The target again; ENDS_HERE, SENT_AWAY, or LEAVE_TO_REFERENCE if it is odd."""
        if self._index[STATUS]:
            return target
        if self._index[METHOD_END] == 3 and memcmp(data, b"ACK", 3) == 0:
            return self._end_ack(data, count, target)
        cdef Place place = _place(data, self._index, count)
        if place == GOES_ON:
            return target
        if place == ODD_PLACE or _is_any_folded(data, self._index, count):
            return LEAVE_TO_REFERENCE
        cdef long peer = target if target < self._routers else _REGISTRAR - (self._registrar - target)
        cdef uint32_t transaction = _transaction(data, self._index, count)
        return target if self._admission_control.admits(peer, transaction, host, now) else SENT_AWAY

    cdef Py_ssize_t _end_ack(self, const unsigned char *data, Py_ssize_t count, Py_ssize_t target) except? -3:
        cdef Py_ssize_t start, end
        if not _ends_here(data, self._index, count):
            return target
        if not _params(data, self._index, count, TO, &start, &end):
            return LEAVE_TO_REFERENCE
        if end - start < PyBytes_GET_SIZE(_TAG_PARAM):
            return LEAVE_TO_REFERENCE
        if memcmp(data + start, PyBytes_AS_STRING(_TAG_PARAM), PyBytes_GET_SIZE(_TAG_PARAM)) != 0:
            return LEAVE_TO_REFERENCE
        self._edge_filter.end_ack()
        return ENDS_HERE

    cdef bint _may_be_scanner(self, const unsigned char *data, Py_ssize_t count) noexcept:
        """Whether User-Agent begins like a scanner's."""
        cdef Py_ssize_t at = find_field(self._index, count, USER_AGENT), each
        cdef uint32_t letters
        if not at or self._index[at + 3] - self._index[at + 2] < FIRST_LETTERS:
            return False
        if data[self._index[at + 2]] <= c' ':
            return True
        memcpy(&letters, data + self._index[at + 2], FIRST_LETTERS)
        letters |= LOWER_CASE
        for each in range(self._scanner_count):
            if self._scanners[each] == letters:
                return True
        return False

    cdef int _send_away(self, const Arrival *arrival, Py_ssize_t count) except -1:
        cdef bytes index = PyBytes_FromStringAndSize(<char *>self._index, count * sizeof(uint16_t))
        cdef bytes raw = PyBytes_FromStringAndSize(<char *>arrival.data, arrival.size)
        self._reference.send_away(reference("switchboard.sip.message", "Message")(raw, index), _flow(arrival))
        return 0

    cdef int _leave_to_reference(self, const Arrival *arrival, double now) except -1:
        self.asked = True
        self._hand_over()
        self._reference.sort(arrival.data[: arrival.size], _flow(arrival), now)
        return 0

    cdef int _hand_over(self) except -1:
        cdef Py_ssize_t number
        cdef list items
        for number in range(PyList_GET_SIZE(self._outboxes)):
            items = <list>self._waiting[number]
            if PyList_GET_SIZE(items):
                self._outboxes[number].put_all(items)
                items.clear()
        return 0

    cdef Py_ssize_t _target(self, const unsigned char *data, Py_ssize_t count) except -2:
        """The number of the outbox; LEAVE_TO_REFERENCE where the fields are not plain."""
        cdef int router
        if self._index[STATUS]:
            router = _own_router(data, self._index, count)
            if router != NO_ROUTER and self._ways[router] >= 0:
                return self._ways[router]
        elif self._index[METHOD_END] == 8 and memcmp(data, b"REGISTER", 8) == 0:
            if find_field(self._index, count, ROUTE):
                return LEAVE_TO_REFERENCE
            if self._dispatcher.owns(self._uri(data)):
                return self._by_record(data, count) if self._has_registrars else self._registrar
        return self._by_call_id(data, count)

    cdef Py_ssize_t _by_record(self, const unsigned char *data, Py_ssize_t count) noexcept:
        """The registrar of the address-of-record in To."""
        cdef Py_ssize_t at = find_field(self._index, count, TO)
        cdef Py_ssize_t start = self._index[at + 2], end = self._index[at + 3], position
        trim(data, &start, &end)
        if memchr(data + start, c'\n', end - start) != NULL:
            return LEAVE_TO_REFERENCE
        for position in range(end - 1, start - 1, -1):
            if data[position] == c'<':
                start = position + 1
                break
        for position in range(start, end):
            if data[position] == c'>' or data[position] == c';':
                end = position
                break
        cdef uint32_t record_sum = ~_crc32(0xffffffff, data + start, end - start)
        return self._registrar - self._registrar_table[record_sum % SLOTS_OF_CALLS]

    cdef str _uri(self, const unsigned char *data):
        return data[self._index[URI_START] : self._index[URI_END]].decode("utf-8", "surrogateescape")

    cdef Py_ssize_t _by_call_id(self, const unsigned char *data, Py_ssize_t count) except -2:
        cdef uint32_t call_id_sum
        cdef Py_ssize_t at = find_field(self._index, count, CALL_ID)
        cdef Py_ssize_t start = self._index[at + 2], end = self._index[at + 3]
        trim(data, &start, &end)
        if memchr(data + start, c'\n', end - start) != NULL:
            return LEAVE_TO_REFERENCE
        call_id_sum = ~_crc32(0xffffffff, data + start, end - start)
        if PyDict_Size(self._held) and call_id_sum in self._held:
            return self._held[call_id_sum]
        return self._table[call_id_sum % SLOTS_OF_CALLS]


cdef bint _ends_here(const unsigned char *data, const uint16_t *index, Py_ssize_t count) noexcept:
    """Whether an ACK may be for an answer without a transaction."""
    cdef Py_ssize_t at = find_field(index, count, TO)
    cdef Py_ssize_t position = index[at + 2], end = index[at + 3] - PyBytes_GET_SIZE(_TAG)
    while position <= end:
        if data[position] == _TAG[0] and memcmp(data + position, PyBytes_AS_STRING(_TAG), PyBytes_GET_SIZE(_TAG)) == 0:
            return True
        position += 1
    return False


cdef uint32_t _first_letters(str name) except? 0:
    cdef bytes text = name.encode()
    cdef uint32_t letters
    if len(text) < FIRST_LETTERS:
        raise ValueError(f"{name!r} is too short for a scanner's name")
    memcpy(&letters, PyBytes_AS_STRING(text), FIRST_LETTERS)
    return letters | LOWER_CASE


cdef inline uint32_t _hash(const unsigned char *octets, Py_ssize_t size) noexcept nogil:
    cdef uint32_t number = 2166136261
    cdef Py_ssize_t position
    for position in range(size):
        number = (number ^ octets[position]) * <uint32_t>16777619
    return number ^ number >> 15


cdef int _begin_arrival(Arrival *arrival, bytes flow) except -1:
    """Note whence messages come. ValueError: none comes so."""
    cdef FlowParts parts
    arrival.flow_size = PyBytes_GET_SIZE(flow)
    if arrival.flow_size > FLOW_ROOM:
        raise ValueError("no message comes so")
    memcpy(arrival.flow, PyBytes_AS_STRING(flow), arrival.flow_size)
    if not read_flow(arrival.flow, arrival.flow_size, &parts):
        raise ValueError("no flow")
    arrival.host, arrival.port = parts.host - arrival.flow, parts.port
    return 0


cdef object _flow(const Arrival *arrival):
    return _unpack_flow(arrival.flow[: arrival.flow_size])


cdef str _host(const Arrival *arrival):
    """The peer's address as text."""
    cdef const unsigned char *host = arrival.flow + arrival.host
    if host[0] == IPV4_SIZE:
        return f"{host[1]}.{host[2]}.{host[3]}.{host[4]}"
    return _flow(arrival).host


cdef inline bint _is_letter(unsigned char octet) noexcept nogil:
    return c'a' <= (octet | 0x20) <= c'z'


cdef inline uint32_t _crc32(uint32_t remainder, const unsigned char *data, Py_ssize_t size) noexcept nogil:
    """The remainder after more octets; it begins with all bits set, and is inverted in the end."""
    cdef Py_ssize_t position
    for position in range(size):
        remainder = _crc_table[(remainder ^ data[position]) & 0xff] ^ remainder >> 8
    return remainder


cdef uint32_t _transaction(const unsigned char *data, const uint16_t *index, Py_ssize_t count) noexcept:
    """As `switchboard.core.refusal` has it."""
    cdef uint32_t remainder = 0xffffffff
    remainder = _crc32(_crc_of(remainder, data, index, count, VIA), b" ", 1)
    remainder = _crc32(_crc_of(remainder, data, index, count, CALL_ID), b" ", 1)
    return ~_crc_of(remainder, data, index, count, CSEQ)


cdef uint32_t _crc_of(
    uint32_t remainder, const unsigned char *data, const uint16_t *index, Py_ssize_t count, uint16_t number
) noexcept:
    cdef Py_ssize_t at = find_field(index, count, number)
    cdef Py_ssize_t start = index[at + 2], end = index[at + 3]
    if not at:
        return remainder
    trim(data, &start, &end)
    return _crc32(remainder, data + start, end - start)


cdef bint _is_any_folded(const unsigned char *data, const uint16_t *index, Py_ssize_t count) noexcept:
    """Whether it is one of the fields that identify a transaction."""
    if _is_folded(data, index, count, VIA) or _is_folded(data, index, count, CSEQ):
        return True
    return _is_folded(data, index, count, CALL_ID)


cdef bint _is_folded(
    const unsigned char *data, const uint16_t *index, Py_ssize_t count, uint16_t number
) noexcept:
    cdef Py_ssize_t at = find_field(index, count, number)
    cdef Py_ssize_t start = index[at + 2], end = index[at + 3]
    if not at:
        return False
    trim(data, &start, &end)
    return memchr(data + start, c'\n', end - start) != NULL


cdef Place _place(const unsigned char *data, const uint16_t *index, Py_ssize_t count) noexcept:
    """Whether a request other than ACK is outside a dialog; plain requests only."""
    cdef Py_ssize_t start, end
    if index[METHOD_END] == 3 and memcmp(data, b"BYE", 3) == 0:
        return GOES_ON
    if index[METHOD_END] == 6 and memcmp(data, b"CANCEL", 6) == 0:
        return GOES_ON
    if not _params(data, index, count, TO, &start, &end):
        return ODD_PLACE
    if start == end:
        return BEGINS
    if end - start > 5 and memcmp(data + start, b";tag=", 5) == 0 and _is_word(data + start + 5, end - start - 5):
        return GOES_ON
    return ODD_PLACE


cdef bint _is_word(const unsigned char *data, Py_ssize_t size) noexcept:
    """Letters, digits and what else is usual in tags."""
    cdef Py_ssize_t position
    for position in range(size):
        if not (_is_letter(data[position]) or c'0' <= data[position] <= c'9' or data[position] in (c'.', c'-', c'_')):
            return False
    return True


cdef bint _params(
    const unsigned char *data, const uint16_t *index, Py_ssize_t count, uint16_t number,
    Py_ssize_t *start, Py_ssize_t *end,
) noexcept:
    """What follows the `>` of an address in one line; False for an odd one."""
    cdef Py_ssize_t at = find_field(index, count, number)
    if not at:
        return False
    start[0], end[0] = index[at + 2], index[at + 3]
    trim(data, start, end)
    cdef const unsigned char *position = data + start[0]
    cdef const unsigned char *last = data + end[0]
    if memchr(position, c'\n', last - position) != NULL or memchr(position, c'\\', last - position) != NULL:
        return False
    if position < last and position[0] == c'"':
        position = <const unsigned char *>memchr(position + 1, c'"', last - position - 1)
        if position == NULL:
            return False
        position += 1
        while position < last and position[0] == c' ':
            position += 1
        if position == last or position[0] != c'<':
            return False
    cdef const unsigned char *closed = <const unsigned char *>memchr(position, c'>', last - position)
    if closed == NULL or memchr(position, c'<', closed - position) == NULL:
        return False
    if memchr(position, c'"', last - position) != NULL:
        return False
    start[0] = closed - data + 1
    return True


cdef int _own_router(const unsigned char *data, const uint16_t *index, Py_ssize_t count) noexcept:
    """The router's number in the branch of the topmost Via value, NO_ROUTER if the branch is not of ours."""
    cdef Py_ssize_t at = find_field(index, count, VIA)
    cdef Py_ssize_t position = index[at + 2], end = first_value_end(data, index[at + 2], index[at + 3])
    cdef int router
    while end - position > 6:
        if data[position] == c'b' and memcmp(data + position, b"branch", 6) == 0:
            router = _router_of_branch(data, position + 6, end)
            if router != NO_ROUTER:
                return router
        position += 1
    return NO_ROUTER


cdef int _router_of_branch(const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept:
    """Read `=` and our prefix with a number from behind the word branch."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(_PREFIX)
    cdef int digits = 0, router = 0
    position = _skip_blanks(data, position, end)
    if position >= end or data[position] != c'=':
        return NO_ROUTER
    position = _skip_blanks(data, position + 1, end)
    if end - position < size or memcmp(data + position, PyBytes_AS_STRING(_PREFIX), size) != 0:
        return NO_ROUTER
    position += size
    while position < end and digits <= MOST_ROUTER_DIGITS and c'0' <= data[position] <= c'9':
        router = 10 * router + data[position] - c'0'
        digits += 1
        position += 1
    if not 1 <= digits <= MOST_ROUTER_DIGITS or position >= end or data[position] != c'.':
        return NO_ROUTER
    return router


cdef inline Py_ssize_t _skip_blanks(const unsigned char *data, Py_ssize_t position, Py_ssize_t end) noexcept nogil:
    while position < end and (data[position] == c' ' or data[position] == c'\t'):
        position += 1
    return position


cdef bytes _pack(const Arrival *arrival, const uint16_t *index, Py_ssize_t count):
    """The item of sip.received as the codec writes it."""
    cdef Py_ssize_t index_size = count * sizeof(uint16_t)
    cdef Py_ssize_t heads = 1 + binary_head(arrival.flow_size) + binary_head(index_size) + binary_head(arrival.size)
    cdef bytes item = PyBytes_FromStringAndSize(NULL, heads + arrival.flow_size + index_size + arrival.size)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(item)
    to[0] = LIST_OF_THREE
    to = write_binary(to + 1, arrival.flow, arrival.flow_size)
    write_binary(write_binary(to, index, index_size), arrival.data, arrival.size)
    return item
