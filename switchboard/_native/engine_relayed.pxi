# What a media engine has answered, and the responses that wait for that (core/relaying.py).


cdef Saved *_find_asked(Engine self, uint64_t token) noexcept:
    cdef Node *node = first_in(&self._asked, token)
    return <Saved *>node.owner if node != NULL else NULL


cdef bint _take_told(Engine self, Saved *saved, Slice sdp, bint has_figures) except -1:
    """An engine has answered; False if what waits cannot go on here."""
    cdef Relayed *relayed = saved.relayed
    cdef int question = relayed.question
    if not (has_figures if question == END_ASKED else _is_clean(sdp)):
        return False
    saved.armed[R_] = 0
    if question == OFFER_ASKED:
        if not _leave(self, saved, sdp):
            return False
        self.media_counts[0] += 1
    elif question == END_ASKED:
        _note_figures(self, saved)
    elif not _is_whole(relayed, sdp):
        return False
    take_from(&self._asked, &relayed.asked)
    relayed.question = NOTHING_ASKED
    if relayed.held.size and not _pass_held(self, saved, sdp):
        return False
    wait_until(&self._heap, &saved.waiter, first_deadline(saved))
    return True


cdef inline bint _is_whole(const Relayed *relayed, Slice sdp) noexcept nogil:
    """Whether the response that waits can bear this SDP."""
    return sdp.size <= LARGEST_SENT - relayed.held.size


cdef bint _leave(Engine self, Saved *saved, Slice sdp) noexcept:
    """Send the INVITE, with the SDP that an engine wrote; False if that is too long."""
    cdef Relayed *relayed = saved.relayed
    cdef Slice branch
    cdef Py_ssize_t gap = saved.spans.via_end
    self._text.size = self._work.size = 0
    put_slice(&self._text, self._prefix)
    put_hexadecimal(&self._text, self.branches + 1, 1)
    put_octet(&self._text, c'.')
    put_hexadecimal(&self._text, relayed.routing_hash, 8)
    branch = content(&self._text)
    put(&self._work, saved.sent.data, gap)
    put_slice(&self._work, branch)
    put(&self._work, saved.sent.data + gap, saved.sent.size - gap)
    put_body(&self._work, sdp)
    if self._work.size > LARGEST_SENT or (relayed.may_move and self._work.size > self._tcp_above):
        return False
    if not name_branch(saved, branch):
        return False
    self.branches += 1
    _touch(self, saved)
    _move_spans(&saved.spans, branch.size)
    keep(&saved.sent, content(&self._work))
    add_to(&self._clients, &saved.client, _client_key(branch, saved.method), saved)
    self._base.size = 0
    put_slice(&self._base, content(&relayed.base))
    release(&relayed.base)
    _client_base(self, &self._base, saved, literal(b"INVITE", 6), content(&self._work))
    _save_base(self, saved)
    _begin_client(self, saved)
    _send_request(self, part(saved, P_HOP), content(&self._work))
    return True


cdef void _move_spans(Spans *spans, Py_ssize_t by) noexcept nogil:
    """The branch was put into our Via, behind which the other fields stand."""
    cdef uint16_t more = <uint16_t>by
    spans.via_end += more
    spans.from_ += more
    spans.from_end += more
    spans.to += more
    spans.to_end += more
    spans.call_id += more
    spans.call_id_end += more


cdef int _note_figures(Engine self, Saved *saved) except -1:
    """What an engine has relayed of a call that has ended; `core/relays.py` tells the journal, too."""
    cdef Relayed *relayed = saved.relayed
    relayed.has_figures = True
    self.media_counts[1 + (relayed.packets[0] > 0) + (relayed.packets[1] > 0)] += 1
    _touch(self, saved)
    _begin_event(self, saved, literal(b"relayed", 7), self._at, 5)
    pack_text(&self._event, part(saved, P_FROM_TAG))
    pack_text(&self._event, part(saved, P_TO_TAG))
    pack_text(&self._event, slice_in(<bytes>self._urls[relayed.place]))
    pack_number(&self._event, relayed.packets[0])
    pack_number(&self._event, relayed.packets[1])
    _end_event(self)
    return 0


# responses


cdef int _hold(Engine self, Saved *saved, Message *message) except -2:
    """1: the response was taken, as it waits for an engine. 0: it does not wait. -1: it is odd."""
    cdef Relayed *relayed = saved.relayed
    cdef Slice sdp
    cdef int found
    if self._has_trunks and _differs(saved, message):
        return -1
    if saved.method == BYE:
        return _hold_of_bye(self, saved, message) if relayed.question == END_ASKED else 0
    if not relayed.is_leg or relayed.is_closed or not _is_seen(saved, message.status):
        return 0
    if relayed.held.size:
        return _take_again(self, saved, message)
    if message.status == 100 or message.status >= 300 or message.to_tag.size == 0:
        return 0
    found = _sdp_in(message, &sdp)
    if found < 1:
        return found
    if not _may_relay(self, saved, message) or not _has_length_behind_via(message):
        return -1
    if message.status >= 200 and saved.tag.size and not same(content(&saved.tag), message.to_tag):
        return -1
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    if message.status < 200:
        saved.client_state = _state[PROCEEDING]
        disarm(saved, _OF_CLIENT, 5)
    elif saved.client_state <= _state[PROCEEDING]:
        _finish_client(self, saved, ACCEPTED, M_, self._lifetime)
        release(&saved.sent)
    keep(&relayed.held, _whole(message))
    keep(&relayed.index, message.index)
    _ask_engine(
        self, saved, ANSWER_ASKED, literal(b"answer", 6), message.from_tag, message.to_tag, part(saved, P_SOURCE), sdp
    )
    return 1


