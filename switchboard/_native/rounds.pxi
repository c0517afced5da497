"""Compiled twin of `bus/rounds.py`."""

cdef class BatchInterval:
    """Compiled twin of the one in `bus/rounds.py`."""

    cdef double _longest_s, _enough, _drained_at, _rate, _worth, _least, _memory_s

    def __init__(self, double longest_s, double enough=INFINITY):
        self._longest_s, self._enough = longest_s, enough
        module = import_module("switchboard.bus.rounds")
        self._worth, self._least, self._memory_s = module.WORTH, module.LEAST, module.MEMORY_S

    cpdef double pause_s(self, double now, long taken, bint backlog) except -1:
        """Return the wait, from `now` on (monotonic s), of a drain that yielded `taken` datagrams."""
        cdef double elapsed_s = now - self._drained_at
        self._drained_at = now
        self._rate += min(1.0, elapsed_s / self._memory_s) * (taken / max(elapsed_s, 1e-6) - self._rate)
        if backlog or self._rate * self._longest_s < self._worth:
            return 0.0
        return min(self._longest_s, max(self._enough / self._rate, self._least * self._longest_s))


cdef class Rounds:
    """The rounds of a worker. A round on the fast path runs no Python code of the actor."""

    cdef readonly long frames_in, items_in, bad_frames
    cdef public object tell_frame
    cdef public dict watched, watched_for_errors
    cdef object _actor, _fast_path, _take_questions, _look_around, _frames
    cdef Ears _ears
    cdef Py_ssize_t _published, _cast, _asked, _most_frames, _most_bytes
    cdef double _deadline, _fast_deadline  # monotonic s, infinite for never
    cdef double _next_look, _next_firing, _idle_s, _retry_s, _grain_s, _look_around_s
    cdef bint _is_stirred  # whether the actor was called in this round
    cdef bint _has_waiting  # whether frames were left to cast when the actor's last round ended

    def __init__(
        self, actor, Ears ears not None, Py_ssize_t published, Py_ssize_t cast, Py_ssize_t asked,
        take_questions, look_around,
    ):
        self.watched, self.watched_for_errors = actor.watch(), actor.watch_errors()
        self._actor, self._fast_path, self._ears = actor, actor.fast_path, ears
        self._published, self._cast, self._asked = published, published + cast, published + cast + asked
        self._take_questions, self._look_around = take_questions, look_around
        self._know_limits(import_module("switchboard.bus.rounds"))
        self._next_look = monotonic() + self._look_around_s
        self._deadline, self._fast_deadline = monotonic(), INFINITY
        self._is_stirred = True

    cdef int _know_limits(self, module) except -1:
        self._most_frames, self._most_bytes = module.FRAMES_A_ROUND, module.BYTES_A_ROUND
        self._idle_s, self._retry_s = module.IDLE_S, module.RETRY_S
        self._grain_s, self._look_around_s = module.TIMER_GRAIN_S, module.LOOK_AROUND_S
        return 0

    def run(self, stop):
        """Run rounds until `stop` is set."""
        sleep = reference("time", "sleep")
        while not stop.is_set:
            self.round(self.wait_s())
            pause_s = self.pause_s()
            if pause_s:
                sleep(pause_s)

    def pause_s(self):
        """The time for which input gathers before the next round, in seconds."""
        return self._actor.pause_s() if self._fast_path is None else self._fast_path.pause_s()

    cpdef bint round(self, double wait_s) except -1:
        """Wait for input, take it, fire due timers, flush. False: nothing came within `wait_s`."""
        cdef bint found = self._ears.wait(wait_s)
        cdef double now
        if found:
            self._take_input()
        now = monotonic()
        self._fire_timer(now)
        self._end(now)
        if now >= self._next_look:
            self._next_look = now + self._look_around_s
            self._look_around(now)
        return found

    cdef int _end(self, double now) except -1:
        if self._fast_path is None:
            return self._flush()
        if self._is_stirred or not self._fast_path.settle(now):
            self._flush()
        else:
            self._has_waiting = False  # the fast path knows when to try again
        self._fast_deadline = self._fast_path.next_deadline()
        return 0

    cdef int _flush(self) except -1:
        """End the round as the actor does."""
        self._is_stirred = False
        self._actor.flush()
        deadline = self._actor.next_deadline()
        self._deadline = INFINITY if deadline is None else deadline
        self._has_waiting = self.outboxes_wait()
        return 0

    cpdef double wait_s(self) except -1:
        """The longest time for which the next round may wait for input, in seconds."""
        cdef double wait_s = self._retry_s if self._has_waiting else self._idle_s
        cdef double due = min(self._deadline, self._fast_deadline)
        return min(wait_s, max(0.0, max(due, self._next_firing) - monotonic()))

    cpdef bint outboxes_wait(self) except -1:
        """Whether frames are left to cast."""
        for outbox in self._actor.outboxes:
            if outbox.waiting:
                return True
        return False

    cdef int _take_input(self) except -1:
        cdef Py_ssize_t number
        for number in range(self._published):
            if self._ears.hears(number):
                self._take_published()
        for number in range(self._published, self._cast):
            if self._ears.hears(number):
                self._take_casts(number)
        for number in range(self._cast, self._asked):
            if self._ears.hears(number):
                self._is_stirred = True
                self._take_questions()
                break
        for fd, handle in self.watched_for_errors.items():
            if self._ears.has_error(fd):
                self._is_stirred = True
                handle(monotonic())
        for fd, handle in self.watched.items():
            if self._ears.is_readable(fd) and not self._is_drained(fd):
                self._is_stirred = True
                handle(monotonic())
        return 0

    cdef bint _is_drained(self, int fd) except -1:
        """Whether the fast path has read it."""
        return self._fast_path is not None and self._fast_path.drain(fd, monotonic())

    cdef int _take_published(self) except -1:
        cdef Py_ssize_t number
        for number in range(self._published):
            for frame in self._waiting_frames(number):
                self._take(frame)
        return 0

    cdef int _take_casts(self, Py_ssize_t number) except -1:
        """Take the frames of the subscriptions, then those of the inbox."""
        cdef list cast = self._waiting_frames(number)
        self._take_published()
        for frame in cast:
            self._take(frame)
        return 0

    cdef list _waiting_frames(self, Py_ssize_t number):
        cdef list waiting = []
        cdef Py_ssize_t size = 0
        cdef bytes frame
        while PyList_GET_SIZE(waiting) < self._most_frames and size < self._most_bytes:
            frame = self._ears.take(number)
            if frame is None:
                break
            waiting.append(frame)
            size += PyBytes_GET_SIZE(frame)
        return waiting

    cdef int _take(self, bytes frame) except -1:
        self.frames_in += 1
        if self.tell_frame is not None:
            self.tell_frame(frame)
        items = None if self._fast_path is None else self._fast_path.receive(frame, monotonic())
        if items is None:
            self._is_stirred = True
            items = self._actor.receive_frame(frame)
        if items is not None:
            self.items_in += items
            return 0
        if self._frames is None:
            self._frames = import_module("switchboard.bus.frames")
        try:
            subject, body = self._frames.unpack(frame)
        except self._frames.FrameError:
            self.bad_frames += 1
            return 0
        self.items_in += len(body) if isinstance(body, list) else 1
        self._actor.receive(subject, body, monotonic())
        return 0

    cdef int _fire_timer(self, double now) except -1:
        if now < self._next_firing:
            return 0
        if self._deadline <= now:
            self._next_firing = now + self._grain_s
            self._is_stirred = True
            self._actor.handle_timer(now)
        elif self._fast_deadline <= now:
            self._next_firing = now + self._grain_s
            self._fast_path.advance(now)
        return 0
