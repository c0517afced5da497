# Which tables, lists and queues contain an entry: open calls, recorded calls, and what is to be written.

cdef int _end(CallTable self, Entry *entry) except -1:
    """Move an open call, whose line is written, to the recorded ones."""
    _close(self, entry)
    if entry.is_second:
        _forget_same(self, entry)
    _lighten(entry)
    _add_end(self, entry)
    _pack_end(&self._ended_batch, entry.call_id, entry.from_tag, entry.ended_at)
    _forget_oldest(self)
    return 0


cdef int _close(CallTable self, Entry *entry) except -1:
    """Remove a call from the tables, lists and queues of open calls."""
    _take_out(&self._open, entry)
    _remove(&self._in_order, entry, IN_ORDER)
    _wait_no_longer(self, entry)
    if entry.has_changed:
        _remove(&self._changed, entry, CHANGED)
        entry.has_changed = False
    if entry.row:
        _remove(&self._written, entry, WRITTEN)
        entry.row = 0
        _reserve(&self._closed, 16)
        _pack_integer(&self._closed, entry.serial)
        self._closed.count += 1
    return 0


cdef int _touch(CallTable self, Entry *entry, double now_at) except -1:
    if not entry.has_changed:
        entry.has_changed = True
        _append(&self._changed, entry, CHANGED)
    _wait(self, entry, now_at)
    return 0


cdef int _queue_of(CallTable self, Entry *entry) noexcept nogil:
    """As `Waits` chooses it."""
    cdef int queue
    if entry.answered_at == NEVER:
        return CHALLENGED if _is_challenged(entry) else UNANSWERED
    if entry.session_s:
        for queue in range(SESSIONS, self._queue_count):
            if self._limits_s[queue] >= entry.session_s + GRACE:
                return queue
        return UP
    return PAST_US if entry.is_past_us else UP


cdef void _wait(CallTable self, Entry *entry, double now_at) noexcept nogil:
    """As `Waits.set`."""
    cdef int queue = _queue_of(self, entry)
    cdef double due_at = _waits_since(entry) + self._limits_s[queue]
    if entry.queue != queue or due_at > entry.due_at:
        _wait_no_longer(self, entry)
        entry.queue, entry.due_at = queue, max(due_at, now_at + GRACE)
        _append(&self._queues[queue], entry, WAITING)


cdef void _wait_no_longer(CallTable self, Entry *entry) noexcept nogil:
    if entry.queue >= 0:
        _remove(&self._queues[entry.queue], entry, WAITING)
        entry.queue = -1


cdef int _pack(CallTable self, Entry *entry, int64_t row) except -1:
    _pack_call(&self._closed, entry)
    _write(self, entry, row)
    return 0


cdef void _write(CallTable self, Entry *entry, int64_t row) noexcept nogil:
    if entry.row:
        _remove(&self._written, entry, WRITTEN)
    entry.row = row
    _append(&self._written, entry, WRITTEN)


cdef Entry *_find(CallTable self, tuple key) except? NULL:
    cdef Text call_id = _view(key[0]), from_tag = _view(key[1])
    return _look_up(&self._open, call_id, from_tag, _hash(call_id, from_tag))


cdef Entry *_find_end(CallTable self, tuple key) except? NULL:
    cdef Text call_id = _view(key[0]), from_tag = _view(key[1])
    return _look_up(&self._ended, call_id, from_tag, _hash(call_id, from_tag))


cdef Entry *_entry_of(CallTable self, object call) except NULL:
    cdef Entry *entry = _find(self, (call.call_id, call.from_tag))
    if entry == NULL:
        raise LookupError("the call is not open")
    return entry


cdef Entry *_add(CallTable self, object call) except NULL:
    """Add a call that Python has begun or restored."""
    cdef Entry *entry = _new_entry(
        _view(call.call_id), _view(call.from_tag), _view(call.caller), _view(call.callee)
    )
    entry.serial = call.serial
    _add_entry(self, entry)
    _copy_call(entry, call)
    return entry


cdef int _add_entry(CallTable self, Entry *entry) except -1:
    entry.is_second = _look_up(&self._ended, entry.call_id, entry.from_tag, entry.hash) != NULL
    _insert(&self._open, entry)
    _append(&self._in_order, entry, IN_ORDER)
    return 0


cdef int _remember(CallTable self, str call_id, str from_tag, double ended_at) except -1:
    cdef Text nothing
    cdef Entry *entry
    cdef Entry *second
    nothing.data, nothing.size = "", 0
    entry = _new_entry(_view(call_id), _view(from_tag), nothing, nothing)
    entry.ended_at = ended_at
    second = _look_up(&self._open, entry.call_id, entry.from_tag, entry.hash)
    if second != NULL:
        second.is_second = True
    _forget_same(self, entry)
    _add_end(self, entry)
    return 0


cdef int _add_end(CallTable self, Entry *entry) except -1:
    _insert(&self._ended, entry)
    _append(&self._ends, entry, IN_ORDER)
    self._untold += _is_of_a_line(self, entry)
    return 0


cdef void _forget_same(CallTable self, Entry *entry) noexcept:
    cdef Entry *same = _look_up(&self._ended, entry.call_id, entry.from_tag, entry.hash)
    if same != NULL:
        _forget(self, same)


cdef void _forget_oldest(CallTable self) noexcept:
    if self._ended.count > self._max_recorded:
        _forget(self, self._ends.first)


cdef void _forget(CallTable self, Entry *entry) noexcept:
    _take_out(&self._ended, entry)
    _remove(&self._ends, entry, IN_ORDER)
    self._untold -= _is_of_a_line(self, entry)
    _free(entry)


cdef bint _is_of_a_line(CallTable self, Entry *entry) noexcept nogil:
    """Whether the key has a start time in place of the tag (`Recorded`): only a start time contains a colon."""
    cdef Py_ssize_t at
    for at in range(entry.from_tag.size):
        if entry.from_tag.data[at] == c':':
            return True
    return False
