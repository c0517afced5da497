"""Compiled twin of what `translator.py` does with a sip.translate: from frame to packed items, the rest untouched.

Plain status lines are its business; whatever else comes it gives to the Phrases.
"""

cdef enum:
    PLAIN_ITEM = 2  # elements of an item: flow, datagram
    RESPONSE_ITEM = 4  # and user and Accept-Language of who reads it
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


def rewrite(bytes frame not None, Py_ssize_t start, phrases):
    """Rewrite the packed list of items at `start`. Returns the packed items of sip.send, and the first digit of each
    response's code.

    None if not all of it is plain: the reference is to look at it.
    """
    cdef Cursor cursor
    cdef Translated item
    cdef Py_ssize_t count
    cdef list items = [], classes = []
    if not 0 <= start <= PyBytes_GET_SIZE(frame):
        return None
    cursor.at = <const unsigned char *>PyBytes_AS_STRING(frame) + start
    cursor.end = <const unsigned char *>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(frame)
    count = read_array(&cursor)
    for _ in range(count):
        if not _read_translated(&cursor, &item):
            return None
        if item.elements == RESPONSE_ITEM:
            items.append(_rewritten(&item, phrases))
            classes.append(item.raw[CODE : CODE + 1] if item.raw_size > CODE else b"")
        else:
            items.append(_item_with(&item, item.raw, item.raw_size))
    if count < 0 or cursor.at != cursor.end:
        return None
    return items, classes


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


cdef bytes _rewritten(Translated *item, phrases):
    cdef const unsigned char *line_end = <const unsigned char *>memchr(item.raw, c'\r', item.raw_size)
    cdef bytes raw, phrase
    cdef str user = _text(item.user, item.user_size), accepted = _text(item.accepted, item.accepted_size)
    if not _is_plain(item, line_end):
        raw = phrases.translate(item.raw[: item.raw_size], user, accepted)
        return _item_with(item, <const unsigned char *>PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))
    phrase = _phrase_for(item, line_end, phrases.phrases(user, accepted), phrases.standard)
    if phrase is None:
        return _item_with(item, item.raw, item.raw_size)
    return _spliced(item, phrase, line_end)


cdef bint _is_plain(Translated *item, const unsigned char *line_end) noexcept nogil:
    """Whether it has a status line whose phrase may be another one."""
    cdef const unsigned char *raw = item.raw
    if line_end == NULL or line_end - raw < PHRASE or line_end + 1 >= raw + item.raw_size or line_end[1] != c'\n':
        return False
    if memcmp(raw, b"SIP/2.0 ", CODE) != 0 or raw[CODE + 3] != c' ' or memchr(raw, c'\n', line_end - raw) != NULL:
        return False
    return c'1' <= raw[CODE] <= c'6' and c'0' <= raw[CODE + 1] <= c'9' and c'0' <= raw[CODE + 2] <= c'9'


cdef bytes _phrase_for(Translated *item, const unsigned char *line_end, dict table, dict standard):
    """The phrase to put in, None if that which stands there is to stay."""
    cdef bytes code = item.raw[CODE : CODE + 3]
    cdef bytes phrase = table.get(code), usual
    if phrase is None or item.raw[CODE] >= c'3' or code == b"100" or code == b"180":
        return phrase
    usual = standard.get(code, b"")
    return phrase if _says(item.raw + PHRASE, line_end, usual) else None


cdef bint _says(const unsigned char *at, const unsigned char *end, bytes usual) noexcept:
    """Whether nothing else stands there than blanks and the `usual` phrase, which is in lower case."""
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


cdef bytes _spliced(Translated *item, bytes phrase, const unsigned char *line_end):
    cdef Py_ssize_t phrase_size = PyBytes_GET_SIZE(phrase), rest = item.raw + item.raw_size - line_end
    cdef bytes raw = PyBytes_FromStringAndSize(NULL, PHRASE + phrase_size + rest)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(raw)
    memcpy(to, item.raw, PHRASE)
    memcpy(to + PHRASE, PyBytes_AS_STRING(phrase), phrase_size)
    memcpy(to + PHRASE + phrase_size, line_end, rest)
    return _item_with(item, to, PyBytes_GET_SIZE(raw))


cdef bytes _item_with(Translated *item, const unsigned char *raw, Py_ssize_t size):
    """The item of sip.send as the codec writes it."""
    cdef Py_ssize_t head = 1 + binary_head(item.flow_size) + item.flow_size
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, head + binary_head(size) + size)
    cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(packed)
    to[0] = LIST_OF_TWO
    write_binary(write_binary(to + 1, item.flow, item.flow_size), raw, size)
    return packed
