# What the engine asks of a message besides its fields.

cdef bint _are_plain(Cursor cursor) noexcept nogil:
    """Whether a list of items of `sip.received` and stamps, and nothing else, begins here."""
    cdef Py_ssize_t left = read_list(&cursor)
    cdef Slice octets
    cdef double stamp
    cdef int each
    if left < 0:
        return False
    while left:
        left -= 1
        if read_real(&cursor, &stamp):
            continue
        if read_list(&cursor) != 3:
            return False
        for each in range(3):
            if not read_octets(&cursor, &octets):
                return False
    return cursor.at == cursor.end


cdef bint _is_due_otherwise(const Saved *saved, double now) noexcept nogil:
    cdef int letter
    for letter in range(LETTERS):
        if letter != A_ and saved.armed[letter] and saved.armed[letter] <= now:
            return True
    return False


cdef inline Slice _whole(const Message *message) noexcept nogil:
    """The datagram."""
    cdef Slice found
    found.at, found.size = message.raw, message.size
    return found


cdef bint _is_odd_request(const Message *message) noexcept nogil:
    """Whether a request has a field that the engine does not know, or has passed here before."""
    cdef int number
    cdef const uint8_t *at = message.raw + message.headers_start
    cdef const uint8_t *end = message.raw + message.headers_end
    if message.seen[H_PROXY_REQUIRE] or message.seen[H_TIMESTAMP] or message.seen[H_MAX_BREADTH]:
        return True
    if message.seen[H_RECORD_ROUTE] or message.seen[H_MAX_FORWARDS] > 1 or message.seen[H_ACCEPT_LANGUAGE] > 1:
        return True
    for number in range(H_P_ASSERTED_IDENTITY, H_CALL_INFO + 1):
        if message.seen[number]:
            return True
    while end - at >= 9:
        at = <const uint8_t *>memchr(at, c'z', end - at - 8)
        if at == NULL:
            return False
        if memcmp(at, b"z9hG4bKsb", 9) == 0:
            return True
        at += 1
    return False


cdef bint _is_at(Slice contact, Slice target) noexcept nogil:
    """Whether a Contact in brackets plainly names the host and port that the URI `target` does, as it is written."""
    cdef const uint8_t *end = contact.at + contact.size
    cdef const uint8_t *stop = run(contact.at + 1, end, IN_URI)
    cdef Slice place
    if contact.at[0] != c'<' or stop == end or stop[0] != c'>':
        return False
    if stop + 1 < end and stop[1] != c';' and stop[1] != c',':
        return False
    place = _place_in(slice_of(contact.at + 1, stop))
    return place.size > 0 and same(place, _place_in(target))


cdef Slice uri_in_brackets(Slice contact) noexcept nogil:
    """The URI of a Contact with one value, as it is usually written; nothing for another."""
    cdef const uint8_t *end = contact.at + contact.size
    cdef const uint8_t *stop
    if contact.size < 3 or contact.at[0] != c'<' or memchr(contact.at, c',', contact.size) != NULL:
        return nothing()
    stop = run(contact.at + 1, end, IN_URI)
    if stop == end or stop[0] != c'>' or (stop + 1 < end and stop[1] != c';'):
        return nothing()
    return slice_of(contact.at + 1, stop)


cdef Slice _place_in(Slice uri) noexcept nogil:
    """`host:port` of a URI; nothing where something else may say where it leads."""
    cdef const uint8_t *at = uri.at + 4
    cdef const uint8_t *end = uri.at + uri.size
    cdef const uint8_t *stop
    cdef bint has_port
    if uri.size < 5 or memcmp(uri.at, b"sip:", 4) != 0:
        return nothing()
    stop = run(at, end, IN_TOKEN)
    if stop < end and stop[0] == c'@':
        at = stop + 1
    stop = run(at, end, IN_HOST)
    has_port = stop < end and stop[0] == c':'
    if has_port:
        stop = run(stop + 1, end, IN_HOST)
    if stop < end and stop[0] != c';':
        return nothing()
    if memchr(stop, c'@', end - stop) != NULL:
        return nothing()  # what looked like the host is a part of the user
    if not has_port and stop < end:
        return nothing()  # a transport may be among the parameters, and have another port
    uri = slice_of(at, stop)
    while end - stop >= 5:
        if (stop[0] | 0x20) == c'm' and (stop[1] | 0x20) == c'a' and (stop[2] | 0x20) == c'd':
            return nothing()  # maddr, or something like it
        stop += 1
    return uri


cdef bint _is_recorded_by_us_alone(const Message *message) noexcept nogil:
    """Whether our Record-Route is the only one in a response; or two are, in one field or two, and bear one seal."""
    cdef Slice values[2]
    cdef Slice value
    cdef const Field *field
    cdef const uint8_t *comma
    cdef int place, found = 0, fields = message.seen[H_RECORD_ROUTE]
    if fields > 2:
        return False
    for place in range(message.first[H_RECORD_ROUTE], message.count):
        field = &message.fields[place]
        if field.number == H_RECORD_ROUTE:
            value = slice_of(message.raw + field.start, message.raw + field.end)
            comma = <const uint8_t *>memchr(value.at, c',', value.size)
            if comma != NULL:
                return fields == 1 and _bear_one_seal(
                    slice_of(value.at, comma), slice_of(comma + 1, value.at + value.size)
                )
            values[found] = value
            found += 1
    return found == 1 or _bear_one_seal(values[0], values[1])


