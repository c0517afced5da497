# What each event does to its call: the twin of `journal/fold.py` for plain calls.
#
# A function returns False if the event or its call is not plain. In this case it has changed nothing, so that Python
# can take the event.

cdef bint _fold(CallTable self, Cursor *cursor, Event *event, double now_at) except -1:
    if _says(event.kind, "invite"):
        return _invite(self, cursor, event, now_at)
    if _says(event.kind, "ringing"):
        return _ringing(self, event, now_at)
    if _says(event.kind, "answered"):
        return _answered(self, cursor, event, now_at)
    if _says(event.kind, "bye"):
        return _bye(self, cursor, event)
    if _says(event.kind, "failed"):
        return _failed(self, cursor, event, now_at)
    if _says(event.kind, "relayed"):
        return _relayed(self, cursor, event, now_at)
    return False


cdef bint _invite(CallTable self, Cursor *cursor, Event *event, double now_at) except -1:
    cdef uint64_t hash
    cdef Entry *entry
    if event.details != 2 or not (_text(cursor, &event.one) and _text(cursor, &event.two)):
        return False
    if not (_is_plain(event.one) and _is_plain(event.two)):
        return False
    hash = _hash(event.call_id, event.from_tag)
    entry = _look_up(&self._open, event.call_id, event.from_tag, hash)
    if entry == NULL:
        if _look_up(&self._ended, event.call_id, event.from_tag, hash) != NULL or _has_line(self, event):
            return False
        entry = _new_entry(event.call_id, event.from_tag, event.one, event.two)
        self._last_serial += 1
        entry.serial = self._last_serial
        entry.started_at = event.at
        _add_entry(self, entry)
    elif entry.call != NULL or entry.answered_at != NEVER:
        return False
    entry.resumed_at = max(entry.resumed_at, event.at)
    _touch(self, entry, now_at)
    return True


cdef bint _has_line(CallTable self, Event *event) noexcept:
    """Whether the file has a line of a call with this start whose INVITE the router has not repeated yet."""
    cdef char text[32]
    cdef Buffer buffer
    cdef Text start
    if self._untold == 0:
        return False
    buffer.data, buffer.size = text, 0
    _put_timestamp(&buffer, event.at, self.correction_s)
    start.data, start.size = text, buffer.size
    return _look_up(&self._ended, event.call_id, start, _hash(event.call_id, start)) != NULL


cdef Entry *_plain_call(CallTable self, Text call_id, Text from_tag) noexcept:
    cdef Entry *entry = _look_up(&self._open, call_id, from_tag, _hash(call_id, from_tag))
    return NULL if entry == NULL or entry.call != NULL or entry.is_second else entry


cdef bint _ringing(CallTable self, Event *event, double now_at) except -1:
    cdef Entry *entry = _plain_call(self, event.call_id, event.from_tag)
    if event.details or entry == NULL:
        return False
    entry.resumed_at = max(entry.resumed_at, event.at)
    if entry.ringing_at == NEVER and entry.answered_at == NEVER:
        entry.ringing_at = event.at
    _touch(self, entry, now_at)
    return True


cdef bint _answered(CallTable self, Cursor *cursor, Event *event, double now_at) except -1:
    cdef Entry *entry = _plain_call(self, event.call_id, event.from_tag)
    if event.details != 4 or entry == NULL or entry.answered_at != NEVER:
        return False
    if not (_text(cursor, &event.one) and _is_plain(event.one)):
        return False
    event.status, event.session_s = _integer(cursor), _integer(cursor)
    if not (_flag(cursor, &event.flag) and 200 <= event.status < 300 and 0 <= event.session_s < LONGEST):
        return False
    _set_to_tag(entry, event.one)
    entry.answered_at, entry.status, entry.is_past_us = event.at, event.status, not event.flag
    _see(entry, event.at, event.session_s)
    _touch(self, entry, now_at)
    return True


cdef bint _failed(CallTable self, Cursor *cursor, Event *event, double now_at) except -1:
    cdef Entry *entry = _plain_call(self, event.call_id, event.from_tag)
    cdef int by, status
    if event.details != 2 or entry == NULL or entry.answered_at != NEVER:
        return False
    event.status = _integer(cursor)
    by = _party(event.one) if _text(cursor, &event.one) else -1
    if by < 0 or not LOWEST <= event.status < LOWEST + STATUSES:
        return False
    status = event.status - LOWEST
    if _is_challenge[status]:
        if entry.challenged_at == NEVER or event.at > entry.challenged_at:
            entry.challenged_at, entry.status, entry.challenged_by = event.at, event.status, by
        _touch(self, entry, now_at)
        return True
    entry.ended_at = max(event.at, entry.started_at)
    by = _record(self, entry, _outcome_texts[_outcome[status][by][entry.ringing_at != NEVER]], event.status, by)
    return True


cdef bint _bye(CallTable self, Cursor *cursor, Event *event) except -1:
    cdef Entry *entry
    cdef int by = CALLER
    if event.details != 3 or not (_text(cursor, &event.one) and _text(cursor, &event.two)):
        return False
    event.status = _integer(cursor)
    if not (_is_plain(event.two) and 200 <= event.status < 700 and _ends_call[event.status]):
        return False
    entry = _plain_call(self, event.call_id, event.from_tag)
    if entry == NULL:
        if _look_up(&self._open, event.call_id, event.from_tag, _hash(event.call_id, event.from_tag)) != NULL:
            return False
        entry = _plain_call(self, event.call_id, event.two)
        event.two, by = event.from_tag, CALLEE
    if entry == NULL or entry.answered_at == NEVER or not _is(entry.to_tag, event.two):
        return False
    entry.ended_at = max(event.at, entry.answered_at)
    _record(self, entry, _ANSWERED, entry.status, by)
    return True


cdef bint _relayed(CallTable self, Cursor *cursor, Event *event, double now_at) except -1:
    cdef Entry *entry
    cdef bint is_by_caller = True
    if event.details != 5 or not (_text(cursor, &event.one) and _text(cursor, &event.two)):
        return False
    if not (_text(cursor, &event.three) and _is_plain(event.two) and _is_plain(event.three)):
        return False
    event.packets[0], event.packets[1] = _integer(cursor), _integer(cursor)
    if not (0 <= event.packets[0] < MOST_PACKETS and 0 <= event.packets[1] < MOST_PACKETS):
        return False
    entry = _plain_call(self, event.call_id, event.from_tag)
    if entry == NULL:
        if _look_up(&self._open, event.call_id, event.from_tag, _hash(event.call_id, event.from_tag)) != NULL:
            return False
        entry, is_by_caller = _plain_call(self, event.call_id, event.two), False
    if entry == NULL:
        return False
    if entry.media == NULL:
        _set_media(entry, event.three, event.packets[not is_by_caller], event.packets[is_by_caller])
    _touch(self, entry, now_at)
    return True


cdef int _record(CallTable self, Entry *entry, const char *outcome, int status, int by) except -1:
    _put_line(&self._lines, entry, outcome, status, by, self.correction_s)
    _end(self, entry)
    return 0
