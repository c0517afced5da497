"""Compiled twin of `bus/rounds.py`, over compiled ears."""

cdef inline double _monotonic() noexcept nogil:
    """As time.monotonic()."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return <double>(now.tv_sec * <int64_t>1000000000 + now.tv_nsec) / 1e9


cdef class Rounds:
    """What a worker does round after round."""

    cdef readonly long frames_in, items_in, bad_frames
    cdef public object tell_frame
    cdef public dict watched, watched_for_errors
    cdef object _actor, _take_questions, _look_around, _deadline
    cdef Ears _ears
    cdef Py_ssize_t _published, _cast, _asked, _most_frames, _most_bytes
    cdef double _next_look, _next_firing, _idle_s, _retry_s, _grain_s, _look_around_s

    def __init__(
        self, actor, Ears ears not None, Py_ssize_t published, Py_ssize_t cast, Py_ssize_t asked,
        take_questions, look_around,
    ):
        self.watched, self.watched_for_errors = actor.watch(), actor.watch_errors()
        self._actor, self._ears = actor, ears
        self._published, self._cast, self._asked = published, published + cast, published + cast + asked
        self._take_questions, self._look_around = take_questions, look_around
        self._know_limits(import_module("switchboard.bus.rounds"))
        self._next_look = _monotonic() + self._look_around_s
        self._deadline = _monotonic()

    cdef int _know_limits(self, module) except -1:
        self._most_frames, self._most_bytes = module.FRAMES_A_ROUND, module.BYTES_A_ROUND
        self._idle_s, self._retry_s = module.IDLE_S, module.RETRY_S
        self._grain_s, self._look_around_s = module.TIMER_GRAIN_S, module.LOOK_AROUND_S
        return 0

    def run(self, stop):
        """Go on until `stop` is set."""
        sleep = reference("time", "sleep")
        while not stop.is_set:
            self.round(self.wait_s())
            pause_s = self._actor.pause_s()
            if pause_s:
                sleep(pause_s)

    cpdef bint round(self, double wait_s) except -1:
        """Wait for input, take it, fire due timers, flush. False: nothing came within `wait_s`."""
        cdef bint found = self._ears.wait(wait_s)
        cdef double now
        if found:
            self._take_input()
        now = _monotonic()
        self._fire_timer(now)
        self._actor.flush()
        self._deadline = self._actor.next_deadline()
        if now >= self._next_look:
            self._next_look = now + self._look_around_s
            self._look_around(now)
        return found

    cpdef double wait_s(self) except -1:
        """How long the next round may wait for input."""
        cdef double wait_s = self._retry_s if self.outboxes_wait() else self._idle_s
        if self._deadline is None:
            return wait_s
        return min(wait_s, max(0.0, max(<double>self._deadline, self._next_firing) - _monotonic()))

    cpdef bint outboxes_wait(self) except -1:
        """Whether something could not be cast yet."""
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
                self._take_questions()
                break
        for fd, handle in self.watched_for_errors.items():
            if self._ears.has_error(fd):
                handle(_monotonic())
        for fd, handle in self.watched.items():
            if self._ears.is_readable(fd):
                handle(_monotonic())
        return 0

    cdef int _take_published(self) except -1:
        cdef Py_ssize_t number
        for number in range(self._published):
            for frame in self._waiting_frames(number):
                self._take(frame)
        return 0

    cdef int _take_casts(self, Py_ssize_t number) except -1:
        """Take what is in an inbox, and before it what was published."""
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
        items = self._actor.receive_frame(frame)
        if items is not None:
            self.items_in += items
            return 0
        frames = import_module("switchboard.bus.frames")
        try:
            subject, body = frames.unpack(frame)
        except frames.FrameError:
            self.bad_frames += 1
            return 0
        self.items_in += len(body) if isinstance(body, list) else 1
        self._actor.receive(subject, body, _monotonic())
        return 0

    cdef int _fire_timer(self, double now) except -1:
        if now < self._next_firing:
            return 0
        if self._deadline is not None and <double>self._deadline <= now:
            self._next_firing = now + self._grain_s
            self._actor.handle_timer(now)
        return 0