cdef inline bint _is_seen(const Saved *saved, int status) noexcept nogil:
    """Whether the client transaction of an INVITE shows a response to its user (§17.1.1.2)."""
    return saved.client_state <= _state[PROCEEDING] or (saved.client_state == _state[ACCEPTED] and 200 <= status < 300)


cdef int _take_again(Engine self, Saved *saved, Message *message) noexcept:
    """A response comes while one waits: the same one once more, or it is odd."""
    if not same(content(&saved.relayed.held), _whole(message)):
        return -1
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    return 1


cdef int _hold_of_bye(Engine self, Saved *saved, Message *message) except -2:
    """The final response to a BYE waits for the figures."""
    cdef Relayed *relayed = saved.relayed
    if saved.client_state >= _state[COMPLETED]:
        return 0
    if message.status < 200 or (message.status >= 300 and not _may_pass(message.status, BYE)):
        return -1
    if message.status < 300 and (message.to_tag.size == 0 or not _may_relay(self, saved, message)):
        return -1
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    _complete_client(self, saved)
    release(&saved.sent)
    keep(&relayed.held, _whole(message))
    keep(&relayed.index, message.index)
    return 1


cdef bint _has_length_behind_via(const Message *message) noexcept nogil:
    cdef int place
    for place in range(message.first[H_VIA]):
        if message.fields[place].number == H_CONTENT_LENGTH:
            return False
    return True


cdef bint _pass_held(Engine self, Saved *saved, Slice sdp) except -1:
    """Pass on the response that waited."""
    cdef Relayed *relayed = saved.relayed
    cdef Message *message = &self._message
    cdef bint is_passed = True
    if not read_message(message, content(&relayed.held), content(&relayed.index)):
        return False
    if saved.method == BYE:
        _pass_of_bye(self, saved, message)
    else:
        self._told = sdp
        try:
            if message.status < 200:
                is_passed = _take_provisional(self, saved, message)
            else:
                is_passed = _take_success(self, saved, message)
        finally:
            self._told = nothing()  # its octets are the caller's
    if is_passed:
        release(&relayed.held)
        release(&relayed.index)
    return is_passed


cdef void _pass_of_bye(Engine self, Saved *saved, Message *message) noexcept:
    self._moved = nothing()
    _touch(self, saved)
    _end_branch(self, saved, message.status)
    if message.status < 300:
        keep(&saved.tag, message.to_tag)
        _note_success(self, saved, message)
    else:
        _note_bye(self, saved, message.status)
    _relay(self, saved, message)


cdef Py_ssize_t _put_passed(Engine self, Saved *saved, Message *message) noexcept:
    """Put a response as it is passed back into `_response`; return how many octets stand behind its head."""
    cdef Buffer *to = &self._response
    cdef Py_ssize_t head
    if self._told.size:
        put_head_without_via(to, message)
        head = to.size
        put_body(to, self._told)
        return to.size - head
    if saved.relayed == NULL or not saved.relayed.has_figures or message.status < 200:
        put_without_via(to, message)
        return message.body_end - message.headers_end
    put_without_via(to, message)
    _put_figures(self, saved, message)
    return message.body_end - message.headers_end


cdef void _put_figures(Engine self, Saved *saved, Message *message) noexcept:
    """Add what was relayed to the head of the response to a BYE in `_response`."""
    cdef Py_ssize_t tail = message.body_end - message.headers_end
    cdef Py_ssize_t place = self._response.size - tail
    cdef Buffer *line = &self._command
    line.size = 0
    put(line, b"X-Relayed: from=", 16)
    put_decimal(line, _packets_of(saved, message.from_tag))
    put(line, b";to=", 4)
    put_decimal(line, _packets_of(saved, message.to_tag))
    put(line, b"\r\n", 2)
    if reserve(&self._response, line.size):
        memmove(self._response.data + place + line.size, self._response.data + place, tail)
        memcpy(self._response.data + place, line.data, line.size)
        self._response.size += line.size


cdef uint64_t _packets_of(const Saved *saved, Slice tag) noexcept nogil:
    if same(tag, part(saved, P_FROM_TAG)):
        return saved.relayed.packets[0]
    return saved.relayed.packets[1] if same(tag, part(saved, P_TO_TAG)) else 0


cdef void _pack_saved(Engine self, Saved *saved) noexcept:
    """Put the state of a saved transaction into `_work`."""
    cdef Slice host = nothing()
    cdef int port = 0
    if saved.relayed != NULL:
        host, port = slice_in(<bytes>self._hosts[saved.relayed.place]), self._ports[saved.relayed.place]
    pack_state(&self._work, saved, self._now, host, port)
