# A round of a router that is plain: from the packed frame to the log and the datagrams, without the worker's Python.
#
# A round takes frames and fires timers, and ends with `settle`. It is plain if the reference was asked nothing and
# the worker itself has nothing to do; else `settle` touches nothing, and the worker's own `flush` ends the round: both
# take what the same engine holds. So either may end any round.

cdef enum:
    MARK_ITEMS = 2


cdef class FastPath:
    """Serves the plain rounds of a router (bus/actor.py, `FastPath`).

    `heads` are those of the frames that it takes, of messages and of marks. `log` keeps saved transactions, `ring` call
    events; `sender` says how what leaves is sent (`transports/sender.py`), and `marks` are returned (`bus/marks.py`).
    `tell_at` (monotonic s): when the worker is to tell the journal what is new in the ring. `retry_s`: how long it waits
    for an edge-stream that takes nothing. `clock_offset`: steady clock less boot time (`switchboard/clock.py`). `line`: to
    media engines, if there are any.
    """

    cdef public double tell_at
    cdef double _clock_offset
    cdef Engine _engine
    cdef NativeKeyedLog _log
    cdef NativeEventRing _ring
    cdef object _sender, _tap, _marks
    cdef bytes _head, _mark_head
    cdef NgLine _line
    cdef bint _has_marks
    cdef double _retry_s, _retry_at

    def __init__(
        self, heads, Engine engine not None, NativeKeyedLog log not None, NativeEventRing ring not None,
        sender, marks, double retry_s, double clock_offset, NgLine line=None,
    ):
        self._line = line
        self._clock_offset, self._retry_s, self._retry_at = clock_offset, retry_s, INFINITY
        self._head, self._mark_head = heads
        self._engine, self._log, self._ring = engine, log, ring
        self._sender, self._tap, self._marks = sender, sender.tap, marks

    def receive(self, bytes frame not None, double now):
        """Take a frame, and return its number of items. None: the worker has to take it."""
        if not _begins(frame, self._head):
            return MARK_ITEMS if _begins(frame, self._mark_head) and self._take_mark(frame) else None
        return self._engine.receive(frame, PyBytes_GET_SIZE(self._head), now, boot_time() + self._clock_offset)

    cdef bint _take_mark(self, bytes frame) except -1:
        """Take `[edge-stream, stamp]`, which goes back when the round ends; False for what is no such mark."""
        cdef Cursor cursor
        cdef int64_t stream
        cdef double stamp
        cursor.at = <const uint8_t *>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(self._mark_head)
        cursor.end = <const uint8_t *>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(frame)
        if read_list(&cursor) != MARK_ITEMS:
            return False
        stream = read_big(&cursor, 1)
        if not 0 <= stream < 0x80 or not read_real(&cursor, &stamp) or cursor.at != cursor.end:
            return False
        self._has_marks = True
        return self._marks.take(stream, stamp)

    def drain(self, int fd, double now):
        """Read what media engines have answered."""
        if self._line is None:
            return False
        self._engine.begin(now, boot_time() + self._clock_offset)
        return self._line.read(fd)

    def ask(self):
        """Ask media engines what the engine has to ask them; the state is in the log."""
        if self._line is not None:
            self._line.ask()

    def advance(self, double now):
        """Fire the engine's timers."""
        self._engine.advance(now, boot_time() + self._clock_offset)

    def settle(self, double now):
        """End a round. True: it was plain. False: nothing was done, and the worker has to end it."""
        cdef object direct = self._sender.direct
        if direct is None or self._engine.asked or now >= self._others_due():
            self._engine.asked = self._has_marks = False
            self._retry_at = INFINITY
            return False
        self._keep()
        if self._engine._question_count:
            self.ask()
        if self._engine._request_count or self._engine._response_count:
            self._send(direct, now)
        if self._has_marks:
            self._has_marks = False
            self._marks.give_back()
        return True

    def next_deadline(self):
        """When `advance` or `settle` has something to do (monotonic s)."""
        cdef double due = self._engine._heap.waiters[0].due if self._engine._heap.count else INFINITY
        return min(due, self._others_due())

    cdef double _others_due(self) except? -1:
        """When the worker has to end a round: the journal is to be told, or the tap has gathered for long enough."""
        cdef double due = self.tell_at if ring_has_news(&self._ring.ring) else INFINITY
        return min(due, self._retry_at, <double>self._tap.due_at)

    def pause_s(self):
        """A router never waits for more input."""
        return 0.0

    cdef int _keep(self) except -1:
        """Write ahead the state that the round has changed."""
        cdef Engine engine = self._engine
        cdef bytes event
        _save_touched(engine)
        if engine._is_out_of_memory():
            raise MemoryError
        if log_put_records(&self._log.log, engine._records.data, engine._records.size) < 0:
            raise MemoryError
        engine._records.size = 0
        for event in engine._events:
            self._ring.put(event)
        engine._events.clear()
        self._log.commit()
        return 0

    cdef int _send(self, direct, double now) except -1:
        cdef Engine engine = self._engine
        cdef Py_ssize_t count = engine._request_count + engine._response_count
        cdef bytes items = _joined(content(&engine._responses), content(&engine._requests))  # as the worker does
        engine._requests.size = engine._responses.size = 0
        engine._request_count = engine._response_count = 0
        sockets, phrasing, by_class = direct
        cdef object counts = None if self._tap.is_open else sockets.send_run(count, items, phrasing, by_class)
        if counts is None:
            self._sender.send(count, items)
            if not self._sender.flush_streams():
                self._retry_at = now + self._retry_s
        else:
            self._sender.sent += counts[0]
            self._sender.failed += counts[1]
        return 0


cdef inline bint _begins(bytes frame, bytes head) noexcept:
    cdef Py_ssize_t size = PyBytes_GET_SIZE(head)
    return PyBytes_GET_SIZE(frame) > size and memcmp(PyBytes_AS_STRING(frame), PyBytes_AS_STRING(head), size) == 0


cdef bytes _joined(Slice first, Slice second):
    cdef bytes octets = PyBytes_FromStringAndSize(NULL, first.size + second.size)
    memcpy(PyBytes_AS_STRING(octets), first.at, first.size)
    memcpy(PyBytes_AS_STRING(octets) + first.size, second.at, second.size)
    return octets
