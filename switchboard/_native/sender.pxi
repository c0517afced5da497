"""Compiled twin of what `transports/sender.py` does with a run of items: from packed items to datagrams.

Phrases are spliced on the way: a datagram is sent as its beginning, the phrase, and its rest. What is not plain is
left to the reference.
"""

cdef enum:
    PARTS = 3

cdef struct Parts:
    iovec vectors[PARTS]


cdef class RunSender(BatchSender):
    """Sends runs of packed items of sip.send and sip.translate, in order."""

    cdef Parts _parts[BATCH]
    cdef list _by_class
    cdef object _phrases
    cdef bytes _user, _accepted
    cdef dict _table

    def __init__(self, *_arguments):
        self._user = self._accepted = b""

    def send_run(self, Py_ssize_t count, bytes items not None, phrases not None, list by_class not None):
        """Send `count` packed items, responses with what `phrases` says. Returns (sent, failed). `by_class`: counts
        responses by the first digit of their code.

        None, and nothing is sent, if not all of it is plain: the reference is to look at it.
        """
        cdef Cursor cursor
        cdef Translated item
        cdef Outgoing outgoing
        for _ in range(_begin_run(&cursor, items, count)):
            if not (_read_translated(&cursor, &item) and self._read_target(&item, &outgoing)):
                return None
        if cursor.at != cursor.end:
            return None
        self._by_class = by_class
        if phrases is not self._phrases:
            self._phrases, self._table = phrases, None
        _begin_run(&cursor, items, count)
        return self._send_parts(&cursor, count)

    cdef tuple _send_parts(self, Cursor *cursor, Py_ssize_t count):
        cdef Translated item
        cdef Outgoing outgoing
        cdef Py_ssize_t sent = 0
        cdef int waiting = 0, family = 0
        cdef list kept = []  # what the parts of datagrams point to
        for _ in range(count):
            _read_translated(cursor, &item)
            self._read_target(&item, &outgoing)
            if waiting == BATCH or (waiting and outgoing.family != family):
                sent += self._flush(family, waiting)
                waiting = 0
            family = outgoing.family
            outgoing.data, outgoing.size = item.raw, item.raw_size
            self._fill(waiting, &outgoing)
            if item.elements == RESPONSE_ITEM:
                self._splice(waiting, &item, kept)
            waiting += 1
        sent += self._flush(family, waiting)
        return sent, count - sent

    cdef bint _read_target(self, Translated *item, Outgoing *outgoing) noexcept:
        cdef FlowParts parts
        read_flow(item.flow, item.flow_size, &parts)
        return parts.transport == UDP_FLOW and parts.port and self._read_flow(&parts, outgoing)

    cdef int _splice(self, int number, Translated *item, list kept) except -1:
        """Put the reader's phrase into datagram `number`."""
        cdef const unsigned char *line_end = <const unsigned char *>memchr(item.raw, c'\r', item.raw_size)
        cdef bytes phrase
        if item.raw_size > CODE and c'1' <= item.raw[CODE] <= c'6':
            self._by_class[item.raw[CODE] - c'0'] += 1
        if not _is_plain(item, line_end):
            phrase = self._phrases.translate(item.raw[: item.raw_size], _text(item.user, item.user_size), _text(item.accepted, item.accepted_size))
            kept.append(phrase)
            self._point(number, 0, <const unsigned char *>PyBytes_AS_STRING(phrase), PyBytes_GET_SIZE(phrase), 1)
            return 0
        phrase = _phrase_for(item, line_end, self._choose(item), self._phrases.standard)
        if phrase is None:
            return 0
        kept.append(phrase)
        self._point(number, 0, item.raw, PHRASE, PARTS)
        self._point(number, 1, <const unsigned char *>PyBytes_AS_STRING(phrase), PyBytes_GET_SIZE(phrase), PARTS)
        self._point(number, 2, line_end, item.raw + item.raw_size - line_end, PARTS)
        return 0

    cdef void _point(self, int number, int part, const unsigned char *data, Py_ssize_t size, int parts) noexcept:
        cdef msghdr *header = &self._slots.headers[number].msg_hdr
        header.msg_iov = self._parts[number].vectors
        header.msg_iovlen = parts
        self._parts[number].vectors[part].iov_base = <void *>data
        self._parts[number].vectors[part].iov_len = size

    cdef dict _choose(self, Translated *item):
        """The table of this reader: most often that of the one before."""
        if self._table is None or not (
            _is_same(self._user, item.user, item.user_size) and _is_same(self._accepted, item.accepted, item.accepted_size)
        ):
            self._user = item.user[: item.user_size]
            self._accepted = item.accepted[: item.accepted_size]
            self._table = self._phrases.phrases(_text(item.user, item.user_size), _text(item.accepted, item.accepted_size))
        return self._table


cdef Py_ssize_t _begin_run(Cursor *cursor, bytes items, Py_ssize_t count):
    cursor.at = <const unsigned char *>PyBytes_AS_STRING(items)
    cursor.end = cursor.at + PyBytes_GET_SIZE(items)
    return count


cdef inline bint _is_same(bytes known, const unsigned char *octets, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(known) == size and memcmp(PyBytes_AS_STRING(known), octets, size) == 0


cdef inline str _text(const unsigned char *octets, Py_ssize_t size):
    return octets[:size].decode("utf-8", "surrogateescape")
