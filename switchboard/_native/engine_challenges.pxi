# The INVITE of a call by a trunk, sent again with the answer to its provider's challenge (RFC 3261 §22.2, core/forks.py).
#
# The reference computes the answer. The new INVITE is another client transaction of the same saved transaction; the old
# one goes on as one that stands alone, and does nothing but acknowledge the challenge again.


cdef bint _answer_provider(Engine self, Saved *saved, Message *message) except -1:
    """Take a 401 or 407; False: it is the reference's."""
    cdef bytes line, index
    cdef object learned
    if not saved.base.size or saved.cancelled or saved.cancel_wanted or saved.server_state != _state[PROCEEDING]:
        return False
    learned = self._outside.prove(
        as_bytes(part(saved, P_TRUNK)), as_bytes(content(&saved.sent)), as_bytes(_whole(message)),
        as_bytes(message.index),
    )
    if learned is None:
        return False
    line, index = learned
    if not _compose_again(self, saved, slice_in(index), slice_in(line), message.status):
        return False
    _note_answered(self, peer_address(part(saved, P_HOP)))
    self._work.size = 0
    put_of_same(
        &self._work, &saved.sent, &saved.spans, literal(b"ACK", 3), value_of(message, H_TO), saved.sent_sequence
    )
    _send_request(self, part(saved, P_HOP), content(&self._work))
    _leave_challenged(self, saved)
    _send_again(self, saved)
    return True


cdef bint _compose_again(Engine self, Saved *saved, Slice index, Slice line, int status) except -1:
    """Put the next INVITE into `_response`, and its branch into `_text`; False if that cannot be done here."""
    cdef Message sent
    cdef Slice value, token, old = part(saved, P_OWN_BRANCH)
    cdef const uint8_t *at
    cdef Mask mask
    if not read_message(&sent, content(&saved.sent), index) or not same(sent.branch, old):
        return False
    value = value_of(&sent, H_RECORD_ROUTE)
    at = <const uint8_t *>memmem(value.at, value.size, b";st=", 4)
    if at == NULL:
        return False
    at += 4
    token = slice_of(at, at)
    while at < value.at + value.size and _base64_value[at[0]] != 255:
        at += 1
        token.size += 1
    if not _open_mask(self, token, sent.call_id, sent.from_tag, &mask):
        return False
    mask.answers = sent.sequence % MASK_STEP + 1
    self._mark.size = 0
    if not _put_token(self, &mask, sent.call_id, sent.from_tag):
        return False
    self._text.size = 0
    put_slice(&self._text, self._prefix)
    put_hexadecimal(&self._text, self.branches + 1, 1)
    put_slice(&self._text, slice_of(old.at + old.size - 9, old.at + old.size))  # the hash of what came
    _put_again(self, saved, &sent, token, line, H_PROXY_AUTHORIZATION if status == 407 else H_AUTHORIZATION)
    return not self._response.failed and self._response.size <= LARGEST_SENT and self._text.size <= LONGEST_BRANCH


cdef void _put_again(Engine self, Saved *saved, Message *sent, Slice token, Slice line, int answered) noexcept:
    """Write what was sent with another branch, the next number, another token, and the line of an answer."""
    cdef Buffer *to = &self._response
    cdef const uint8_t *raw = sent.raw
    cdef const uint8_t *at = raw
    cdef const uint8_t *found
    cdef const Field *field
    cdef int place
    to.size = 0
    self._spans = saved.spans
    self._spans.via_end += <uint16_t>(self._text.size - sent.branch.size)
    for place in range(sent.count):
        field = &sent.fields[place]
        if field.number == H_VIA and place == sent.first[H_VIA]:
            put_slice(to, slice_of(at, sent.branch.at))
            put_slice(to, content(&self._text))
            at = sent.branch.at + sent.branch.size
        elif field.number == H_RECORD_ROUTE:
            found = <const uint8_t *>memmem(raw + field.start, field.end - field.start, token.at, token.size)
            if found != NULL:
                put_slice(to, slice_of(at, found))
                put_slice(to, content(&self._mark))
                at = found + token.size
        elif field.number == H_CSEQ:
            put_slice(to, slice_of(at, raw + field.line))
            put(to, b"CSeq: ", 6)
            put_sequence(to, sent.sequence + 1, sent.method_text)
            at = line_end(sent, place)
        elif field.number == answered:
            put_slice(to, slice_of(at, raw + field.line))
            at = line_end(sent, place)
        elif field.number == H_FROM or field.number == H_TO or field.number == H_CALL_ID:
            put_slice(to, slice_of(at, raw + field.start))
            at = raw + field.start
            _note_span(&self._spans, field, to.size)
    put_slice(to, slice_of(at, raw + sent.headers_end))
    put_slice(to, line)
    put(to, b"\r\n", 2)
    put_slice(to, slice_of(raw + sent.headers_end, raw + sent.body_end))


cdef int _leave_challenged(Engine self, Saved *saved) except -1:
    """The transaction that was challenged goes on by itself."""
    cdef Slice parts[PARTS]
    cdef Saved *left
    take_from(&self._clients, &saved.client)
    memset(parts, 0, sizeof(parts))
    parts[P_OWN_BRANCH], parts[P_HOP] = part(saved, P_OWN_BRANCH), part(saved, P_HOP)
    left = _open_saved(self, SENT, &self._message, parts)  # the message is the challenge
    self._base.size = 0
    pack_list(&self._base, 3)
    pack_truth(&self._base, False)
    _client_base(self, &self._base, left, literal(b"INVITE", 6), content(&saved.sent))
    pack_nil(&self._base)
    _save_base(self, left)
    left.sent, left.spans, left.sent_sequence = saved.sent, saved.spans, saved.sent_sequence
    memset(&saved.sent, 0, sizeof(Buffer))
    left.client_interval = saved.client_interval
    _finish_client(self, left, COMPLETED, D_, self._t4 if left.is_sent_reliably else self._d)
    return 0


cdef void _send_again(Engine self, Saved *saved) noexcept:
    """Begin the client transaction of what is in `_response`."""
    self.branches += 1
    _touch(self, saved)
    name_branch(saved, content(&self._text))
    keep(&saved.sent, content(&self._response))
    saved.spans, saved.sent_sequence = self._spans, saved.sent_sequence + 1
    add_to(&self._clients, &saved.client, _client_key(part(saved, P_OWN_BRANCH), INVITE), saved)
    saved.client_state, saved.client_interval = _state[TRYING], self._t1
    saved.armed[N_] = 0
    disarm(saved, _OF_CLIENT, 5)
    _begin_client(self, saved)
    self._base.size = 0
    put_slice(&self._base, content(&saved.base))
    _client_base(self, &self._base, saved, literal(b"INVITE", 6), content(&saved.sent))
    _save_base(self, saved)
    _send_request(self, part(saved, P_HOP), content(&saved.sent))


cdef void _take_of_challenged(Engine self, Saved *saved, Message *message) noexcept:
    """A response to the INVITE that was challenged: the challenge again, or nothing of use."""
    _note_answered(self, peer_address(part(saved, P_HOP)))
    _touch(self, saved)
    self.absorbed += 1
    if message.status >= 300:
        self._work.size = 0
        put_of_same(
            &self._work, &saved.sent, &saved.spans, literal(b"ACK", 3), value_of(message, H_TO), saved.sent_sequence
        )
        _send_request(self, part(saved, P_HOP), content(&self._work))
