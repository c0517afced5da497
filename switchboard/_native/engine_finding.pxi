# Which transaction a message belongs to, and the facts that lead it.


cdef Saved *_find_server(Engine self, Slice branch, Slice host, int port, int method) noexcept:
    """Find the saved transaction of a server key; for an ACK that of its INVITE (§17.2.3)."""
    cdef Node *node = first_in(&self._servers, _key_of(branch, host, port))
    cdef Saved *saved
    if method == ACK:
        method = INVITE
    while node != NULL:
        saved = <Saved *>node.owner
        if saved.method == method and saved.port == port and same(part(saved, P_BRANCH), branch):
            if same(part(saved, P_HOST), host):
                return saved
        node = next_in(node)
    return NULL


cdef Saved *_find_client(Engine self, Slice branch, int method) noexcept:
    cdef Node *node = first_in(&self._clients, _client_key(branch, method))
    cdef Saved *saved
    while node != NULL:
        saved = <Saved *>node.owner
        if saved.method == method and same(part(saved, P_OWN_BRANCH), branch):
            return saved
        node = next_in(node)
    return NULL


cdef Saved *_find_awaited(Engine self, Slice call_id, Slice tag, uint32_t sequence) noexcept:
    cdef Node *node = first_in(&self._awaited, _awaited_key(call_id, tag, sequence))
    cdef Saved *saved
    while node != NULL:
        saved = <Saved *>node.owner
        if saved.sequence == sequence and same(part(saved, P_CALL_ID), call_id):
            if same(part(saved, P_FROM_TAG), tag):
                return saved
        node = next_in(node)
    return NULL


cdef void _note_handed(Engine self, uint64_t key, double now) noexcept:
    """What bears this key is the reference's, as long as a transaction may last, and while there are not too many."""
    pass_time(&self._handed, now, self._c + 2 * self._lifetime)
    if self._handed.young.used >= MOST_HANDED:
        next_generation(&self._handed, True)
    count_one(&self._handed.young, key)


cdef bint _is_handed(Engine self, uint64_t key) noexcept:
    return counted(&self._handed.young, key) or counted(&self._handed.old, key)


cdef void _note_answered(Engine self, Slice address) noexcept:
    cdef uint64_t key = hash_of(address, 2)
    if counted(&self._answered.young, key):
        return
    if self._answered.young.used >= MOST_ANSWERED:
        next_generation(&self._answered, True)
    count_one(&self._answered.young, key)


cdef bint _allows(Engine self, Slice address, double now) noexcept:
    cdef uint64_t key = hash_of(address, 2)
    if counted(&self._answered.young, key) or counted(&self._answered.old, key):
        return True
    if <long>now != self._second:
        self._second = <long>now
        clear_tally(&self._repeated)
    if counted(&self._repeated, key) >= REPETITIONS_A_SECOND:
        self.withheld += 1
        return False
    count_one(&self._repeated, key)
    return True


cdef bint _admits(Engine self, Slice host, double now) noexcept:
    cdef uint64_t key = hash_of(host, 3)
    pass_time(&self._recent, now, self._lifetime)
    if <Py_ssize_t>counted(&self._recent.young, key) + counted(&self._recent.old, key) >= self._most_of_source:
        return False
    if self._recent.young.used >= MOST_SOURCES:
        next_generation(&self._recent, True)
    count_one(&self._recent.young, key)
    return True


cdef Fact *_fact(Engine self, Slice key, object learned) except? NULL:
    """Keep what the reference has found out: a record, or a record and the end of its validity. None: nothing."""
    cdef bytes record
    cdef double until = 0
    cdef Fact *fact
    if learned is None:
        return NULL
    if isinstance(learned, tuple):
        learned, until = learned
    record = learned
    self.learned += 1
    fact = learn_fact(&self._facts, key, slice_in(record), until)
    if fact == NULL:
        raise MemoryError
    return fact


