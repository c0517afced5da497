# Which calls are the reference's since their media is relayed, or may have to be (core/relay_rules.py).

cdef extern from "string.h" nogil:
    void *memmem(const void *, size_t, const void *, size_t)

cdef enum:
    RELAYS_NONE, RELAYS_SOME, RELAYS_ALL
    FIRST_OF_WEB = 4  # of the transports (sip/flow.py)


cdef bint _may_be_relayed(Engine self, const Message *message, Slice flow, Fact *caller, Fact *target) noexcept nogil:
    """Whether the media of a call may have to be relayed: not between phones that are alike and where they say."""
    cdef Slice there = field_of(target, F_HOP)
    cdef const uint8_t *body = message.raw + message.headers_end
    cdef Py_ssize_t size = message.body_end - message.headers_end
    if self._relays == RELAYS_ALL or (flow.at[0] >= FIRST_OF_WEB) != (there.at[0] >= FIRST_OF_WEB):
        return True
    if peer_address(flow).at[0] != peer_address(there).at[0]:
        return True
    if flow.at[0] >= FIRST_OF_WEB:
        return False
    if memmem(body, size, b"a=fingerprint:", 14) != NULL:
        return True
    return not _awaits_media_at(body, size, field_of(caller, F_HOST))


cdef bint _awaits_media_at(const uint8_t *body, Py_ssize_t size, Slice host) noexcept nogil:
    """Whether each `c=` of SDP names this host, as it is written."""
    cdef const uint8_t *end = body + size
    cdef const uint8_t *at = body
    while True:
        at = <const uint8_t *>memmem(at, end - at, b"\nc=", 3)
        if at == NULL:
            return True
        at += 10  # behind `c=IN IP4 `
        if end - at <= host.size or memcmp(at, host.at, host.size) != 0:
            return False
        if at[host.size] != c'\r' and at[host.size] != c'\n':
            return False
