# Byte surgery on plain messages: what sip/splice.py and sip/respond.py do.

cdef struct Change:
    # What changes in a request on its way (sip/splice.py, Forwarding). `via_place`: transport, and our host and port.
    # `outer`, `inner`: how the callee and the caller name us in a Route. Of a call that leads outside (engine_masks.pxi):
    # header lines that are `added`, what stands behind the seal (`mark`), From, To and the `number` of CSeq as the other
    # side sees them (0: as it came), and the targets that wait (`groups`) and were `tried`.
    Slice uri
    Slice via_place
    Slice branch
    Slice source_host
    int source_port
    bint add_received
    int max_forwards
    Slice outer
    Slice inner
    Slice seal
    bint keeps_credentials
    bint is_outside, is_masked
    Slice added, mark, from_, to_, groups, tried
    uint32_t number
    bint is_open  # the copy has no body and no Content-Length yet, nor the blank line


cdef void put_via(Buffer *to, const Message *message, const Change *change) noexcept nogil:
    """The sender's Via, completed with where the request came from (RFC 3261 §18.2.1, RFC 3581 §4)."""
    cdef Slice via = message.via
    if not message.rport and not change.add_received:
        put_slice(to, via)
        return
    if message.rport:
        put(to, via.at, message.rport)
        put_octet(to, c'=')
        put_decimal(to, change.source_port)
        put(to, via.at + message.rport, via.size - message.rport)
    else:
        put_slice(to, via)
    put(to, b";received=", 10)
    put_slice(to, change.source_host)


cdef void _put_record_route(Buffer *to, Slice place, Slice seal, Slice mark) noexcept nogil:
    put(to, b"Record-Route: <sip:", 19)
    put_slice(to, place)
    put(to, b";lr;sb=", 7)
    put_slice(to, seal)
    put_slice(to, mark)
    put(to, b">\r\n", 3)


cdef void put_request(Buffer *to, const Message *message, const Change *change, Spans *spans) noexcept nogil:
    """Write the copy of a request that is sent on (§16.6)."""
    cdef const uint8_t *raw = message.raw
    put_slice(to, message.method_text)
    put_octet(to, c' ')
    spans.uri = <uint16_t>to.size
    put_slice(to, change.uri)
    spans.uri_end = <uint16_t>to.size
    put(to, raw + message.uri_end, message.headers_start - message.uri_end)
    put(to, b"Via: ", 5)
    spans.via = <uint16_t>to.size
    put(to, b"SIP/2.0/", 8)
    put_slice(to, change.via_place)
    put(to, b";branch=", 8)
    put_slice(to, change.branch)
    spans.via_end = <uint16_t>to.size
    put(to, b"\r\n", 2)
    put_slice(to, change.added)
    if change.seal.size:
        _put_record_route(to, change.outer, change.seal, change.mark)
        if change.inner.size and not same(change.inner, change.outer):
            _put_record_route(to, change.inner, change.seal, change.mark)
    if not message.seen[H_MAX_FORWARDS]:
        put(to, b"Max-Forwards: ", 14)
        put_decimal(to, change.max_forwards)
        put(to, b"\r\n", 2)
    _put_fields(to, message, change, spans)


cdef void _put_fields(Buffer *to, const Message *message, const Change *change, Spans *spans) noexcept nogil:
    cdef const uint8_t *raw = message.raw
    cdef const uint8_t *at = raw + message.headers_start
    cdef const Field *field
    cdef int place
    for place in range(message.count):
        field = &message.fields[place]
        if field.number == H_VIA and place == message.first[H_VIA]:
            put(to, at, raw + field.start - at)
            put_via(to, message, change)
            at = raw + field.end
        elif field.number == H_MAX_FORWARDS:
            put(to, at, raw + field.start - at)
            put_decimal(to, change.max_forwards)
            at = raw + field.end
        elif field.number == H_ROUTE or (field.number == H_PROXY_AUTHORIZATION and not change.keeps_credentials) \
                or (field.number == H_CONTENT_LENGTH and change.is_open):
            put(to, at, raw + field.line - at)
            at = line_end(message, place)
        elif change.is_masked and _is_masked(field, change):
            put(to, at, raw + field.line - at)
            _put_masked(to, message, field, change, spans)
            at = line_end(message, place)
        elif field.number == H_FROM or field.number == H_TO or field.number == H_CALL_ID:
            put(to, at, raw + field.start - at)
            at = raw + field.start
            _note_span(spans, field, to.size)
    put(to, at, raw + (message.headers_end if change.is_open else message.body_end) - at)


cdef inline bint _is_masked(const Field *field, const Change *change) noexcept nogil:
    return field.number == H_FROM or field.number == H_TO or (field.number == H_CSEQ and change.number)


cdef void _put_masked(Buffer *to, const Message *message, const Field *field, const Change *change,
                      Spans *spans) noexcept nogil:
    """Write a line of From, To or CSeq as the other side is to see it."""
    cdef Py_ssize_t start
    put_name(to, message, field)
    if field.number == H_CSEQ:
        put_sequence(to, change.number, message.method_text)
        return
    start = to.size
    put_slice(to, change.from_ if field.number == H_FROM else change.to_)
    _note_span_of(spans, field.number, start, to.size)
    put(to, b"\r\n", 2)