cdef Fact *_caller(Engine self, Message *message, Slice flow, bint may_relay) except? NULL:
    """The sender: `[flags, host, user, side, address-of-record, how it names us in a Route]`."""
    cdef Fact *fact
    cdef Slice contact = value_of(message, H_CONTACT)
    self._event.size = 0
    put_octet(&self._event, c'A' if may_relay else c'C')
    put_octet(&self._event, <uint8_t>flow.size)
    put_slice(&self._event, flow)
    put_slice(&self._event, message.via_host)
    put_octet(&self._event, 0)
    put_slice(&self._event, message.from_uri)
    put_octet(&self._event, 0)
    put_slice(&self._event, contact)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    learned = self._finder.caller(as_bytes(_whole(message)), as_bytes(message.index), as_bytes(flow), may_relay)
    return _fact(self, slice_in(key), learned)


cdef Fact *_callee(Engine self, Message *message, Slice flow) except? NULL:
    """The target of the Request-URI: `[target, flow, our Via, our Route, side, address-of-record, saved, look-up]`.

    Of what leads outside more is told (engine_masks.pxi).
    """
    cdef Slice uri = slice_of(message.raw + message.uri_start, message.raw + message.uri_end)
    cdef Fact *fact
    self._event.size = 0
    put_octet(&self._event, c'T')
    put_slice(&self._event, uri)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    fact = _led_outside(self, message, flow, False)
    if fact != NULL:
        return fact
    fact = _fact(self, slice_in(key), self._finder.callee(key, as_bytes(uri), self._at))
    return fact if fact != NULL else _led_outside(self, message, flow, True)


cdef Fact *_led(Engine self, Message *message, Slice source) except? NULL:
    """The same of a request within a dialog that our Route leads to where its target was (dialog_routing.py).

    `source`: the flow over which it came.
    """
    cdef uint8_t octets[LONGEST_SEAL]
    cdef Side sides[2]
    cdef Side *there = &sides[1]
    cdef Side *here = &sides[0]
    cdef Slice seal, uri = slice_of(message.raw + message.uri_start, message.raw + message.uri_end)
    cdef Slice flow
    cdef Fact *fact
    if same(message.from_tag, message.to_tag) or not _read_routes(self, message, &seal):
        return NULL
    if not read_seal(seal, self._key, message.call_id, message.from_tag, octets, here, there):
        here, there = &sides[1], &sides[0]
        if not read_seal(seal, self._key, message.call_id, message.to_tag, octets, there, here):
            return NULL
    if there.kind & SIDE_NAMED:
        return NULL
    if there.kind & SIDE_CLAIMED and message.method != ACK and not _comes_from(here, source):
        return NULL
    if not self._admits_all and _is_nobody(here.owner):
        return NULL
    fact = _sum_of(self, uri)
    if fact == NULL or memcmp(field_of(fact, 0).at, there.target, SEAL_SUM) != 0:
        return NULL
    flow.at, flow.size = there.flow, there.flow_size
    if (there.kind & SIDE_TRANSLATED or has_connection(flow)) and not _is_nobody(there.owner):
        return _along(self, uri, flow, there.owner, message.to_uri, message.method == ACK and is_stream(flow))
    return _along(self, uri, flow, NULL, nothing(), False)


cdef bint _comes_from(const Side *here, Slice source) noexcept nogil:
    """Whether a flow is from where that side is: behind address translation others share the address."""
    cdef Slice flow = slice_of(here.flow, here.flow + here.flow_size)
    if not same(peer_address(source), peer_address(flow)):
        return False
    return not here.kind & SIDE_TRANSLATED or flow_port(source) == flow_port(flow)


