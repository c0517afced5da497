# Responses, and what the state of their transaction lets pass (RFC 3261 §16.7, §17.1).


cdef bint _take_response(Engine self, Message *message) except -1:
    cdef Saved *saved = _find_client(self, message.branch, message.method)
    cdef int held
    if saved == NULL:
        return False
    if message.seen[H_VIA] < 2 and message.next_via == NULL and (saved.kind == PROXIED or saved.method == INVITE):
        return False
    if saved.relayed != NULL:
        held = _hold(self, saved, message)
        if held:
            return held > 0
    if saved.kind == SENT and saved.method == INVITE:
        _take_of_challenged(self, saved, message)
        return True
    if saved.kind == SENT:
        _take_of_cancel(self, saved, message)
        return True
    if saved.method == INVITE:
        return _take_of_invite(self, saved, message)
    return _take_of_other(self, saved, message)


cdef void _take_of_cancel(Engine self, Saved *saved, Message *message) noexcept:
    _note_answered(self, peer_address(part(saved, P_HOP)))
    if saved.client_state >= _state[COMPLETED]:
        self.absorbed += 1
        return
    _touch(self, saved)
    if message.status < 200:
        saved.client_state = _state[PROCEEDING]
    else:
        _complete_client(self, saved)
        release(&saved.sent)
        if saved.client_state == _state[TERMINATED]:
            _end(self, saved)


cdef bint _take_of_invite(Engine self, Saved *saved, Message *message) except -1:
    """Pass a response to an INVITE to the caller if the state of the client transaction allows it (§17.1.1, §16.7)."""
    cdef int status = message.status
    if saved.client_state <= _state[PROCEEDING]:
        if status < 200:
            return _take_provisional(self, saved, message)
        if status < 300:
            return _take_success(self, saved, message)
        return _take_failure(self, saved, message)
    if saved.client_state == _state[ACCEPTED] and 200 <= status < 300:
        return _take_success(self, saved, message)
    if saved.client_state == _state[COMPLETED] and status >= 300:
        return _acknowledge_again(self, saved, message)
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    self.absorbed += 1
    return True


cdef bint _take_provisional(Engine self, Saved *saved, Message *message) except -1:
    if message.status > 100 and not _may_relay(self, saved, message):
        return False
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    saved.client_state = _state[PROCEEDING]
    saved.armed[N_] = 0
    disarm(saved, _OF_CLIENT, 5)
    if message.status == 100:
        return True
    if not saved.armed[X_]:
        saved.armed[C_] = self._now + self._c
    if (message.status == 180 or message.status == 183) and not saved.rang:
        saved.rang = True
        if saved.begins_call:
            _begin_event(self, saved, literal(b"ringing", 7), self._at, 0)
            _end_event(self)
    _relay(self, saved, message)
    return True


cdef bint _take_success(Engine self, Saved *saved, Message *message) except -1:
    """A 2xx, the first or a repeated one."""
    cdef bint is_first = saved.tag.size == 0
    if saved.has_more or message.to_tag.size == 0 or not _may_relay(self, saved, message):
        return False
    if not is_first and not same(content(&saved.tag), message.to_tag):
        return False
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    if saved.client_state <= _state[PROCEEDING]:
        _finish_client(self, saved, ACCEPTED, M_, self._lifetime)
        release(&saved.sent)
    if not saved.final_status:
        _end_branch(self, saved, message.status)
    if is_first:
        keep(&saved.tag, message.to_tag)
        _note_success(self, saved, message)
    if saved.awaited.owner == NULL:  # of a repeated one, too: its ACK was lost
        _await_ack(self, saved, message)
    _relay(self, saved, message)
    return True


cdef void _await_ack(Engine self, Saved *saved, Message *message) noexcept:
    if saved.begins_call:
        keep(&saved.contact, value_of(message, H_CONTACT))
        add_to(
            &self._awaited, &saved.awaited,
            _awaited_key(part(saved, P_CALL_ID), part(saved, P_FROM_TAG), saved.sequence), saved,
        )