cdef void put_name(Buffer *to, const Message *message, const Field *field) noexcept nogil:
    """Write the name with which a line begins, and the colon."""
    cdef const uint8_t *line = message.raw + field.line
    put_slice(to, slice_of(line, <const uint8_t *>memchr(line, c':', message.raw + field.start - line)))
    put(to, b": ", 2)


cdef void put_sequence(Buffer *to, uint32_t number, Slice method) noexcept nogil:
    """Write the value of CSeq, and the end of its line."""
    put_decimal(to, number)
    put_octet(to, c' ')
    put_slice(to, method)
    put(to, b"\r\n", 2)


cdef inline void _note_span(Spans *spans, const Field *field, Py_ssize_t start) noexcept nogil:
    _note_span_of(spans, field.number, start, start + field.end - field.start)


cdef inline void _note_span_of(Spans *spans, int number, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    cdef uint16_t first = <uint16_t>start, end = <uint16_t>stop
    if number == H_FROM:
        spans.from_, spans.from_end = first, end
    elif number == H_TO:
        spans.to, spans.to_end = first, end
    else:
        spans.call_id, spans.call_id_end = first, end


cdef void put_of_same(Buffer *to, const Buffer *sent, const Spans *spans, Slice method, Slice callee,
                      uint32_t sequence) noexcept nogil:
    """Write the ACK for a non-2xx final response (§17.1.1.3), or the CANCEL (§9.1), of the request that we `sent`."""
    cdef const uint8_t *raw = sent.data
    put_slice(to, method)
    put_octet(to, c' ')
    put(to, raw + spans.uri, spans.uri_end - spans.uri)
    put(to, b" SIP/2.0\r\nVia: ", 15)
    put(to, raw + spans.via, spans.via_end - spans.via)
    put(to, b"\r\nFrom: ", 8)
    put(to, raw + spans.from_, spans.from_end - spans.from_)
    put(to, b"\r\nTo: ", 6)
    put_slice(to, callee)
    put(to, b"\r\nCall-ID: ", 11)
    put(to, raw + spans.call_id, spans.call_id_end - spans.call_id)
    put(to, b"\r\nCSeq: ", 8)
    put_decimal(to, sequence)
    put_octet(to, c' ')
    put_slice(to, method)
    put(to, b"\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n", 41)


cdef void put_response(Buffer *to, const Message *message, const Change *change, Slice start_line,
                       Slice tag) noexcept nogil:
    """Write a response of our own to a request (§8.2.6); `tag` is added to a To that has none."""
    cdef const Field *field
    cdef int place
    put_slice(to, start_line)
    put(to, b"\r\n", 2)
    for place in range(message.count):
        field = &message.fields[place]
        if field.number != H_VIA:
            continue
        if place == message.first[H_VIA]:
            put(to, message.raw + field.line, field.start - field.line)
            put_via(to, message, change)
            put(to, message.raw + field.end, line_end(message, place) - message.raw - field.end)
        else:
            put(to, message.raw + field.line, line_end(message, place) - message.raw - field.line)
    put(to, b"From: ", 6)
    put_slice(to, value_of(message, H_FROM))
    put(to, b"\r\nTo: ", 6)
    put_slice(to, value_of(message, H_TO))
    if tag.size and not message.to_tag.size:
        put(to, b";tag=", 5)
        put_slice(to, tag)
    put(to, b"\r\nCall-ID: ", 11)
    put_slice(to, message.call_id)
    put(to, b"\r\nCSeq: ", 8)
    put_slice(to, value_of(message, H_CSEQ))
    put(to, b"\r\nContent-Length: 0\r\n\r\n", 23)


cdef void put_body(Buffer *to, Slice body) noexcept nogil:
    """End a head that has no Content-Length, and write the body (sip/splice.py, with_body)."""
    put(to, b"Content-Length: ", 16)
    put_decimal(to, body.size)
    put(to, b"\r\n\r\n", 4)
    put_slice(to, body)


cdef void put_head_without_via(Buffer *to, const Message *message) noexcept nogil:
    """Write the head of a response without its top Via and the Content-Length behind it, and without a blank line."""
    cdef int place = message.first[H_VIA], other
    cdef const uint8_t *at = message.next_via
    if at != NULL:
        put(to, message.raw, message.fields[place].start)
    else:
        at = line_end(message, place)
        put(to, message.raw, message.fields[place].line)
    for other in range(message.count):
        if message.fields[other].number == H_CONTENT_LENGTH:
            put(to, at, message.raw + message.fields[other].line - at)
            at = line_end(message, other)
    put(to, at, message.raw + message.headers_end - at)


cdef void put_without_via(Buffer *to, const Message *message) noexcept nogil:
    """Write a response without its top Via: the line, or the value where another one follows it (§16.7 step 3)."""
    cdef int place = message.first[H_VIA]
    cdef const uint8_t *end = message.next_via
    if end != NULL:
        put(to, message.raw, message.fields[place].start)
    else:
        end = line_end(message, place)
        put(to, message.raw, message.fields[place].line)
    put(to, end, message.raw + message.body_end - end)
