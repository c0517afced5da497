"""The fast path of edge-stream (bus/actor.py, `FastPath`): plain messages between connections and the bus.

It takes whole, plain messages over plain TCP, and writes them where the peer is no stranger and reads what it is sent.
Whatever else happens on a connection it leaves to the reference (`transports/streams.py`), which sees it again:
octets that were only looked at are still in the kernel's buffer. What a connection sends in a frame of the bus leaves
in one system call, and nothing is held back between two calls of this path.
"""

cdef extern from "<sys/epoll.h>" nogil:
    enum:
        EPOLLIN
        EPOLLOUT
    ctypedef union epoll_data:
        int fd
    struct epoll_event:
        uint32_t events
        epoll_data data
    int epoll_wait(int, epoll_event *, int, int)

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_PEEK
        MSG_NOSIGNAL
    Py_ssize_t recv(int, void *, size_t, int)
    Py_ssize_t send(int, const void *, size_t, int)

cdef extern from "<errno.h>" nogil:
    enum:
        EPIPE

cdef enum:
    EVENTS = 256
    MESSAGES_A_READ = 512
    CONNECTION_SIZE = 9  # its edge-stream, its serial number
    SENT_ITEM = 2
    FLOWS_KEPT = 1000


cdef class StreamPath:
    """`streams` of edge-stream `instance`, whose table is `table`; `send(item, now)` sends what is odd, and
    `send_on(connection, raw, now)` what is for a connection that is there. `registers_s`: how long to let REGISTERs
    gather, if nothing else comes. `link`: to the keeper.

    `is_bypassed()`: whether the worker has to see all that is sent. `outboxes`: all of the worker's.
    """

    cdef object _streams, _registrars, _input, _output, _send, _send_on, _link, _is_bypassed, _tap, _framing, _deque
    cdef dict _by_fd, _by_serial, _made, _packed
    cdef list _receivers, _others, _free
    cdef Rings _rings
    cdef Ingress _ingress
    cdef BatchInterval _interval
    cdef bytes _head
    cdef unsigned char *_octets
    cdef Py_ssize_t _read_octets, _most_waiting, _largest, _ring_octets, _head_octets, _recent
    cdef int _fd, _instance, _transport, _most_accepted
    cdef double _retry_s, _look_every_s, _looked_at, _due_at, _registers_s
    cdef double _limits_at  # when the time of some connection may be over
    cdef long _paused_for, _paused_for_registers
    cdef bint _is_stirred  # whether the reference did something, so that `_limits_at` may be another
    cdef Py_ssize_t _ends[MESSAGES_A_READ]

    def __cinit__(self):
        module = import_module("switchboard.transports.stream_input")
        self._read_octets, self._most_waiting = module.READ_OCTETS, module.MOST_WAITING
        self._octets = <unsigned char *>malloc(self._most_waiting + self._read_octets)
        if self._octets == NULL:
            raise MemoryError

    def __init__(
        self, int instance, streams, int table, Ingress ingress not None, list receivers not None, outboxes, tap,
        BatchInterval interval not None, send, send_on, link, double registers_s, is_bypassed, Py_ssize_t largest,
        int registrars,
    ):
        self._instance, self._streams, self._ingress, self._receivers = instance, streams, ingress, receivers
        self._others = [each for each in outboxes if each not in [receiver.outbox for receiver in receivers]]
        self._by_fd, self._by_serial, self._input, self._output, self._free = streams.parts
        self._rings, self._fd = Rings(table), streams.fd
        self._tap, self._interval, self._send, self._is_bypassed = tap, interval, send, is_bypassed
        self._send_on, self._link, self._registers_s = send_on, link, registers_s
        self._registrars = receivers[len(receivers) - registrars :]
        self._limits_at = streams.next_deadline()
        self._largest, self._due_at, self._made, self._packed = largest, INFINITY, {}, {}
        self._know_names()

    cdef int _know_names(self) except -1:
        module = import_module("switchboard.transports.streams")
        self._recent, self._head_octets = module.RECENT, module.HEAD_OCTETS
        self._most_accepted = module.ACCEPTED_A_ROUND
        self._ring_octets = reference("switchboard.transports.stream_table", "RING_OCTETS")
        self._framing = reference("switchboard.transports.framing", "StreamFraming")
        self._transport = reference("switchboard.sip.flow", "TCP")
        self._head = reference("switchboard.bus.frames", "head")("sip.send")
        self._retry_s = reference("switchboard.bus.rounds", "RETRY_S")
        self._look_every_s = reference("switchboard.edge.admission", "LOOK_EVERY_S")
        self._deque = reference("collections", "deque")
        return 0

    def __dealloc__(self):
        free(self._octets)

    def receive(self, bytes frame not None, double now):
        """Send the items of a frame of sip.send; None: it is another one, or the worker has to see it."""
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._head), count
        cdef Cursor cursor
        if PyBytes_GET_SIZE(frame) < size or memcmp(PyBytes_AS_STRING(frame), PyBytes_AS_STRING(self._head), size):
            return None
        _begin_run(&cursor, frame, size)
        count = read_array(&cursor)
        if not _are_sent_items(cursor, count) or self._is_bypassed():
            return None
        self._send_all(&cursor, count, now)
        return count

    def drain(self, int fd, double now):
        """Read connections where something has come; False: it is another descriptor."""
        if fd != self._fd:
            return False
        if now - self._looked_at >= self._look_every_s:
            self._looked_at = now
            for receiver in self._receivers:
                receiver.look(now)
        for _ in range(self._most_accepted):
            if not self._serve(now):
                break
        return True

    cdef bint _serve(self, double now) except -1:
        """Serve what is there; return whether a connection was accepted, which may have said something by now."""
        cdef epoll_event events[EVENTS]
        cdef int number, count = epoll_wait(self._fd, events, EVENTS, 0)
        cdef bint accepted = False
        for number in range(count):
            if not self._read(events[number].data.fd, events[number].events, now):
                self._is_stirred = True
                accepted |= <bint>self._streams.serve_one(events[number].data.fd, events[number].events, now)
        return accepted

    def advance(self, double now):
        """End connections whose time is over."""
        if now >= self._limits_at:
            self._is_stirred = True
            self._streams.handle_timer(now)

    def settle(self, double now):
        """Cast what a drain has yielded, with the marks. False: the worker is to do it."""
        cdef PackedOutbox outbox
        if self._is_stirred:
            self._is_stirred = False
            self._limits_at = self._streams.next_deadline()
        if self._ingress.asked or now >= <double>self._tap.due_at or now >= <double>self._link.due_at:
            self._ingress.asked = False
            return False
        for other in self._others:
            if other.waiting:
                return False
        for receiver in self._receivers:
            outbox = receiver.outbox
            if outbox.waiting:
                receiver.ask(now)
                outbox.flush()
            elif now < self._due_at:
                continue
            receiver.mark(now)
        self._look_at_marks(now)
        return True

    def next_deadline(self):
        """When a mark is due, or an outbox is tried again, or tap or link have gathered for long enough, or the time of
        a connection is over (monotonic s).
        """
        return min(min(self._due_at, self._limits_at), min(<double>self._tap.due_at, <double>self._link.due_at))

    def pause_s(self):
        """A batch interval, under load; a longer one where REGISTERs come and nothing else."""
        cdef long passed = self._streams.passed, registers = self._put_registers()
        cdef long taken = passed - self._paused_for, taken_registers = registers - self._paused_for_registers
        cdef double pause_s
        if not taken:
            return 0.0
        self._paused_for, self._paused_for_registers = passed, registers
        pause_s = self._interval.pause_s(monotonic(), taken, False)
        return self._registers_s if pause_s and taken_registers == taken else pause_s

    cdef long _put_registers(self) except -1:
        cdef long count = 0
        for receiver in self._registrars:
            count += receiver.put_count
        return count

    cdef int _look_at_marks(self, double now) except -1:
        cdef PackedOutbox outbox
        self._due_at = INFINITY
        for receiver in self._receivers:
            outbox = receiver.outbox
            due_at = receiver.due_at()
            if outbox.waiting:
                self._due_at = min(self._due_at, now + self._retry_s)
            elif due_at is not None:
                self._due_at = min(self._due_at, <double>due_at)
        return 0

    cdef bint _read(self, int fd, uint32_t events, double now) except -1:
        """Hand on what has come over a connection. False, and nothing is done: it is not plain."""
        cdef Py_ssize_t fed, size, count
        connection = self._by_fd.get(fd)
        if connection is None or events & ~<uint32_t>(EPOLLIN | EPOLLOUT) or not self._is_plain(connection):
            return False
        if connection.ring is not None or connection.has_ended or len(connection.channel.pending):
            return False
        fed = connection.fed
        if fed >= self._most_waiting:
            return False
        if not events & EPOLLIN:
            return True
        size = recv(fd, self._octets, fed + self._read_octets, MSG_PEEK | MSG_DONTWAIT)
        if size <= fed or size == fed + self._read_octets:
            return False
        count = self._find_messages(fed, size)
        if not count:
            return False
        connection.fed, connection.heard_at = size, now
        connection.received += count
        self._input.received += count
        self._hand_on(connection, fed, count, now)
        return True

    cdef bint _is_plain(self, connection) except -1:
        return connection.backlog is None and type(connection.channel) is self._framing

    cdef Py_ssize_t _find_messages(self, Py_ssize_t start, Py_ssize_t end) noexcept:
        """Into how many plain messages the octets fall, whose ends are noted; 0 if there is something else."""
        cdef Py_ssize_t count = 0, size
        while start < end:
            size = _plain_size(self._octets + start, end - start)
            if not 0 < size <= self._largest or count == MESSAGES_A_READ:
                return 0
            start += size
            self._ends[count] = start
            count += 1
        return count

    cdef int _hand_on(self, connection, Py_ssize_t start, Py_ssize_t count, double now) except -1:
        cdef Arrival arrival
        cdef Py_ssize_t number
        cdef list before = [each.put_count for each in self._receivers]
        _begin_arrival(&arrival, self._packed_flow(connection))
        for number in range(count):
            arrival.data, arrival.size = self._octets + start, self._ends[number] - start
            start = self._ends[number]
            self._ingress._take(&arrival, now)
        self._ingress._hand_over()
        if connection.serial in self._by_serial:
            self._await(connection, before)
        return 0

    cdef bytes _packed_flow(self, connection):
        """Packing costs more than all else of a message, so the flows of a few connections are remembered."""
        packed = self._packed.get(connection.serial)
        if packed is None:
            if PyDict_Size(self._packed) >= FLOWS_KEPT:
                self._packed.clear()
            self._packed[connection.serial] = packed = connection.flow.pack()
        return packed

    cdef int _await(self, connection, list before) except -1:
        """Have the input consumed once the receivers have taken what came of it."""
        cdef list due = [
            (each.reached, each.put_count) for each, count in zip(self._receivers, before) if each.put_count > count
        ]
        place = connection.consumed + connection.fed
        connection.passed = place
        if connection.due is None:
            if not due:
                self._input.consume(connection, place)
                return 0
            connection.due = self._deque()
            self._input.waiting[connection] = None
        connection.due.append((place, due, b""))
        return 0

    cdef int _send_all(self, Cursor *cursor, Py_ssize_t count, double now) except -1:
        """Send items that are known to be well-formed; those of one connection together, in order."""
        cdef dict gathered = {}
        cdef const unsigned char *flow
        cdef const unsigned char *raw
        cdef Py_ssize_t flow_size, raw_size, sent = 0
        for _ in range(count):
            read_array(cursor)
            read_binary(cursor, &flow, &flow_size)
            read_binary(cursor, &raw, &raw_size)
            connection = self._find(flow, flow_size)
            if connection is not None and self._may_send(connection, raw, raw_size):
                sent += 1
                self._gather(gathered, connection, raw[:raw_size], now)
                continue
            self._write_all(gathered, now)
            self._is_stirred = True
            if connection is None:
                connection = self._find_here(flow, flow_size)
            if connection is None:
                self._send([flow[:flow_size], raw[:raw_size]], now)
            else:
                self._send_on(connection, raw[:raw_size], now)
        self._write_all(gathered, now)
        self._streams.sent += sent
        return 0

    cdef object _find(self, const unsigned char *flow, Py_ssize_t size):
        """The connection of a packed flow; None if it is not plain, or gone."""
        cdef FlowParts parts
        if not read_flow(flow, size, &parts) or parts.transport != self._transport:
            return None
        if parts.connection_size == 0:
            return self._find_made(flow[:size])
        if parts.connection_size != CONNECTION_SIZE or flow[size - CONNECTION_SIZE] != self._instance:
            return None
        return self._by_serial.get(flow[size - SERIAL : size])

    cdef object _find_here(self, const unsigned char *flow, Py_ssize_t size):
        """The connection that a packed flow names, of whatever transport; None if it is not here, or rests."""
        cdef FlowParts parts
        if not read_flow(flow, size, &parts) or parts.connection_size != CONNECTION_SIZE:
            return None
        if flow[size - CONNECTION_SIZE] != self._instance:
            return None
        return self._by_serial.get(flow[size - SERIAL : size])

    cdef object _find_made(self, bytes flow):
        """The connection that we have made to where the flow leads; None if there is none."""
        connection = self._made.get(flow)
        if connection is not None and connection.serial in self._by_serial:
            return connection
        connection = self._streams.find(_unpack_flow(flow), b"")
        if connection is not None:
            if PyDict_Size(self._made) >= FLOWS_KEPT:
                self._made.clear()
            self._made[flow] = connection
        return connection

    cdef bint _may_send(self, connection, const unsigned char *raw, Py_ssize_t size) except -1:
        """Whether nothing has to be learnt from a message, which needs no change to leave."""
        if connection.is_stranger or not self._is_plain(connection):
            return False
        if size > self._ring_octets or _plain_size(raw, size) != size:
            return False
        return memcmp(raw, b"SIP/2.0 2", 9) != 0 or memmem(raw, size, b"REGISTER", 8) == NULL

    cdef int _gather(self, dict gathered, connection, bytes raw, double now) except -1:
        cdef list pieces = gathered.get(connection)
        if pieces is None:
            gathered[connection] = pieces = []
        pieces.append(raw)
        if not raw.startswith((b"SIP/", b"ACK ")):
            self._note_request(connection, raw, now)
        return 0

    cdef int _note_request(self, connection, bytes raw, double now) except -1:
        """As `Streams` does it."""
        cdef list recent = connection.recent
        if recent is None:
            connection.recent = recent = []
        if PyList_GET_SIZE(recent) == self._recent:
            del recent[0]
        recent.append((now, raw[: self._head_octets]))
        return 0

    cdef int _write_all(self, dict gathered, double now) except -1:
        for connection, pieces in gathered.items():
            if connection.serial in self._by_serial:
                self._write(connection, pieces[0] if len(pieces) == 1 else b"".join(pieces), now)
        gathered.clear()
        return 0

    cdef int _write(self, connection, bytes octets, double now) except -1:
        """As `StreamOutput` does it."""
        if connection.ring is None:
            return self._begin(connection, octets, now)
        self._is_stirred = True
        self._output.write(connection, octets, now)
        return 0

    def begin(self, connection, bytes octets not None, double now):
        """As `StreamOutput.begin_in_python` does it."""
        self._begin(connection, octets, now)

    cdef int _begin(self, connection, bytes octets, double now) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(octets), sent
        cdef uint64_t place = connection.written
        cdef Py_ssize_t ring
        cdef int fd
        if not PyList_GET_SIZE(self._free) or size > self._ring_octets:
            self._is_stirred = True
            self._output.begin_in_python(connection, octets, now)
            return 0
        ring, fd = self._free.pop(), connection.sock.fileno()
        self._rings.put(ring, connection.serial, connection.base, place, octets)
        sent = send(fd, PyBytes_AS_STRING(octets), size, MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent == size:
            connection.written = place + size
            self._rings.clear(ring)
            self._free.append(ring)
            return 0
        self._is_stirred = True
        connection.ring, connection.end = ring, place + size
        if sent < 0 and errno != EAGAIN and errno != EINTR:
            self._streams.end(connection, "ended by peer" if errno == EPIPE else "reset")
            return 0
        connection.written = place + max(0, sent)
        self._output.push(connection, now)
        return 0


cdef bint _are_sent_items(Cursor cursor, Py_ssize_t count) noexcept:
    """Whether this number of items of sip.send, and nothing more, is there."""
    cdef const unsigned char *octets
    cdef Py_ssize_t size
    for _ in range(count):
        if read_array(&cursor) != SENT_ITEM or not read_binary(&cursor, &octets, &size):
            return False
        if not read_binary(&cursor, &octets, &size):
            return False
    return count >= 0 and cursor.at == cursor.end