cdef bint _bear_one_seal(Slice one, Slice other) noexcept nogil:
    """Whether both are ours, of one request (RFC 5658)."""
    return _seal_in(one).size > 0 and same(_seal_in(one), _seal_in(other))


cdef Slice _seal_in(Slice value) noexcept nogil:
    """What stands behind `;lr;sb=`."""
    cdef Py_ssize_t at
    for at in range(value.size - 7):
        if value.at[at] == c';' and memcmp(value.at + at, b";lr;sb=", 7) == 0:
            return slice_of(value.at + at + 7, value.at + value.size)
    return nothing()


cdef inline bint _is_plain_outside(int method) noexcept nogil:
    return method == INVITE or method == MESSAGE or method == OPTIONS or method == INFO or method == UPDATE


cdef inline bint _is_recorded(int method) noexcept nogil:
    return method == INVITE or method == UPDATE or method == REFER or method == NOTIFY


cdef inline bint _may_pass(int status, int method) noexcept nogil:
    """Whether a final response goes to the caller unchanged: no redirection, no 503, no 408 to a non-INVITE."""
    return status >= 400 and status != 503 and (status != 408 or method == INVITE)


cdef int _how_often(Slice text, Slice wanted) noexcept nogil:
    """Count its occurrences behind a blank or a comma."""
    cdef Py_ssize_t at
    cdef int found = 0
    for at in range(1, text.size - wanted.size + 1):
        if text.at[at] == wanted.at[0] and memcmp(text.at + at, wanted.at, wanted.size) == 0:
            found += text.at[at - 1] == c' ' or text.at[at - 1] == c','
    return found


cdef inline bint _begins_with(Slice text, const char *start, Py_ssize_t size) noexcept nogil:
    return text.size >= size and memcmp(text.at, start, size) == 0


cdef inline bint _is_nobody(const uint8_t *owner) noexcept nogil:
    return not (owner[0] or owner[1] or owner[2] or owner[3])


cdef int _hops(const Message *message) noexcept nogil:
    """Max-Forwards, or the default plus one if the field is missing (§16.6 step 3); 0 if the field is odd."""
    cdef Slice value = value_of(message, H_MAX_FORWARDS)
    cdef int number = 0
    cdef Py_ssize_t at
    if not message.seen[H_MAX_FORWARDS]:
        return 71
    if not 0 < value.size <= 3 or value.at[0] == c'0':
        return 0
    for at in range(value.size):
        if not c'0' <= value.at[at] <= c'9':
            return 0
        number = number * 10 + value.at[at] - c'0'
    return number if number <= 255 else 0


cdef Slice _lower_branch(const Message *message, uint8_t *to) noexcept nogil:
    cdef Py_ssize_t at
    cdef Slice found
    for at in range(message.branch.size):
        to[at] = _lowered[message.branch.at[at]]
    found.at, found.size = to, message.branch.size
    return found


cdef Slice _reply_flow(const Message *message, Slice flow, uint8_t *to) noexcept nogil:
    """The destination of responses: the connection, or the host with the port of rport or Via (§18.2.2, RFC 3581 §4)."""
    cdef Slice found
    if message.rport or has_connection(flow):
        return flow
    memcpy(to, flow.at, flow.size)
    to[flow.size - 2], to[flow.size - 1] = <uint8_t>(message.port >> 8), <uint8_t>message.port
    found.at, found.size = to, flow.size
    return found


cdef inline uint64_t _key_of(Slice branch, Slice host, int port) noexcept nogil:
    return hash_of(branch, hash_of(host, <uint64_t>port))


cdef inline uint64_t _client_key(Slice branch, int method) noexcept nogil:
    return hash_of(branch, <uint64_t>method)


cdef inline uint64_t _awaited_key(Slice call_id, Slice tag, uint32_t sequence) noexcept nogil:
    return hash_of(call_id, hash_of(tag, sequence))


cdef uint32_t _routing_hash(const Message *message) noexcept nogil:
    """The hash over what decides where a request goes (core/loop_detection.py)."""
    cdef uint32_t sum = crc32_on(0, message.raw + message.uri_start, message.uri_end - message.uri_start)
    cdef Slice sequence = value_of(message, H_CSEQ)
    cdef const Field *field
    cdef int place
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, message.from_tag.at, message.from_tag.size)
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, message.to_tag.at, message.to_tag.size)
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, message.call_id.at, message.call_id.size)
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, sequence.at, sequence.size - message.method_text.size - 1)
    for place in range(message.count):
        field = &message.fields[place]
        if field.number == H_ROUTE:
            sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
            sum = crc32_on(sum, message.raw + field.start, field.end - field.start)
    if message.seen[H_PROXY_AUTHORIZATION]:
        field = &message.fields[message.first[H_PROXY_AUTHORIZATION]]
        sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
        sum = crc32_on(sum, message.raw + field.start, field.end - field.start)
    return sum


cdef uint32_t _session_expires_s(const Message *message) noexcept nogil:
    """What Session-Expires says, 90 at least; 0 if there is none, or no number in it (core/calls.py)."""
    cdef Slice value = value_of(message, H_SESSION_EXPIRES)
    cdef uint32_t number = 0
    cdef Py_ssize_t at = 0
    while at < value.size and c'0' <= value.at[at] <= c'9':
        if at == 9:
            return 0
        number = number * 10 + value.at[at] - c'0'
        at += 1
    return max(number, <uint32_t>90) if at else 0
