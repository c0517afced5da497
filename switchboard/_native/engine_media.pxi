# Whether the media of a new call is relayed (core/relay_rules.py); of browsers, the reference decides.

cdef extern from "string.h" nogil:
    void *memmem(const void *, size_t, const void *, size_t)

cdef enum:
    RELAYS_NONE, RELAYS_SOME, RELAYS_ALL
    FIRST_OF_WEB = 4  # of the transports (sip/flow.py)

cdef enum Relaying:
    NOT_RELAYED
    RELAYING_HELPS
    RELAYING_NEEDED
    IN_DOUBT

cdef enum Reach:
    ANYBODY
    NEIGHBOURS
    NOBODY
    UNKNOWN_REACH


cdef int _relaying_of(Engine self, const Message *message, Slice flow, Fact *caller, Fact *target) except -1:
    cdef Slice there = field_of(target, F_HOP)
    cdef Slice body = slice_of(message.raw + offset_in(message, I_BODY_START), message.raw + message.body_end)
    cdef bint from_web = flow.at[0] >= FIRST_OF_WEB
    cdef int flags = field_of(target, F_FLAGS).at[0], reach
    if self._relays == RELAYS_ALL:
        return RELAYING_NEEDED
    if from_web != (there.at[0] >= FIRST_OF_WEB):
        return IN_DOUBT
    if peer_address(flow).at[0] != peer_address(there).at[0]:
        return RELAYING_NEEDED
    if from_web:
        return NOT_RELAYED
    if body.size > 0 and memmem(body.at, body.size, b"a=fingerprint:", 14) != NULL:
        return IN_DOUBT
    reach = _reach_of(self, body, field_of(caller, F_HOST))
    if reach == UNKNOWN_REACH:
        return IN_DOUBT
    if flags & IS_BEHIND or reach == NOBODY or (reach == NEIGHBOURS and flags & IS_PUBLIC):
        return RELAYING_HELPS
    return NOT_RELAYED


cdef int _reach_of(Engine self, Slice sdp, Slice host) except -1:
    """Who reaches the addresses of the `c=` lines of this caller: `[one octet]`."""
    cdef const uint8_t *at = sdp.at
    cdef const uint8_t *end = sdp.at + max(sdp.size, 0)
    cdef const uint8_t *stop
    cdef Slice line, last = nothing()
    cdef Fact *fact
    self._text.size = 0
    put_slice(&self._text, host)
    put_octet(&self._text, c'\n')
    while at < end and self._text.size <= LONGEST_KEY:
        stop = <const uint8_t *>memchr(at, c'\n', end - at)
        line = slice_of(at, end if stop == NULL else stop)
        at = line.at + line.size + 1
        if line.size > 2 and line.at[0] == c'c' and line.at[1] == c'=' and not same(line, last):
            put_slice(&self._text, line)
            put_octet(&self._text, c'\n')
            last = line
    fact = _told_of(self, c'R', content(&self._text), self._finder.reach)
    return UNKNOWN_REACH if fact == NULL else field_of(fact, 0).at[0]
