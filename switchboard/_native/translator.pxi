"""Compiled twin of `transports/transport.py`: from packed items to packed items, with all other octets unchanged.

It handles plain status lines, and leaves all others to the Phrases.
"""

cdef enum:
    PLAIN_ITEM = 2  # elements of an item: flow, datagram
    RESPONSE_ITEM = 4  # in addition the user and the Accept-Language of the reader
    CODE = 8  # where it begins
    PHRASE = 12

cdef struct Translated:
    Py_ssize_t elements
    const unsigned char *flow
    Py_ssize_t flow_size
    const unsigned char *raw
    Py_ssize_t raw_size
    const unsigned char *user
    Py_ssize_t user_size
    const unsigned char *accepted
    Py_ssize_t accepted_size


cdef bint _read_translated(Cursor *cursor, Translated *item) noexcept nogil:
    cdef FlowParts parts
    item.elements = read_array(cursor)
    if item.elements != PLAIN_ITEM and item.elements != RESPONSE_ITEM:
        return False
    if not read_binary(cursor, &item.flow, &item.flow_size) or not read_flow(item.flow, item.flow_size, &parts):
        return False
    if not read_binary(cursor, &item.raw, &item.raw_size):
        return False
    if item.elements == PLAIN_ITEM:
        return True
    return read_text(cursor, &item.user, &item.user_size) and read_text(cursor, &item.accepted, &item.accepted_size)


cdef bint _is_plain(Translated *item, const unsigned char *line_end) noexcept nogil:
    """Whether the message has a status line whose phrase may be replaced."""
    cdef const unsigned char *raw = item.raw
    if line_end == NULL or line_end - raw < PHRASE or line_end + 1 >= raw + item.raw_size or line_end[1] != c'\n':
        return False
    if memcmp(raw, b"SIP/2.0 ", CODE) != 0 or raw[CODE + 3] != c' ' or memchr(raw, c'\n', line_end - raw) != NULL:
        return False
    return c'1' <= raw[CODE] <= c'6' and c'0' <= raw[CODE + 1] <= c'9' and c'0' <= raw[CODE + 2] <= c'9'


cdef bytes _phrase_for(Translated *item, const unsigned char *line_end, dict table, dict standard):
    """The phrase to insert; None if the present one stays."""
    cdef bytes code = item.raw[CODE : CODE + 3]
    cdef bytes phrase = table.get(code), usual
    if phrase is None or item.raw[CODE] >= c'3' or code == b"100" or code == b"180":
        return phrase
    usual = standard.get(code, b"")
    return phrase if _says(item.raw + PHRASE, line_end, usual) else None


cdef bint _says(const unsigned char *at, const unsigned char *end, bytes usual) noexcept:
    """Whether the phrase is the `usual` one (lower case), apart from blanks and case."""
    cdef const unsigned char *wanted = <const unsigned char *>PyBytes_AS_STRING(usual)
    cdef Py_ssize_t letter
    while at < end and _is_blank(at[0]):
        at += 1
    while end > at and _is_blank((end - 1)[0]):
        end -= 1
    if at == end:
        return True
    if end - at != PyBytes_GET_SIZE(usual):
        return False
    for letter in range(end - at):
        if (at[letter] | 0x20 if c'A' <= at[letter] <= c'Z' else at[letter]) != wanted[letter]:
            return False
    return True


cdef inline bint _is_blank(unsigned char octet) noexcept nogil:
    return octet == c' ' or 9 <= octet <= 13


