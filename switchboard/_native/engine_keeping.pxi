# Timers, what a successor finds, what the journal is told, and what leaves.


cdef void _repeat(Engine self, Saved *saved) noexcept:
    """Timer A or E: repeat the request, unless its address has never answered and has used up its repetitions."""
    saved.armed[A_] = 0
    _touch(self, saved)
    if _allows(self, peer_address(part(saved, P_HOP)), self._now):
        _send_request(self, part(saved, P_HOP), content(&saved.sent))
    if saved.method == INVITE:
        saved.client_interval *= 2
    elif saved.client_state == _state[PROCEEDING]:
        saved.client_interval = self._t2
    else:
        saved.client_interval = min(2 * saved.client_interval, self._t2)
    saved.armed[A_] = self._now + saved.client_interval
    wait_until(&self._heap, &saved.waiter, first_deadline(saved))


cdef long _repeat_over(Engine self, int instance, int streams) noexcept:
    cdef Py_ssize_t place
    cdef Node *node
    cdef long repeated = 0
    for place in range(self._servers.mask + 1):
        node = self._servers.buckets[place]
        while node != NULL:
            repeated += _repeat_answer_over(self, <Saved *>node.owner, instance, streams)
            node = node.next
    for place in range(self._clients.mask + 1):
        node = self._clients.buckets[place]
        while node != NULL:
            repeated += _repeat_request_over(self, <Saved *>node.owner, instance, streams)
            node = node.next
    return repeated


cdef bint _repeat_answer_over(Engine self, Saved *saved, int instance, int streams) noexcept:
    if stream_of(part(saved, P_REPLY), streams) != instance:
        return False
    _repeat_answer(self, saved)
    return True


cdef bint _repeat_request_over(Engine self, Saved *saved, int instance, int streams) noexcept:
    if stream_of(part(saved, P_HOP), streams) != instance:
        return False
    if saved.client_state == _state[TRYING]:
        _send_request(self, part(saved, P_HOP), content(&saved.sent))
    return True


cdef void _end(Engine self, Saved *saved) noexcept:
    """End a saved transaction. An ACK that has not come is reported (core/calls.py, Unconfirmed)."""
    if saved.awaited.owner != NULL:
        _begin_event(self, saved, literal(b"unconfirmed", 11), self._at, 0)
        _end_event(self)
    _let_go(self, saved)
    saved.is_over = True
    _touch(self, saved)


cdef void _let_go(Engine self, Saved *saved) noexcept:
    take_from(&self._servers, &saved.server)
    take_from(&self._clients, &saved.client)
    take_from(&self._awaited, &saved.awaited)
    if saved.relayed != NULL:
        take_from(&self._asked, &saved.relayed.asked)
    wait_no_more(&self._heap, &saved.waiter)


cdef int _hand_over(Engine self, Saved *saved) except -1:
    """Hand a saved transaction over to the reference, which restores it from its records."""
    cdef object contact = as_bytes(content(&saved.contact)) if saved.awaited.owner != NULL else None
    cdef uint64_t number = saved.number
    if saved.kind != SENT:
        _note_handed(self, _key_of(part(saved, P_BRANCH), part(saved, P_HOST), saved.port), self._now)
    if saved.is_touched:
        _save(self, saved)
    _let_go(self, saved)
    _forget_touch(self, saved)
    free_saved(saved)
    self.handed_over += 1
    _ask(self).adopt(number, contact)
    return 0


cdef void _touch(Engine self, Saved *saved) noexcept:
    if not saved.is_touched:
        saved.is_touched = True
        saved.next_touched = self._touched
        self._touched = saved


cdef void _forget_touch(Engine self, Saved *saved) noexcept:
    cdef Saved **place = &self._touched
    if not saved.is_touched:
        return
    while place[0] != saved:
        place = &place[0].next_touched
    place[0] = saved.next_touched
    saved.is_touched = False


cdef void _save_touched(Engine self) noexcept:
    """Write the touched saved transactions in order, and erase those that are over."""
    cdef Saved *saved
    cdef Saved *following
    cdef Saved *first = NULL
    saved, self._touched = self._touched, NULL
    while saved != NULL:
        following, saved.next_touched = saved.next_touched, first
        first, saved = saved, following
    saved = first
    while saved != NULL:
        following = saved.next_touched
        saved.is_touched = False
        _settle(self, saved)
        saved = following