cdef Fact *_along(Engine self, Slice uri, Slice flow, const uint8_t *owner, Slice callee, bint is_ack) except? NULL:
    """`owner`, `callee`: of a side behind address translation, or with a connection, that is a user of ours, who may
    be elsewhere by now. An ACK goes another way there.
    """
    cdef Fact *fact
    cdef bytes proof = b"" if owner == NULL else owner[:SEAL_SUM]
    self._event.size = 0
    put_octet(&self._event, c'K' if is_ack else c'D')
    put_octet(&self._event, <uint8_t>flow.size)
    put_slice(&self._event, flow)
    put_slice(&self._event, slice_in(proof))
    put_octet(&self._event, 0)
    put_slice(&self._event, callee)
    put_octet(&self._event, 0)
    put_slice(&self._event, uri)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    moment = self._at
    learned = self._finder.along(key, as_bytes(uri), as_bytes(flow), proof, as_bytes(callee), is_ack, moment)
    return _fact(self, slice_in(key), learned)


cdef Fact *_sum_of(Engine self, Slice uri) except? NULL:
    """The sum over the address that a URI names: `[sum]`."""
    return _told_of(self, c'S', uri, self._finder.target_sum)


cdef Fact *_told_of(Engine self, uint8_t kind, Slice text, object ask) except? NULL:
    cdef Fact *fact
    self._event.size = 0
    put_octet(&self._event, kind)
    put_slice(&self._event, text)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    return _fact(self, slice_in(key), ask(key[1:]))


cdef bint _is_same_place(Engine self, Slice contact, Slice target) except -1:
    """Whether a Contact names the address of the target: `[one octet]`."""
    cdef Fact *fact
    self._text.size = 0
    put_slice(&self._text, contact)
    put_octet(&self._text, 0)
    put_slice(&self._text, target)
    fact = _told_of(self, c'P', content(&self._text), self._finder.is_same_place)
    return fact != NULL and field_of(fact, 0).at[0] == 1


cdef bint _read_routes(Engine self, Message *message, Slice *seal) except -1:
    """Whether all Route values are ours, as we write them, and few; `seal` is that of the last."""
    cdef int place, values = 0
    cdef const Field *field
    cdef const uint8_t *at
    cdef const uint8_t *end
    seal[0] = self._token = self._media_mark = nothing()
    for place in range(message.count):
        field = &message.fields[place]
        if field.number != H_ROUTE:
            continue
        at, end = message.raw + field.start, message.raw + field.end
        while at < end:
            at = _read_route(self, at, end, seal)
            values += 1
            if at == NULL or values > MOST_ROUTES:
                return False
    return seal.size > 0


cdef const uint8_t *_read_route(Engine self, const uint8_t *at, const uint8_t *end, Slice *seal) except? NULL:
    """Read `<sip:host:port;transport=tcp;lr;sb=seal;st=token;me=mark>`; return where the next value begins.

    NULL if it is anything else.
    """
    cdef const uint8_t *stop
    cdef Fact *fact
    if end - at < 16 or memcmp(at, b"<sip:", 5) != 0:
        return NULL
    stop = run(at + 5, end, IN_VIA_VALUE)
    if end - stop > 11 and memcmp(stop, b";transport=", 11) == 0:
        stop = run(stop + 11, end, IN_LOWER)
    if end - stop < 8 or memcmp(stop, b";lr;sb=", 7) != 0:
        return NULL
    fact = _told_of(self, c'O', slice_of(at + 5, stop), self._finder.is_ours)
    if fact == NULL or field_of(fact, 0).at[0] != 1:
        return NULL
    at = stop + 7
    stop = at
    while stop < end and _base64_value[stop[0]] != 255:
        stop += 1
    if stop == at:
        return NULL
    seal[0] = slice_of(at, stop)
    if self._has_trunks:
        stop = _read_token(self, stop, end)
    if end - stop > 5 and memcmp(stop, b";me=", 4) == 0:
        at = stop + 4
        stop = at
        while stop < end and _base64_value[stop[0]] != 255:
            stop += 1
        if stop == at:
            return NULL
        self._media_mark = slice_of(at, stop)
    if stop == end or stop[0] != c'>':
        return NULL
    stop += 1
    while stop < end and stop[0] == c' ':
        stop += 1
    return stop if stop == end else _after_comma(stop, end) if stop[0] == c',' else NULL