cdef class Phrasing:
    """Puts the phrases of `phrases` as they are now into packed items."""

    cdef object _phrases
    cdef bytes _user, _accepted
    cdef dict _table, _standard, _users

    def __init__(self, phrases):
        self._phrases, self._standard, self._users = phrases, phrases.standard, dict(phrases.users)
        self._user = self._accepted = b""

    def rewrite(self, bytes octets not None, Py_ssize_t start, Py_ssize_t count, list by_class not None):
        """Return as packed items of sip.send the `count` items that stand at `start` and end with the octets.

        Responses are counted `by_class`. None, and nothing is counted, if not all of it is plain.
        """
        cdef Cursor cursor
        cdef Translated item
        cdef list said = []
        cdef Py_ssize_t size = 0
        if not _begin_run(&cursor, octets, start):
            return None
        for _ in range(count):
            if not _read_translated(&cursor, &item):
                return None
        if cursor.at != cursor.end:
            return None
        _begin_run(&cursor, octets, start)
        for _ in range(count):
            _read_translated(&cursor, &item)
            phrase = self.say(&item, by_class) if item.elements == RESPONSE_ITEM else None
            said.append(phrase)
            size += _size_with(&item, phrase)
        _begin_run(&cursor, octets, start)
        return _rewritten(&cursor, said, size)

    cdef object say(self, Translated *item, list by_class):
        """What a response is to say: its phrase, or None for what stands there. All of it in a tuple, if it is odd."""
        cdef const unsigned char *line_end = _status_end(item)
        cdef int digit = item.raw[CODE] - c'0' if item.raw_size > CODE and c'1' <= item.raw[CODE] <= c'6' else 0
        by_class[digit] += 1
        if not _is_plain(item, line_end):
            user, accepted = _text(item.user, item.user_size), _text(item.accepted, item.accepted_size)
            return (self._phrases.translate(item.raw[: item.raw_size], user, accepted),)
        return _phrase_for(item, line_end, self._choose(item), self._standard)

    cdef dict _choose(self, Translated *item):
        """The table of this reader, which is usually that of the reader before."""
        if self._table is None or not (
            _is_same(self._accepted, item.accepted, item.accepted_size)
            and (not self._users or _is_same(self._user, item.user, item.user_size))
        ):
            self._user = item.user[: item.user_size]
            self._accepted = item.accepted[: item.accepted_size]
            self._table = self._phrases.phrases(
                _text(item.user, item.user_size), _text(item.accepted, item.accepted_size)
            )
        return self._table


cdef bint _begin_run(Cursor *cursor, bytes octets, Py_ssize_t start):
    cursor.at = <const unsigned char *>PyBytes_AS_STRING(octets) + start
    cursor.end = <const unsigned char *>PyBytes_AS_STRING(octets) + PyBytes_GET_SIZE(octets)
    return 0 <= start <= PyBytes_GET_SIZE(octets)


cdef inline const unsigned char *_status_end(Translated *item) noexcept nogil:
    return <const unsigned char *>memchr(item.raw, c'\r', item.raw_size)


cdef Py_ssize_t _raw_size_with(Translated *item, said) except -1:
    """The size of the message with this phrase."""
    if said is None:
        return item.raw_size
    if isinstance(said, tuple):
        return PyBytes_GET_SIZE(<bytes>said[0])
    return PHRASE + PyBytes_GET_SIZE(<bytes>said) + (item.raw + item.raw_size - _status_end(item))


cdef Py_ssize_t _size_with(Translated *item, said) except -1:
    """The size of the packed item with this phrase."""
    cdef Py_ssize_t size = _raw_size_with(item, said)
    return 1 + binary_head(item.flow_size) + item.flow_size + binary_head(size) + size


cdef bytes _rewritten(Cursor *cursor, list said, Py_ssize_t size):
    cdef Translated item
    cdef bytes run = PyBytes_FromStringAndSize(NULL, size)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(run)
    for each in said:
        _read_translated(cursor, &item)
        to = _write_item(to, &item, each)
    return run


cdef unsigned char *_write_item(unsigned char *to, Translated *item, said) except NULL:
    """Write the item of sip.send as the codec does."""
    cdef const unsigned char *line_end
    to[0] = LIST_OF_TWO
    to = write_binary(to + 1, item.flow, item.flow_size)
    if said is None:
        return write_binary(to, item.raw, item.raw_size)
    if isinstance(said, tuple):
        return write_binary(to, PyBytes_AS_STRING(<bytes>said[0]), PyBytes_GET_SIZE(<bytes>said[0]))
    line_end = _status_end(item)
    to = write_binary_head(to, _raw_size_with(item, said))
    memcpy(to, item.raw, PHRASE)
    memcpy(to + PHRASE, PyBytes_AS_STRING(<bytes>said), PyBytes_GET_SIZE(<bytes>said))
    to += PHRASE + PyBytes_GET_SIZE(<bytes>said)
    memcpy(to, line_end, item.raw + item.raw_size - line_end)
    return to + (item.raw + item.raw_size - line_end)


cdef inline bint _is_same(bytes known, const unsigned char *octets, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(known) == size and memcmp(PyBytes_AS_STRING(known), octets, size) == 0


cdef inline str _text(const unsigned char *octets, Py_ssize_t size):
    return octets[:size].decode("utf-8", "surrogateescape")
