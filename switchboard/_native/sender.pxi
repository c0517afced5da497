"""Compiled twin of what `transports/sender.py` does with a run of items: from packed items to datagrams.

A phrase is inserted without a copy: the datagram is sent in three parts, its beginning, the phrase, and its rest. Odd
items are left to the reference.
"""

cdef enum:
    PARTS = 3

cdef struct Parts:
    iovec vectors[PARTS]


cdef class RunSender(BatchSender):
    """Sends runs of packed items of sip.send and sip.translate, in order."""

    cdef Parts _parts[BATCH]

    def send_run(self, Py_ssize_t count, bytes items not None, Phrasing phrasing not None, list by_class not None):
        """Send `count` packed items, responses with what `phrasing` says. Returns (sent, failed).

        Responses are counted `by_class`. None, and nothing is sent, if not all of it is plain: the reference is to
        look at it.
        """
        cdef Cursor cursor
        cdef Translated item
        cdef Outgoing outgoing
        _begin_run(&cursor, items, 0)
        for _ in range(count):
            if not (_read_translated(&cursor, &item) and self._read_target(&item, &outgoing)):
                return None
        if cursor.at != cursor.end:
            return None
        _begin_run(&cursor, items, 0)
        return self._send_parts(&cursor, count, phrasing, by_class)

    cdef tuple _send_parts(self, Cursor *cursor, Py_ssize_t count, Phrasing phrasing, list by_class):
        cdef Translated item
        cdef Outgoing outgoing
        cdef Py_ssize_t sent = 0
        cdef int waiting = 0, family = 0
        cdef list kept = []  # owns the octets that the parts of datagrams point to
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
                said = phrasing.say(&item, by_class)
                kept.append(said)
                self._splice(waiting, &item, said)
            waiting += 1
        sent += self._flush(family, waiting)
        return sent, count - sent

    cdef bint _read_target(self, Translated *item, Outgoing *outgoing) noexcept:
        cdef FlowParts parts
        read_flow(item.flow, item.flow_size, &parts)
        if PyBytes_GET_SIZE(self._only_from) and not self._is_from_here(parts.local):
            return False
        return parts.transport == UDP_FLOW and parts.port and self._read_flow(&parts, outgoing)

    cdef bint _is_from_here(self, const unsigned char *local) noexcept:
        """Whether an address as in a flow is one of those of `only_from`."""
        cdef const unsigned char *at = <const unsigned char *>PyBytes_AS_STRING(self._only_from)
        cdef const unsigned char *end = at + PyBytes_GET_SIZE(self._only_from)
        while at < end:
            if at[0] == local[0] and memcmp(at, local, 1 + (local[0] & ~TEXT_ADDRESS)) == 0:
                return True
            at += 1 + (at[0] & ~TEXT_ADDRESS)
        return False

    cdef int _splice(self, int number, Translated *item, said) except -1:
        """Set the parts of datagram `number`."""
        cdef const unsigned char *line_end
        if said is None:
            return 0
        if isinstance(said, tuple):
            self._point(number, 0, 1, PyBytes_AS_STRING(<bytes>said[0]), PyBytes_GET_SIZE(<bytes>said[0]))
            return 0
        line_end = _status_end(item)
        self._point(number, 0, PARTS, item.raw, PHRASE)
        self._point(number, 1, PARTS, PyBytes_AS_STRING(<bytes>said), PyBytes_GET_SIZE(<bytes>said))
        self._point(number, 2, PARTS, line_end, item.raw + item.raw_size - line_end)
        return 0

    cdef void _point(self, int number, int part, int parts, const void *data, Py_ssize_t size) noexcept:
        cdef msghdr *header = &self._slots.headers[number].msg_hdr
        header.msg_iov = self._parts[number].vectors
        header.msg_iovlen = parts
        self._parts[number].vectors[part].iov_base = <void *>data
        self._parts[number].vectors[part].iov_len = size
