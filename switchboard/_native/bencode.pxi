# The NG protocol of media engines: questions in bencode as media/bencode.py writes them, and what is read of replies.

cdef enum:
    DEEPEST = 16  # lists and dictionaries within one another

cdef uint64_t _MOST_PACKETS = <uint64_t>1 << 53  # media/commands.py

cdef struct Reply:
    # What an engine (untrusted) has answered (media/commands.py, Told). `packets`: of the sides with two tags.
    bint is_ok
    bint knew_nothing
    bint has_figures
    Slice sdp
    uint64_t packets[2]


cdef void put_text(Buffer *to, Slice text) noexcept nogil:
    put_decimal(to, text.size)
    put_octet(to, c':')
    put_slice(to, text)


cdef void put_pair(Buffer *to, Slice key, Slice value) noexcept nogil:
    put_text(to, key)
    put_text(to, value)


cdef bint read_ng(Slice octets, Slice one, Slice other, Reply *reply) noexcept nogil:
    """Read a reply; False if it is no dictionary in bencode. `one`, `other`: tags whose packets are counted."""
    cdef const uint8_t *end = octets.at + octets.size
    cdef const uint8_t *at = octets.at
    cdef Slice key
    memset(reply, 0, sizeof(Reply))
    if octets.size < 2 or at[0] != c'd' or _skip(at, end, 0) != end:
        return False
    at += 1
    while at[0] != c'e':
        at = _read_string(at, end, &key)
        if is_text(key, b"result", 6):
            _read_string(at, end, &key)
            reply.is_ok = is_text(key, b"ok", 2)
        elif is_text(key, b"sdp", 3):
            _read_string(at, end, &reply.sdp)
        elif is_text(key, b"warning", 7):
            reply.knew_nothing = True
        elif is_text(key, b"tags", 4) and at[0] == c'd':
            reply.has_figures = True
            _count_packets(at, end, one, other, reply)
        at = _skip(at, end, 0)
    return True


cdef void _count_packets(const uint8_t *at, const uint8_t *end, Slice one, Slice other, Reply *reply) noexcept nogil:
    cdef Slice tag
    at += 1
    while at[0] != c'e':
        at = _read_string(at, end, &tag)
        if same(tag, one):
            reply.packets[0] = _received(at, end)
        if same(tag, other):
            reply.packets[1] = _received(at, end)
        at = _skip(at, end, 0)


cdef uint64_t _received(const uint8_t *side, const uint8_t *end) noexcept nogil:
    """The RTP packets of all streams of one side; RTCP is not counted."""
    cdef const uint8_t *media = _first_of(_find(side, end, b"medias", 6))
    cdef const uint8_t *stream
    cdef uint64_t count = 0
    while media != NULL and media[0] != c'e':
        stream = _first_of(_find(media, end, b"streams", 7))
        while stream != NULL and stream[0] != c'e':
            if _holds(_first_of(_find(stream, end, b"flags", 5)), end, b"RTP", 3):
                count += min(_number_at(_find(_find(stream, end, b"stats", 5), end, b"packets", 7)), _MOST_PACKETS)
                count = min(count, _MOST_PACKETS)
            stream = _skip(stream, end, 0)
        media = _skip(media, end, 0)
    return count


# Below, what is read is known to be whole.


cdef const uint8_t *_find(const uint8_t *at, const uint8_t *end, const char *name, Py_ssize_t size) noexcept nogil:
    """The value of a key, NULL if there is none, or if no dictionary is here."""
    cdef Slice key
    if at == NULL or at[0] != c'd':
        return NULL
    at += 1
    while at[0] != c'e':
        at = _read_string(at, end, &key)
        if is_text(key, name, size):
            return at
        at = _skip(at, end, 0)
    return NULL


cdef inline const uint8_t *_first_of(const uint8_t *at) noexcept nogil:
    """The first value of a list, or its end; NULL if no list is here."""
    return at + 1 if at != NULL and at[0] == c'l' else NULL


cdef bint _holds(const uint8_t *at, const uint8_t *end, const char *text, Py_ssize_t size) noexcept nogil:
    cdef Slice each
    while at != NULL and at[0] != c'e':
        if c'0' <= at[0] <= c'9':
            _read_string(at, end, &each)
            if is_text(each, text, size):
                return True
        at = _skip(at, end, 0)
    return False


cdef uint64_t _number_at(const uint8_t *at) noexcept nogil:
    cdef uint64_t number = 0
    if at == NULL or at[0] != c'i':
        return 0
    at += 1
    while c'0' <= at[0] <= c'9':
        number = number * 10 + (at[0] - c'0')
        at += 1
    return number


# Below, anything may come.


cdef const uint8_t *_read_string(const uint8_t *at, const uint8_t *end, Slice *text) noexcept nogil:
    """Read `size:octets`; return what follows, NULL if that is none."""
    cdef Py_ssize_t size = 0
    cdef const uint8_t *first = at
    text[0] = nothing()
    while at < end and at - first < 9 and c'0' <= at[0] <= c'9':
        size = size * 10 + (at[0] - c'0')
        at += 1
    if at == first or at == end or at[0] != c':' or end - at - 1 < size:
        return NULL
    text[0] = slice_of(at + 1, at + 1 + size)
    return at + 1 + size


cdef const uint8_t *_skip(const uint8_t *at, const uint8_t *end, int depth) noexcept nogil:
    """What follows a value; NULL if none is here."""
    cdef Slice text
    cdef const uint8_t *first
    cdef bint is_dictionary
    if at == NULL or at >= end:
        return NULL
    if c'0' <= at[0] <= c'9':
        return _read_string(at, end, &text)
    if at[0] == c'i':
        at += 1
        if at < end and at[0] == c'-':
            at += 1
        first = at
        while at < end and c'0' <= at[0] <= c'9':
            at += 1
        return at + 1 if at < end and at[0] == c'e' and 0 < at - first < 20 else NULL
    if (at[0] != c'l' and at[0] != c'd') or depth == DEEPEST:
        return NULL
    is_dictionary = at[0] == c'd'
    at += 1
    while at < end and at[0] != c'e':
        if is_dictionary:
            at = _read_string(at, end, &text)
        at = _skip(at, end, depth + 1)
        if at == NULL:
            return NULL
    return at + 1 if at < end else NULL


def read_ng_reply(bytes octets not None, str one, str other):
    """What the engine reads of a reply: whether it is ok, the SDP, whether it knew nothing, and the packets of two tags.

    None if that is no dictionary in bencode; None in place of the packets if it tells none.
    """
    cdef Reply reply
    first, second = one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
    if not read_ng(slice_in(octets), slice_in(first), slice_in(second), &reply):
        return None
    packets = (reply.packets[0], reply.packets[1]) if reply.has_figures else None
    return bool(reply.is_ok), as_bytes(reply.sdp), bool(reply.knew_nothing), packets
