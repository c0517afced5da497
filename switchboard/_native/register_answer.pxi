# The 200 to a plain REGISTER, and the item that carries it: the twin of `_ok` of rules.py.


cdef int _write_response(Reception self, double now_at) except -1:
    """Write the response (RFC 3261 §10.3, step 8)."""
    cdef Register *register = &self._register
    cdef Message *message = &register.message
    cdef Bindings *bindings = &self._bindings
    cdef Buffer *to = &self._response
    cdef int at
    to.size = 0
    put(to, b"SIP/2.0 200 OK\r\n", 16)
    _put_vias(self)
    put(to, b"From: ", 6)
    put_slice(to, value_of(message, H_FROM))
    put(to, b"\r\nTo: ", 6)
    put_slice(to, value_of(message, H_TO))
    if message.to_tag.size == 0:
        _put_tag(self)
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


cdef void _put_vias(Reception self) noexcept:
    """Copy the Via fields, and complete the top one with the source (RFC 3261 §18.2.1, RFC 3581 §4)."""
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


cdef void _put_tag(Reception self) noexcept:
    """Write the tag of To, which is the same for a retransmission (`to_tag` of rules.py)."""
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


cdef bytes _packed_answer(Reception self):
    """The item of sip.translate, addressed as the top Via requires (`response_address`)."""
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
    """Whether the host of a Via, with or without brackets, is `host`."""
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