cdef bint _take_failure(Engine self, Saved *saved, Message *message) except -1:
    """A final response of the only branch, which goes to the caller unchanged."""
    self._moved = nothing()
    if saved.is_masked and (message.status == 401 or message.status == 407):
        return _answer_provider(self, saved, message)
    if saved.has_more or not _may_pass(message.status, saved.method):
        return False
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    if saved.method == INVITE:
        _acknowledge(self, saved, message)
        _finish_client(self, saved, COMPLETED, D_, self._t4 if saved.is_sent_reliably else self._d)
    else:
        _complete_client(self, saved)
    release(&saved.sent)
    _end_branch(self, saved, message.status)
    if saved.begins_call:
        _begin_event(self, saved, literal(b"failed", 6), self._at, 2)
        pack_number(&self._event, message.status)
        if saved.cancelled and message.status == 487:
            pack_text(&self._event, literal(b"caller", 6))
        else:
            pack_text(&self._event, literal(b"callee", 6))
        _end_event(self)
    _note_bye(self, saved, message.status)
    _relay(self, saved, message)
    _close_leg(self, saved)
    return True


cdef void _acknowledge(Engine self, Saved *saved, Message *message) noexcept:
    self._work.size = 0
    put_of_same(
        &self._work, &saved.sent, &saved.spans, literal(b"ACK", 3), value_of(message, H_TO), saved.sent_sequence
    )
    keep(&saved.ack, content(&self._work))
    keep(&saved.contact, value_of(message, H_TO))
    _send_request(self, part(saved, P_HOP), content(&self._work))


cdef bint _acknowledge_again(Engine self, Saved *saved, Message *message) except -1:
    """A retransmitted response; one with another To goes to the reference."""
    if not same(content(&saved.contact), value_of(message, H_TO)):
        return False
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    _send_request(self, part(saved, P_HOP), content(&saved.ack))
    self.absorbed += 1
    return True


cdef bint _take_of_other(Engine self, Saved *saved, Message *message) except -1:
    """Pass the final response to a non-INVITE, and nothing else (§17.1.2, §16.7, RFC 4320 §4.1)."""
    if saved.client_state >= _state[COMPLETED]:
        _note_answered(self, peer_address(part(saved, P_HOP)))
        self.absorbed += 1
        return True
    if message.status >= 300:
        return _take_failure(self, saved, message)
    if message.status >= 200 and (message.to_tag.size == 0 or not _may_relay(self, saved, message)):
        return False
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    if message.status < 200:
        saved.client_state = _state[PROCEEDING]
        return True
    _complete_client(self, saved)
    release(&saved.sent)
    _end_branch(self, saved, message.status)
    keep(&saved.tag, message.to_tag)
    _note_success(self, saved, message)
    _relay(self, saved, message)
    return True


cdef void _finish_client(Engine self, Saved *saved, int state, int letter, double after) noexcept:
    saved.client_state = _state[state]
    release(&saved.base)
    disarm(saved, _OF_CLIENT, 5)
    saved.armed[letter] = self._now + after


cdef void _complete_client(Engine self, Saved *saved) noexcept:
    """The final response to a request other than INVITE is here; over a reliable transport nothing more is to be done."""
    if not saved.is_sent_reliably:
        _finish_client(self, saved, COMPLETED, K_, self._t4)
        return
    saved.client_state = _state[TERMINATED]
    disarm(saved, _OF_CLIENT, 5)
    take_from(&self._clients, &saved.client)


cdef void _end_branch(Engine self, Saved *saved, int status) noexcept:
    saved.final_status = status
    disarm(saved, _OF_BRANCH, 3)


cdef bint _may_relay(Engine self, Saved *saved, Message *message) except -1:
    """Whether a response passes unchanged: none of its fields is doubted, and its dialog is sealed already."""
    cdef Slice contact, target
    cdef int number
    self._moved = nothing()
    for number in range(H_P_ASSERTED_IDENTITY, H_CALL_INFO + 1):
        if message.seen[number]:
            return False
    if self._has_trunks and _tells_answers(saved, message):
        return False
    if not _is_recorded(saved.method) or message.to_tag.size == 0 or not message.seen[H_RECORD_ROUTE]:
        return True
    if not _is_recorded_by_us_alone(message):
        return False
    contact, target = value_of(message, H_CONTACT), part(saved, P_TARGET)
    if contact.size == 0:
        return True
    if contact.size == target.size + 2 and memcmp(contact.at + 1, target.at, target.size) == 0:
        return True
    if _is_at(contact, target) or _is_same_place(self, contact, target):
        return True
    return _moves_outside(self, saved, message, contact) if saved.is_outside \
        else _moves_callee(self, saved, message, contact)


cdef Slice _old_seal(Message *message) noexcept:
    """The seal in our Record-Route of a response; nothing if that is not written as we write it."""
    cdef Slice seal = _seal_in(value_of(message, H_RECORD_ROUTE))
    cdef const uint8_t *mark
    if seal.size < 2 or seal.at[seal.size - 1] != c'>' or memchr(seal.at, c',', seal.size) != NULL:
        return nothing()
    seal.size -= 1
    mark = <const uint8_t *>memchr(seal.at, c';', seal.size)
    if mark != NULL:
        seal.size = mark - seal.at
    return seal


