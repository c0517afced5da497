"""Works out in one pass what `Message` works out field by field, for messages as well-behaved peers write them."""

cdef list _methods = [
    (method.encode(), method)
    for method in ("INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "MESSAGE", "INFO", "PRACK", "UPDATE")
]
cdef array _row = array("H")
cdef object _via_class = None


def row_of(bytes index not None):
    """Return the same as `array("H", index)`."""
    cdef Py_ssize_t size = PyBytes_GET_SIZE(index)
    cdef array row
    if size % 2:
        raise ValueError("bytes length not a multiple of item size")
    row = clone(_row, size // 2, False)
    memcpy(row.data.as_voidptr, PyBytes_AS_STRING(index), size)
    return row


cdef object _read_via(const unsigned char *at, const unsigned char *end):
    """Return the Via value; None if it is not written as most are."""
    cdef const unsigned char *stop
    cdef const unsigned char *host_start
    cdef Param params[MOST_PARAMS]
    cdef long port = -1
    cdef int count
    cdef str transport, host
    if end - at < 8 or memcmp(at, b"SIP/2.0/", 8) != 0:
        return None
    at += 8
    stop = run(at, end, TOKEN)
    if stop == at or stop == end or stop[0] != c' ':
        return None
    transport = "UDP" if stop - at == 3 and memcmp(at, b"UDP", 3) == 0 else ascii(at, stop).upper()
    at = host_start = stop + 1
    stop = host_end(at, end)
    if stop == at or stop - at > MOST_HOST:
        return None
    host, at = lower(at, stop), stop
    if not (is_plain_ipv4(host_start, stop) or check_host(host)):
        return None
    if at < end and at[0] == c':':
        stop = at + 1
        while stop < end and c'0' <= stop[0] <= c'9':
            stop += 1
        port = decimal(at + 1, stop)
        if not 0 < port <= LARGEST_PORT or at[1] == c'0':
            return None
        at = stop
    count = read_params(at, end, VIA_VALUE, params)
    if count < 0:
        return None
    return _make_via(transport, host, port, pairs(params, count))


cdef object _make_via(str transport, str host, long port, tuple params):
    """A Via; `port`: -1 if there is none."""
    global _via_class
    if _via_class is None:
        _via_class = reference("switchboard.sip.via", "Via")
    return _via_class(transport, host, None if port < 0 else port, params)


cdef const unsigned char *_display_end(const unsigned char *at, const unsigned char *end) noexcept:
    """Where the angle bracket behind a display name stands, or where it should."""
    cdef const unsigned char *stop
    if at < end and at[0] == c'"':
        stop = run(at + 1, end, DISPLAY)
        if stop == end or stop[0] != c'"':
            return end
        at = stop + 1
    elif at < end and at[0] != c'<':
        at = run(at, end, TOKEN)
    while at < end and at[0] == c' ':
        at += 1
    return at


cdef tuple _uri_and_tag(const unsigned char *at, const unsigned char *end):
    """Return URI and tag of `display <uri>;one=parameter`; None if it is not written as most are."""
    cdef const unsigned char *start
    cdef const unsigned char *stop
    cdef Param params[MOST_PARAMS]
    cdef int count, position
    cdef str tag = ""
    at = _display_end(at, end)
    if at == end or at[0] != c'<':
        return None
    start = at + 1
    stop = run(start, end, SCHEME)
    if stop == start or stop == end or stop[0] != c':' or not (c'a' <= start[0] | 0x20 <= c'z'):
        return None
    at, stop = stop + 1, run(stop + 1, end, URI)
    if stop == at or stop == end or stop[0] != c'>':
        return None
    count = read_params(stop + 1, end, TOKEN, params)
    if count < 0:
        return None
    for position in range(count):
        if params[position].value != NULL and is_named(&params[position], b"tag", 3):
            tag = value_of(&params[position])
    return ascii(start, stop), tag


cdef tuple _cseq(const unsigned char *at, const unsigned char *end):
    cdef const unsigned char *stop = at
    cdef long sequence
    while stop < end and c'0' <= stop[0] <= c'9':
        stop += 1
    sequence = decimal(at, stop)
    if sequence < 0 or stop == end or stop[0] != c' ' or stop + 1 == end or run(stop + 1, end, TOKEN) != end:
        return None
    return sequence, _method(stop + 1, end)


cdef str _method(const unsigned char *start, const unsigned char *end):
    """Those that are known are always the same object."""
    cdef bytes octets
    for octets, name in _methods:
        if PyBytes_GET_SIZE(octets) == end - start and memcmp(PyBytes_AS_STRING(octets), start, end - start) == 0:
            return name
    return decoded(start, end)


cdef bint _one_line(
    const unsigned char *data, Py_ssize_t size, const uint16_t *index, Py_ssize_t count, uint16_t number,
    const unsigned char **start, const unsigned char **end,
) noexcept:
    """Find the first such field's trimmed value; False if there is none, or it goes over more than one line."""
    cdef Py_ssize_t at = find_field(index, count, number)
    cdef Py_ssize_t first, last
    if not at:
        return False
    first, last = index[at + 2], index[at + 3]
    if not first <= last <= size:
        return False
    trim(data, &first, &last)
    start[0], end[0] = data + first, data + last
    return memchr(start[0], c'\n', last - first) == NULL


cdef bytes _numbers(const uint16_t *index, Py_ssize_t count):
    """The fields' numbers, an octet each; None if one is larger."""
    cdef Py_ssize_t length = (count - FIRST_HEADER) // HEADER_WIDTH, position
    cdef bytes numbers = PyBytes_FromStringAndSize(NULL, length)
    cdef uint8_t *octets = <uint8_t *>PyBytes_AS_STRING(numbers)
    cdef uint16_t number
    for position in range(length):
        number = index[FIRST_HEADER + position * HEADER_WIDTH]
        if number > 255:
            return None
        octets[position] = number
    return numbers


def know(message):
    """Set what `Message._work_out` would find out, and the top Via; False if that has to do it."""
    cdef bytes raw = message.raw
    cdef array row = message.index
    cdef const unsigned char *data = <const unsigned char *>PyBytes_AS_STRING(raw)
    cdef const uint16_t *index = row.data.as_ushorts
    cdef Py_ssize_t size = PyBytes_GET_SIZE(raw), count = len(row), first, last
    cdef const unsigned char *start = NULL
    cdef const unsigned char *end = NULL
    cdef tuple found
    cdef bytes numbers
    if row.ob_descr.typecode != c'H' or count < FIRST_HEADER or (count - FIRST_HEADER) % HEADER_WIDTH:
        return False
    if not (index[METHOD_END] <= size and index[URI_START] <= index[URI_END] <= size):
        return False
    if _one_line(data, size, index, count, VIA, &start, &end):
        first = start - data
        last = first_value_end(data, first, end - data)
        trim(data, &first, &last)
        message._first_via = first, last
        if index[STATUS] or last == end - data:
            message._via = _read_via(data + first, data + last)
    if (numbers := _numbers(index, count)) is None:
        return False
    message.numbers = numbers
    if not _one_line(data, size, index, count, CSEQ, &start, &end) or (found := _cseq(start, end)) is None:
        return False
    message.cseq = found
    message.method = found[1] if index[STATUS] else _method(data, data + index[METHOD_END])
    message.uri = decoded(data + index[URI_START], data + index[URI_END])
    if not _one_line(data, size, index, count, CALL_ID, &start, &end):
        return False
    message.call_id = decoded(start, end)
    if not _one_line(data, size, index, count, FROM, &start, &end) or (found := _uri_and_tag(start, end)) is None:
        return False
    message.from_uri, message.from_tag = found
    if not _one_line(data, size, index, count, TO, &start, &end) or (found := _uri_and_tag(start, end)) is None:
        return False
    message.to_uri, message.to_tag = found
    return True
