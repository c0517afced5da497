"""The fast path of edge-rx (bus/actor.py, `FastPath`): from the kernel's buffer to the frame.

The worker itself ends the rounds in which the reference of the ingress was asked, since operators may have to be told.
"""

cdef class EdgePath:
    """Reads `fds` through `ingress` and casts what is in `outboxes`; `registers` are those to the registrars.

    `loads` are looked at and stamped as often as they ask for. `interval`: between two drains; after one that had
    REGISTERs only it is `registers_s`.
    """

    cdef object _fds, _loads, _tap
    cdef Ingress _ingress
    cdef list _outboxes, _registers
    cdef BatchInterval _interval
    cdef double _registers_s, _retry_s, _look_every_s, _looked_at, _stamped_at, _waits_until
    cdef Py_ssize_t _taken, _taken_registers, _unstamped, _stamp_items

    def __init__(
        self, fds, Ingress ingress not None, outboxes, registers, loads, tap,
        BatchInterval interval not None, double registers_s,
    ):
        self._fds, self._ingress, self._outboxes, self._registers = frozenset(fds), ingress, list(outboxes), list(registers)
        self._loads, self._tap, self._interval, self._registers_s = loads, tap, interval, registers_s
        self._retry_s = reference("switchboard.bus.rounds", "RETRY_S")
        self._look_every_s = reference("switchboard.edge.admission", "LOOK_EVERY_S")
        self._stamp_items = reference("switchboard.edge.admission", "STAMP_ITEMS")
        self._waits_until = INFINITY

    def receive(self, frame, double now):
        """No frame is plain."""
        return None

    def drain(self, int fd, double now):
        """Take what waits at a socket; False: it is another descriptor."""
        cdef long held = self._waiting_registers()
        cdef Py_ssize_t taken
        if fd not in self._fds:
            return False
        if now - self._looked_at >= self._look_every_s:
            self._looked_at = now
            self._loads.look(now)
        taken = self._ingress.drain_fd(fd, now)
        self._taken += taken
        self._taken_registers += self._waiting_registers() - held
        self._unstamped += taken
        if taken and (self._unstamped >= self._stamp_items or now - self._stamped_at >= self._look_every_s):
            self._loads.stamp(self._unstamped)
            self._stamped_at, self._unstamped = now, 0
        return True

    cdef long _waiting_registers(self) except -1:
        cdef PackedOutbox outbox
        cdef long waiting = 0
        for outbox in self._registers:
            waiting += outbox.waiting
        return waiting

    def advance(self, double now):
        """Nothing but `settle` is ever due."""

    def settle(self, double now):
        """Cast what a drain has yielded. False: the worker is to do it."""
        cdef PackedOutbox outbox
        if self._ingress.asked or now >= <double>self._tap.due_at:
            self._ingress.asked = False
            return False
        self._waits_until = INFINITY
        for outbox in self._outboxes:
            if outbox.waiting and not outbox.flush_due(now):
                self._waits_until = now + self._retry_s
        return True

    def next_deadline(self):
        """When something is to be cast that had to wait, or the tap has gathered for long enough (monotonic s)."""
        return min(self._waits_until, <double>self._tap.due_at)

    def pause_s(self):
        """A batch interval, under load; a longer one where REGISTERs come and nothing else."""
        cdef Py_ssize_t taken = self._taken, registers = self._taken_registers
        cdef double pause_s
        if not taken:
            return 0.0
        self._taken = self._taken_registers = 0
        pause_s = self._interval.pause_s(monotonic(), taken, taken >= DATAGRAMS)
        return self._registers_s if pause_s and registers == taken else pause_s
