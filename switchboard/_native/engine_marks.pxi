# What the engine reads of SDP that is relayed (media/sdp.py), and the mark of relayed media (core/relay_mark.py).

cdef int _sdp_in(const Message *message, Slice *body) noexcept nogil:
    """1: the body is plain SDP of streams over UDP. 0: there is no body. -1: anything else."""
    cdef Slice kind = value_of(message, H_CONTENT_TYPE)
    body[0] = slice_of(message.raw + offset_in(message, I_BODY_START), message.raw + message.body_end)
    if body.size <= 0:
        return 0
    if message.seen[H_CONTENT_TYPE] != 1 or not is_text(kind, b"application/sdp", 15):
        return -1
    if has_field(message, b"content-encoding", 16):
        return -1
    return 1 if _has_plain_streams(body[0]) else -1


cdef bint _has_plain_streams(Slice sdp) noexcept nogil:
    cdef const uint8_t *at = sdp.at
    cdef const uint8_t *end = sdp.at + sdp.size
    cdef const uint8_t *stop
    cdef int streams = 0
    if memmem(at, end - at, b"a=fingerprint:", 14) != NULL:
        return False
    while at < end:
        stop = <const uint8_t *>memchr(at, c'\n', end - at)
        if stop == NULL:
            stop = end
        if stop - at > 2 and at[0] == c'm' and at[1] == c'=':
            streams += 1
            if _names_tcp(at + 2, stop):
                return False
        at = stop + 1
    return streams > 0


cdef bint _names_tcp(const uint8_t *at, const uint8_t *end) noexcept nogil:
    """Whether `tcp` stands here, in any case."""
    while end - at >= 3:
        if _lowered[at[0]] == c't' and _lowered[at[1]] == c'c' and _lowered[at[2]] == c'p':
            return True
        at += 1
    return False


cdef bint _is_clean(Slice sdp) noexcept nogil:
    """Whether what an engine wrote can leave as it is (media/sdp.py, put_back)."""
    cdef const uint8_t *at = sdp.at
    cdef const uint8_t *end = sdp.at + sdp.size
    cdef const uint8_t *stop
    if not 0 < sdp.size <= MOST_SDP:
        return False
    while at < end:
        stop = <const uint8_t *>memchr(at, c'\n', end - at)
        if stop == NULL or stop - at < 2 or (stop - 1)[0] != c'\r':
            return False
        if stop - at >= 19 and memcmp(at, b"a=end-of-candidates", 19) == 0:
            return False
        if stop - at > 9 and memcmp(at, b"a=rtpmap:", 9) == 0 and memmem(at, stop - at, b" /", 2) != NULL:
            return False
        at = stop + 1
    return True


# the mark in a Record-Route (core/relay_mark.py)


cdef void _sum_mark(Engine self, uint8_t *to, Slice call_id, Slice tag, Slice claim) noexcept:
    cdef Blake2s sum
    begin_sum(&sum, self._key.at, <int>self._key.size, <const uint8_t *>b"media\0\0\0", MARK_MAC)
    add_to_sum(&sum, call_id)
    add_to_sum(&sum, _NEWLINE)
    add_to_sum(&sum, tag)
    add_to_sum(&sum, _NEWLINE)
    add_to_sum(&sum, claim)
    end_sum(&sum, to, MARK_MAC)


cdef void _put_mark(Engine self, Buffer *to, Message *message, const uint8_t *engine) noexcept:
    """Write the mark of a call between phones that this engine relays."""
    cdef uint8_t octets[MARK_SIZE]
    octets[MARK_MAC] = 0
    memcpy(octets + MARK_MAC + 1, engine, MARK_SUM)
    _sum_mark(self, octets, message.call_id, message.from_tag, slice_of(octets + MARK_MAC, octets + MARK_SIZE))
    put_base64(to, octets, MARK_SIZE)


cdef bint _read_mark(Engine self, Message *message, Slice mark, uint8_t *engine) noexcept:
    """Read whose call it is in the mark (untrusted) of a request within a dialog; False if it is not ours."""
    cdef uint8_t octets[4 * MARK_SIZE]
    cdef uint8_t sum[MARK_MAC]
    cdef Slice claim
    if mark.size > 2 * MARK_SIZE or read_base64(mark, octets, 4 * MARK_SIZE) != MARK_SIZE:
        return False
    claim = slice_of(octets + MARK_MAC, octets + MARK_SIZE)
    memcpy(engine, octets + MARK_MAC + 1, MARK_SUM)
    _sum_mark(self, sum, message.call_id, message.from_tag, claim)
    if _is_mac(sum, octets):
        return True
    _sum_mark(self, sum, message.call_id, message.to_tag, claim)
    return _is_mac(sum, octets)


cdef bint _is_mac(const uint8_t *one, const uint8_t *other) noexcept nogil:
    """Compare them in the same time, whatever they are."""
    cdef uint8_t differs = 0
    cdef int at
    for at in range(MARK_MAC):
        differs |= one[at] ^ other[at]
    return differs == 0
