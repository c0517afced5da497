# ACK and CANCEL (RFC 3261 §9, §16.10-11, §17.1.1.3).


cdef bint _take_ack(Engine self, Message *message, Slice flow, Saved *saved) except -1:
    """An ACK for a non-2xx ends here; one for a 2xx is passed on without state (§16.11)."""
    cdef Saved *awaiting
    cdef Fact *caller
    cdef Fact *target
    cdef Change change
    cdef int hops = _hops(message)
    if saved != NULL and saved.server_state != _state[ACCEPTED]:
        _confirm(self, saved)
        return True
    if message.to_tag.size == 0 or hops < 1 or _begins_with(message.to_tag, b"sbr.", 4):
        return False
    awaiting = _find_awaited(self, message.call_id, message.from_tag, message.sequence)
    if awaiting == NULL and (self.others_await or self.others):  # it may be for a refusal of the reference
        return False
    target = _led(self, message, flow)
    if target == NULL or (self._media_mark.size and (_has_body(message) or self._token.size)):
        return False  # it may answer an offer in a 2xx
    caller = _caller(self, message, flow, False)
    if caller == NULL or not _may_begin(self, caller, True):
        return False
    _fill_change(self, &change, message, flow, caller, target, hops)
    if not _dress(self, message, &change, target):
        return False
    _stateless_branch(self, message, &change)
    self._work.size = 0
    put_request(&self._work, message, &change, &self._spans)
    if self._work.size > LARGEST_SENT:
        return False
    if awaiting != NULL:
        take_from(&self._awaited, &awaiting.awaited)
    _send_request(self, field_of(target, F_HOP), content(&self._work))
    return True


cdef void _confirm(Engine self, Saved *saved) noexcept:
    if saved.server_state != _state[COMPLETED]:
        return
    saved.server_state = _state[CONFIRMED]
    release(&saved.last)
    disarm(saved, _OF_SERVER, 6)
    saved.armed[I_] = self._now + self._t4
    _touch(self, saved)


cdef void _stateless_branch(Engine self, Message *message, Change *change) noexcept:
    self._text.size = 0
    put_slice(&self._text, self._router)
    put_octet(&self._text, c'-')
    put_hexadecimal(&self._text, crc32_on(0, message.via.at, message.via.size), 1)
    put_octet(&self._text, c'.')
    put_hexadecimal(&self._text, _routing_hash(message), 8)
    change.branch = content(&self._text)


cdef bint _take_cancel(Engine self, Message *message, Slice flow, Slice branch) except -1:
    """Answer 200, and cancel the INVITE of the same branch if it rings and has the same sender (§16.10)."""
    cdef Saved *invite = _find_server(self, branch, message.via_host, message.port, INVITE)
    cdef Fact *caller
    cdef Change change
    cdef bint is_finished
    if invite == NULL or invite.has_more or has_field(message, b"reason", 6) or not same(flow, part(invite, P_SOURCE)):
        return False
    is_finished = invite.server_state > _state[PROCEEDING]
    if not is_finished and invite.client_state != _state[PROCEEDING] and not invite.cancel_wanted:
        return False
    caller = _caller(self, message, flow, False)
    if caller == NULL:
        return False
    _fill_source(self, &change, flow, caller)
    _answer_cancel(self, message, flow, branch, caller, &change)
    if not is_finished:
        _cancel(self, invite)
    return True


cdef int _answer_cancel(Engine self, Message *message, Slice flow, Slice branch, Fact *caller,
                        Change *change) except -1:
    cdef Slice parts[PARTS]
    cdef uint8_t reply[LARGEST_FLOW]
    cdef Saved *saved
    memset(parts, 0, sizeof(parts))
    parts[P_BRANCH], parts[P_HOST], parts[P_SOURCE] = branch, message.via_host, flow
    parts[P_REPLY] = _reply_flow(message, flow, reply)
    parts[P_USER], parts[P_LANGUAGE] = field_of(caller, F_USER), value_of(message, H_ACCEPT_LANGUAGE)
    saved = _open_saved(self, ANSWERED, message, parts)
    self._text.size = 0
    self.tags += 1
    put_slice(&self._text, self._incarnation)
    put_octet(&self._text, c'-')
    put_hexadecimal(&self._text, self.tags, 1)
    self._response.size = 0
    put_response(&self._response, message, change, literal(b"SIP/2.0 200 OK", 14), content(&self._text))
    _server_base(self, saved, nothing(), message.method_text)
    pack_nil(&self._base)
    _save_base(self, saved)
    saved.server_state = _state[COMPLETED]
    saved.armed[J_] = self._now + _absorbs_s(self, saved)
    keep(&saved.last, content(&self._response))
    _answer(self, saved, content(&self._response))
    return 0


cdef int _cancel(Engine self, Saved *invite) except -1:
    """Send the CANCEL of an INVITE that rings (§9.1)."""
    cdef Slice parts[PARTS]
    cdef Saved *saved
    cdef Slice callee
    _touch(self, invite)
    invite.cancelled = True
    if invite.cancel_wanted:
        return 0
    invite.cancel_wanted = True
    invite.armed[C_] = 0
    invite.armed[X_] = self._now + self._lifetime
    callee = slice_of(invite.sent.data + invite.spans.to, invite.sent.data + invite.spans.to_end)
    self._work.size = 0
    put_of_same(&self._work, &invite.sent, &invite.spans, literal(b"CANCEL", 6), callee, invite.sent_sequence)
    memset(parts, 0, sizeof(parts))
    parts[P_OWN_BRANCH], parts[P_HOP] = part(invite, P_OWN_BRANCH), part(invite, P_HOP)
    saved = _open_saved(self, SENT, &self._message, parts)  # the message is the CANCEL that came
    self._base.size = 0
    pack_list(&self._base, 3)
    pack_truth(&self._base, False)
    _client_base(self, &self._base, saved, literal(b"CANCEL", 6), content(&self._work))
    pack_nil(&self._base)
    _save_base(self, saved)
    keep(&saved.sent, content(&self._work))
    _begin_client(self, saved)
    _send_request(self, part(saved, P_HOP), content(&self._work))
    return 0