cdef bint _moves_outside(Engine self, Saved *saved, Message *message, Slice contact) except -1:
    """Seal where a gateway or provider is by its Contact, which is another place than the one called."""
    cdef Slice flow = part(saved, P_HOP), seal = _old_seal(message)
    cdef Fact *fact
    if seal.size == 0:
        return False
    self._text.size = 0
    put_octet(&self._text, <uint8_t>flow.size)
    put_slice(&self._text, flow)
    put_slice(&self._text, contact)
    fact = _told_of(self, c'Q', content(&self._text), self._outside.side)
    if fact == NULL:
        return False
    self._seal.size = 0
    if not replace_callee(&self._seal, seal, self._key, message.call_id, message.from_tag, flow, field_of(fact, 0)):
        return False
    self._moved = seal
    return True


cdef bint _moves_callee(Engine self, Saved *saved, Message *message, Slice contact) except -1:
    """Seal the Contact of a callee with a connection, who is reached over that whatever it names (record_route.py)."""
    cdef Slice uri = uri_in_brackets(contact), flow = part(saved, P_HOP), seal = _old_seal(message)
    cdef Fact *fact
    if uri.size == 0 or not has_connection(flow) or seal.size == 0:
        return False
    fact = _sum_of(self, uri)
    if fact == NULL:
        return False
    self._seal.size = 0
    if not move_callee(&self._seal, seal, self._key, message.call_id, message.from_tag, flow, field_of(fact, 0).at):
        return False
    if self._seal.size != seal.size:
        return False
    self._moved = seal
    return True


cdef void _put_moved(Engine self, Py_ssize_t tail) noexcept:
    """Put the new seal in the place of the old one, wherever that stands in `_response` ahead of its `tail`."""
    cdef Buffer *to = &self._response
    cdef Py_ssize_t at = 0, size = self._moved.size, more = self._seal.size - size
    cdef uint8_t *found
    while to.size - tail - at >= size:
        found = <uint8_t *>memmem(to.data + at, to.size - tail - at, self._moved.at, size)
        if found == NULL:
            return
        at = found - to.data
        if more > 0 and not reserve(to, more):
            return
        if more:
            memmove(to.data + at + self._seal.size, to.data + at + size, to.size - at - size)
        memcpy(to.data + at, self._seal.data, self._seal.size)
        to.size += more
        at += self._seal.size


cdef void _relay(Engine self, Saved *saved, Message *message) noexcept:
    """Pass a response back, less our Via (§16.7 steps 3 and 9)."""
    cdef int status = message.status
    cdef Py_ssize_t tail
    self._response.size = 0
    if self._has_trunks and _differs(saved, message):
        put_unmasked(&self._response, message, saved)
        tail = message.body_end - message.headers_end
    else:
        tail = _put_passed(self, saved, message)
    if self._moved.size and not self._response.failed:
        _put_moved(self, tail)
    if saved.method != INVITE:
        _complete_other(self, saved, status)
    elif saved.server_state == _state[PROCEEDING]:
        if status < 200:
            keep(&saved.last, content(&self._response))
        elif status < 300:
            saved.server_state = _state[ACCEPTED]
            release(&saved.last)
            saved.armed[L_] = self._now + self._lifetime
        else:
            saved.server_state = _state[COMPLETED]
            keep(&saved.last, content(&self._response))
            if not saved.is_answered_reliably:
                saved.armed[G_] = self._now + saved.server_interval
            saved.armed[H_] = self._now + self._lifetime
    _answer(self, saved, content(&self._response))


cdef void _complete_other(Engine self, Saved *saved, int status) noexcept:
    saved.server_state = _state[COMPLETED]
    saved.armed[T_] = 0
    saved.armed[J_] = self._now + _absorbs_s(self, saved)
    keep(&saved.last, content(&self._response))


cdef inline double _absorbs_s(Engine self, const Saved *saved) noexcept:
    """How long a request other than INVITE that was answered may come once more (core/server_transaction.py)."""
    return self._t4 if saved.is_answered_reliably else self._lifetime


cdef void _repeat_answer(Engine self, Saved *saved) noexcept:
    """Answer a retransmission of the request from the state (§17.2)."""
    cdef int state = saved.server_state
    if saved.last.size and (saved.method != INVITE or state == _state[PROCEEDING] or state == _state[COMPLETED]):
        _answer(self, saved, content(&saved.last))
