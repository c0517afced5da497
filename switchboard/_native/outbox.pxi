"""Compiled twin of `bus/outbox.py` for packed items."""

cdef inline long _items_in(run) except -1:
    return 1 if PyBytes_Check(run) else run[0]


cdef inline bytes _octets_of(run):
    return run if PyBytes_Check(run) else run[1]


cdef class PackedOutbox:
    """Gathers runs of packed items for one peer and casts them, many to a frame."""

    cdef public object peer
    cdef readonly str subject
    cdef readonly long waiting
    cdef public long keep, sent, dropped
    cdef list _items
    cdef bytes _head
    cdef bint _blocked
    cdef long _most_items, _most_bytes
    cdef double _every_s, _due_at

    def __init__(self, context, endpoint, str subject not None, long keep=2000, double every_s=0.0):
        self.peer = reference("switchboard.bus.peer", "Peer")(context, endpoint)
        self.subject, self.keep = subject, keep
        self._every_s, self._due_at = every_s, -INFINITY
        self._items = []
        self._head = reference("switchboard.bus.frames", "head")(subject)
        self._most_items = reference("switchboard.bus.outbox", "ITEMS_A_FRAME")
        self._most_bytes = reference("switchboard.bus.outbox", "BYTES_A_FRAME")

    def put(self, item):
        """Add a run to the next flush; drops the oldest ones while more than `keep` items wait."""
        self._add(item)
        if self.waiting > self.keep:
            self._make_room()

    def put_all(self, items):
        """Add runs, as `put` does each."""
        for item in items:
            self._add(item)
        if self.waiting > self.keep:
            self._make_room()

    cpdef bint flush_due(self, double now) except -1:
        """`flush`, unless the last one was less than `every_s` ago. `now`: monotonic s."""
        if now < self._due_at:
            return self.waiting == 0
        self._due_at = now + self._every_s
        return self.flush()

    cpdef bint flush(self) except -1:
        """Cast what waits. True: nothing waits any more. False: the peer is away or full; the rest stays."""
        cdef Py_ssize_t runs = 0
        if PyList_GET_SIZE(self._items) and self._blocked and not self.peer.takes_frames:
            return False
        while PyList_GET_SIZE(self._items):
            if not self._cast(self._next_frame(&runs)):
                self._blocked = True
                return False
            self.sent += self._let_go(runs)
        self._blocked = False
        return True

    def take_back(self):
        """Remove and return the runs that wait, oldest first."""
        items, self._items, self.waiting = self._items, [], 0
        return items

    def stats(self):
        """The counters, by names that are unique within the process."""
        name = f"{self.peer.name}.{self.subject}"
        return {f"{name}.sent": self.sent, f"{name}.dropped": self.dropped, f"{name}.waiting": self.waiting}

    def close(self):
        """Close the connection to the peer; items that still wait are lost."""
        self.peer.close()

    cdef bint _cast(self, bytes frame) except -1:
        """The peer's `send_frame`, without the call where nobody observes it."""
        if self.peer.on_sent is None:
            return self.peer.mouth.send(frame)
        return self.peer.send_frame(frame)

    cdef int _add(self, item) except -1:
        self.waiting += _items_in(item)
        PyList_Append(self._items, item)
        return 0

    cdef int _make_room(self) except -1:
        cdef Py_ssize_t runs = 0
        cdef long excess = 0
        if self._blocked or not self.flush():
            while self.waiting - excess > self.keep:
                excess += _items_in(self._items[runs])
                runs += 1
            self.dropped += self._let_go(runs)
        return 0

    cdef long _let_go(self, Py_ssize_t runs) except -1:
        """Drop the oldest runs. Returns the number of their items."""
        cdef Py_ssize_t number
        cdef long gone = 0
        for number in range(runs):
            gone += _items_in(self._items[number])
        del self._items[:runs]
        self.waiting -= gone
        return gone

    cdef bytes _next_frame(self, Py_ssize_t *runs):
        """The next frame to cast, and the number of its runs."""
        cdef Py_ssize_t number, size = 0
        cdef long count = 0, more
        cdef bytes octets
        for number in range(PyList_GET_SIZE(self._items)):
            more, octets = _items_in(self._items[number]), _octets_of(self._items[number])
            if number and (count + more > self._most_items or size + PyBytes_GET_SIZE(octets) > self._most_bytes):
                break
            count += more
            size += PyBytes_GET_SIZE(octets)
            runs[0] = number + 1
        return self._frame(runs[0], count, size)

    cdef bytes _frame(self, Py_ssize_t runs, long count, Py_ssize_t size):
        cdef Py_ssize_t head = PyBytes_GET_SIZE(self._head), number
        cdef bytes frame = PyBytes_FromStringAndSize(NULL, head + list_head(count) + size)
        cdef unsigned char *to = <unsigned char *>PyBytes_AS_STRING(frame)
        memcpy(to, PyBytes_AS_STRING(self._head), head)
        to = write_list_head(to + head, count)
        for number in range(runs):
            octets = _octets_of(self._items[number])
            memcpy(to, PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets))
            to += PyBytes_GET_SIZE(octets)
        return frame
