"""Compiled twin of `splice.py` and of `respond.build_response`: plain messages; the others are the reference's."""

cdef enum:
    MOST_PIECES = 96
    MOST_VIAS = 16

cdef dict _phrases = {status: phrase.encode() for status, phrase in REASON_PHRASES.items()}


cdef struct Piece:
    const char *start
    Py_ssize_t size


cdef struct Pieces:
    Piece piece[MOST_PIECES]
    int count
    bint is_full


cdef inline void _begin(Pieces *pieces) noexcept:
    pieces.count = 0
    pieces.is_full = False


cdef inline void _add(Pieces *pieces, const char *start, Py_ssize_t size) noexcept:
    if pieces.count == MOST_PIECES or size < 0:
        pieces.is_full = True
        return
    pieces.piece[pieces.count].start = start
    pieces.piece[pieces.count].size = size
    pieces.count += 1


cdef inline void _add_bytes(Pieces *pieces, bytes text) noexcept:
    _add(pieces, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


cdef bytes _joined(Pieces *pieces):
    """Return all of them; None if they were too many, or one had no sense."""
    cdef Py_ssize_t size = 0
    cdef int at
    cdef bytes whole
    cdef char *to
    if pieces.is_full:
        return None
    for at in range(pieces.count):
        size += pieces.piece[at].size
    whole = PyBytes_FromStringAndSize(NULL, size)
    to = PyBytes_AS_STRING(whole)
    for at in range(pieces.count):
        memcpy(to, pieces.piece[at].start, pieces.piece[at].size)
        to += pieces.piece[at].size
    return whole


cdef inline const uint16_t *_numbers_in(array index, Py_ssize_t *count) noexcept:
    """The offset index and its length; NULL if it is none."""
    count[0] = len(index)
    if index.ob_descr.typecode != c'H' or count[0] < FIRST_HEADER or (count[0] - FIRST_HEADER) % HEADER_WIDTH:
        return NULL
    return index.data.as_ushorts


cdef inline Py_ssize_t _next_field(
    const uint16_t *index, Py_ssize_t count, uint16_t number, Py_ssize_t after
) noexcept:
    """Where the field with this number behind the one at `after` stands in the index; 0 if there is none."""
    cdef Py_ssize_t at = after + HEADER_WIDTH
    while at < count and index[at] != number:
        at += HEADER_WIDTH
    return at if at < count else 0


def forward_request(request, change):
    """Return the same as `forward_request_in_python`."""
    cdef bytes whole = _forwarded(request, change)
    return reference("switchboard.sip.splice", "forward_request_in_python")(request, change) if whole is None else whole


cdef bytes _forwarded(request, change):
    cdef Pieces pieces
    cdef Py_ssize_t count = 0, via_start, via_end, hops = 0, hops_start = 0, hops_end = 0, route = 0, at
    cdef Py_ssize_t position, end, start
    cdef array row = request.index
    cdef const uint16_t *index = _numbers_in(row, &count)
    cdef bytes raw = request.raw, uri, via, top_via, value
    cdef const char *data = PyBytes_AS_STRING(raw)
    cdef char digits[16]
    cdef int width, max_forwards
    uri, via, top_via, max_forwards, record_routes, routes, left_out, added = change
    if left_out or index == NULL or not index[BODY_END] <= PyBytes_GET_SIZE(raw):
        return None
    if not index[URI_START] <= index[URI_END] <= index[HEADERS_START] <= index[BODY_END]:
        return None
    via_start, via_end = request.top_via_span
    width = snprintf(digits, sizeof(digits), b"%d", max_forwards)
    hops = find_field(index, count, MAX_FORWARDS)
    if hops:
        hops_start, hops_end = index[hops + 2], index[hops + 3]
        if not hops_start <= hops_end <= index[BODY_END]:
            return None
        trim(<const unsigned char *>data, &hops_start, &hops_end)
    _begin(&pieces)
    _add(&pieces, data, index[URI_START])
    _add_bytes(&pieces, uri)
    _add(&pieces, data + index[URI_END], index[HEADERS_START] - index[URI_END])
    _add(&pieces, b"Via: ", 5)
    _add_bytes(&pieces, via)
    for value in added:
        _add(&pieces, b"\r\n", 2)
        _add_bytes(&pieces, value)
    for value in record_routes:
        _add(&pieces, b"\r\nRecord-Route: ", 16)
        _add_bytes(&pieces, value)
    if routes:
        _add(&pieces, b"\r\nRoute: ", 9)
        for at, value in enumerate(routes):
            if at:
                _add(&pieces, b", ", 2)
            _add_bytes(&pieces, value)
    if not hops:
        _add(&pieces, b"\r\nMax-Forwards: ", 16)
        _add(&pieces, digits, width)
    _add(&pieces, b"\r\n", 2)
    position = index[HEADERS_START]
    if routes is not None:
        route = find_field(index, count, ROUTE)
    while True:  # what comes first of the top Via, Max-Forwards and the Route lines
        start = index[BODY_END]
        if via_start >= 0:
            start = via_start
        if hops and hops_start < start:
            start = hops_start
        if route and index[route + 1] < start:
            start, end = index[route + 1], index[route + 3] + 2
            _add(&pieces, data + position, start - position)
            route = _next_field(index, count, ROUTE, route)
        elif start == via_start:
            end, via_start = via_end, -1
            _add(&pieces, data + position, start - position)
            _add_bytes(&pieces, top_via)
        elif hops:
            end, hops = hops_end, 0
            _add(&pieces, data + position, start - position)
            _add(&pieces, digits, width)
        else:
            break
        position = end
    _add(&pieces, data + position, index[BODY_END] - position)
    return _joined(&pieces)


def top_via_cut(response):
    """Return the same as `top_via_cut_in_python`."""
    cdef Py_ssize_t count, at, value_end
    cdef array row = response.index
    cdef const uint16_t *index = _numbers_in(row, &count)
    if index != NULL:
        at = find_field(index, count, VIA)
        value_end = response.top_via_span[1]
        if at and value_end == index[at + 3] and _next_field(index, count, VIA, at):
            return index[at + 1], index[at + 3] + 2
    return reference("switchboard.sip.splice", "top_via_cut_in_python")(response)


def strip_top_via(response):
    """Return the same as `strip_top_via_in_python`."""
    cdef bytes raw = response.raw, whole
    cdef Py_ssize_t start, end, size = PyBytes_GET_SIZE(raw)
    cdef Py_ssize_t stop = min(<Py_ssize_t>response.index[BODY_END], size)
    cdef const char *data = PyBytes_AS_STRING(raw)
    start, end = top_via_cut(response)
    start = min(start, size)
    end = min(end, stop)
    whole = PyBytes_FromStringAndSize(NULL, start + stop - end)
    memcpy(PyBytes_AS_STRING(whole), data, start)
    memcpy(PyBytes_AS_STRING(whole) + start, data + end, stop - end)
    return whole


cdef inline bint _spells(const char *at, const char *word, int length) noexcept:
    """Whether the letters of `word`, which is in lower case, stand here in any case."""
    cdef int offset
    for offset in range(length):
        if at[offset] | 0x20 != word[offset]:
            return False
    return True


def complete_via(bytes via not None, bytes host not None, int port, bint add_received):
    """Return the same as `complete_via_in_python`."""
    cdef const char *data = PyBytes_AS_STRING(via)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(via), at, asked = 0
    cdef Pieces pieces
    cdef char digits[16]
    for at in range(size - 4):
        if data[at] | 0x20 != c'r':
            continue
        if _spells(data + at, b"rport", 5):
            if asked or not at or data[at - 1] != c';' or (at + 5 < size and data[at + 5] != c';'):
                return reference("switchboard.sip.splice", "complete_via_in_python")(via, host, port, add_received)
            asked = at
        elif size - at >= 8 and _spells(data + at, b"received", 8):
            return reference("switchboard.sip.splice", "complete_via_in_python")(via, host, port, add_received)
    if not asked and not add_received:
        return via
    if size and data[size - 1] == c';':
        return reference("switchboard.sip.splice", "complete_via_in_python")(via, host, port, add_received)
    _begin(&pieces)
    if asked:
        _add(&pieces, data, asked)
        _add(&pieces, b"rport=", 6)
        _add(&pieces, digits, snprintf(digits, sizeof(digits), b"%d", port))
        _add(&pieces, data + asked + 5, size - asked - 5)
    else:
        _add(&pieces, data, size)
    _add(&pieces, b";received=", 10)
    _add_bytes(&pieces, host)
    return _joined(&pieces)


cdef bint _add_value(
    Pieces *pieces, const char *name, int length, bytes raw, const uint16_t *index, Py_ssize_t count, uint16_t number
) noexcept:
    """Add a line with the first such field's value; False if that goes over more than one line."""
    cdef Py_ssize_t at = find_field(index, count, number), start, end
    cdef const char *data = PyBytes_AS_STRING(raw)
    _add(pieces, name, length)
    if not at:
        return True
    start, end = index[at + 2], index[at + 3]
    if not start <= end <= PyBytes_GET_SIZE(raw):
        return False
    trim(<const unsigned char *>data, &start, &end)
    _add(pieces, data + start, end - start)
    return memchr(data + start, c'\n', end - start) == NULL


cdef inline bint _ends_oddly(const Pieces *pieces) noexcept:
    """Whether the last piece ends like an empty parameter."""
    cdef const Piece *last = &pieces.piece[pieces.count - 1]
    return last.size > 0 and last.start[last.size - 1] in (c'=', c';')


def build_response(request, int status, str reason="", str to_tag="", headers=(), bytes top_via=None):
    """Return the same as `build_response_in_python`."""
    cdef bytes whole = _built(request, status, reason, to_tag, headers, top_via)
    if whole is None:
        build = reference("switchboard.sip.respond", "build_response_in_python")
        return build(request, status, reason, to_tag, headers, top_via)
    return whole


cdef bytes _built(request, int status, str reason, str to_tag, headers, bytes top_via):
    cdef Pieces pieces
    cdef Py_ssize_t count = 0, at, start, end, line, size
    cdef array row = request.index
    cdef const uint16_t *index = _numbers_in(row, &count)
    cdef bytes raw = request.raw, phrase, tag, more
    cdef const char *data = PyBytes_AS_STRING(raw)
    cdef char digits[16]
    if index == NULL or (status == 100 and find_field(index, count, TIMESTAMP)):
        return None
    at = find_field(index, count, VIA)
    phrase = reason.encode() if reason else _phrases.get(status)
    if phrase is None or not at:
        return None
    size = PyBytes_GET_SIZE(raw)
    _begin(&pieces)
    _add(&pieces, b"SIP/2.0 ", 8)
    _add(&pieces, digits, snprintf(digits, sizeof(digits), b"%d ", status))
    _add_bytes(&pieces, phrase)
    _add(&pieces, b"\r\n", 2)
    line, start = at, index[at + 1]
    if top_via is not None:
        start, end = request.top_via_span
        if not index[at + 1] <= start <= end <= index[at + 3]:
            return None
        _add(&pieces, data + index[at + 1], start - index[at + 1])
        _add_bytes(&pieces, top_via)
        start = end
    while line:
        if not start <= index[line + 3] <= size:
            return None
        _add(&pieces, data + start, index[line + 3] - start)
        _add(&pieces, b"\r\n", 2)
        line = _next_field(index, count, VIA, line)
        start = index[line + 1]
    if not (
        _add_value(&pieces, b"From: ", 6, raw, index, count, FROM)
        and _add_value(&pieces, b"\r\nTo: ", 6, raw, index, count, TO)
    ):
        return None
    if to_tag and status > 100 and not request.to_tag:
        if _ends_oddly(&pieces):
            return None
        tag = to_tag.encode()
        _add(&pieces, b";tag=", 5)
        _add_bytes(&pieces, tag)
    if not (
        _add_value(&pieces, b"\r\nCall-ID: ", 11, raw, index, count, CALL_ID)
        and _add_value(&pieces, b"\r\nCSeq: ", 8, raw, index, count, CSEQ)
    ):
        return None
    if headers:
        more = "".join([f"\r\n{name}: {value}" for name, value in headers]).encode("utf-8", "surrogateescape")
        _add_bytes(&pieces, more)
    _add(&pieces, b"\r\nContent-Length: 0\r\n\r\n", 23)
    return _joined(&pieces)