cdef void _settle(Engine self, Saved *saved) noexcept:
    cdef double last
    if saved.is_over:
        _record(self, c'T', saved.number, nothing(), True)
        _record(self, c'U', saved.number, nothing(), True)
        free_saved(saved)
        return
    _save(self, saved)
    last = last_ending(saved)
    saved.is_settled = last > 0
    wait_until(&self._heap, &saved.waiter, last if saved.is_settled else first_deadline(saved))


cdef void _save_base(Engine self, Saved *saved) noexcept:
    """What does not change is written as the transaction begins; it is in `_base`."""
    _record(self, c'U', saved.number, content(&self._base), False)


cdef void _save(Engine self, Saved *saved) noexcept:
    self._work.size = 0
    _pack_saved(self, saved)
    _record(self, c'T', saved.number, content(&self._work), False)


cdef void _record(Engine self, uint8_t kind, uint64_t number, Slice value, bint is_erased) noexcept:
    """Write a record of the keyed log: lengths of key and value, little-endian, the key, the value."""
    cdef uint16_t key_size = 9
    cdef uint32_t size = ERASED if is_erased else <uint32_t>value.size
    cdef uint8_t key[9]
    cdef int at
    key[0] = kind
    for at in range(8):
        key[1 + at] = <uint8_t>(number >> (8 * (7 - at)))
    put(&self._records, &key_size, 2)
    put(&self._records, &size, 4)
    put(&self._records, key, 9)
    put_slice(&self._records, value)


cdef void _begin_event(Engine self, Saved *saved, Slice kind, double at, int details) noexcept:
    self._event.size = 0
    pack_list(&self._event, 4 + details)
    pack_text(&self._event, kind)
    pack_text(&self._event, part(saved, P_CALL_ID))
    pack_text(&self._event, part(saved, P_FROM_TAG))
    pack_real(&self._event, at)


cdef void _end_event(Engine self) noexcept:
    self._events.append(as_bytes(content(&self._event)))


cdef void _note_invite(Engine self, Saved *saved, Slice caller, Slice callee) noexcept:
    _begin_event(self, saved, literal(b"invite", 6), self._at, 2)
    pack_text(&self._event, caller)
    pack_text(&self._event, callee)
    _end_event(self)


cdef void _note_success(Engine self, Saved *saved, Message *message) noexcept:
    """A 2xx: to the INVITE of a call, to a BYE, or to what refreshes its session (RFC 4028 §8)."""
    _note_bye(self, saved, message.status)
    if saved.begins_call:
        _begin_event(self, saved, literal(b"answered", 8), self._at, 4)
        pack_text(&self._event, message.to_tag)
        pack_number(&self._event, message.status)
        pack_number(&self._event, _session_expires_s(message))
        pack_truth(&self._event, message.seen[H_RECORD_ROUTE] > 0)
        _end_event(self)
    elif saved.in_dialog and (saved.method == INVITE or saved.method == UPDATE):
        _begin_event(self, saved, literal(b"refreshed", 9), self._at, 3)
        pack_text(&self._event, part(saved, P_FROM_TAG))
        pack_text(&self._event, part(saved, P_TO_TAG))
        pack_number(&self._event, _session_expires_s(message))
        _end_event(self)


cdef void _note_bye(Engine self, Saved *saved, int status) noexcept:
    cdef double age_s = 0
    if saved.method != BYE or not saved.in_dialog:
        return
    if saved.armed[J_] and saved.server_state <= _state[PROCEEDING]:
        age_s = self._now + 2 * self._lifetime - saved.armed[J_]
    _begin_event(self, saved, literal(b"bye", 3), self._at - age_s, 3)
    pack_text(&self._event, part(saved, P_FROM_TAG))
    pack_text(&self._event, part(saved, P_TO_TAG))
    pack_number(&self._event, status)
    _end_event(self)


cdef void _send_request(Engine self, Slice flow, Slice raw) noexcept:
    pack_list(&self._requests, 2)
    pack_octets(&self._requests, flow)
    pack_octets(&self._requests, raw)
    self._request_count += 1


cdef void _answer(Engine self, Saved *saved, Slice raw) noexcept:
    _put_response(self, part(saved, P_REPLY), raw, part(saved, P_USER), part(saved, P_LANGUAGE))


cdef void _put_response(Engine self, Slice flow, Slice raw, Slice user, Slice language) noexcept:
    pack_list(&self._responses, 4)
    pack_octets(&self._responses, flow)
    pack_octets(&self._responses, raw)
    pack_text(&self._responses, user)
    pack_text(&self._responses, language)
    self._response_count += 1
