# Requests: what begins, what is repeated, what is forwarded (RFC 3261 §16.3-6).


cdef bint _take(Engine self, Slice flow, Slice index, Slice raw) except -1:
    cdef Message *message = &self._message
    cdef bint is_taken
    if not is_flow(flow) or not read_message(message, raw, index):
        return False
    self._media_mark = nothing()
    is_taken = _take_response(self, message) if message.status else _take_request(self, message, flow)
    self.plain += is_taken
    return is_taken


cdef bint _take_request(Engine self, Message *message, Slice flow) except -1:
    cdef uint8_t lowered[LONGEST_NAME]
    cdef Slice branch = _lower_branch(message, lowered)
    cdef Saved *saved
    if _is_odd_request(message) or not _knows_credentials(self, message):
        return False
    saved = _find_server(self, branch, message.via_host, message.port, message.method)
    if saved == NULL and _is_handed(self, _key_of(branch, message.via_host, message.port)):
        return False
    if message.method == ACK:
        return _take_ack(self, message, flow, saved)
    if saved != NULL:
        _repeat_answer(self, saved)
        return True
    if message.method == CANCEL:
        return _take_cancel(self, message, flow, branch)
    return _begin(self, message, flow, branch)


cdef bint _begin(Engine self, Message *message, Slice flow, Slice branch) except -1:
    """Forward a new request, if it has one target that leads by an address (§16.3-6)."""
    cdef bint in_dialog = message.to_tag.size > 0
    cdef bint needs_proof = not in_dialog and not self._admits_all
    cdef bint is_outside
    cdef int hops = _hops(message)
    cdef Fact *caller
    cdef Fact *target
    cdef Change change
    cdef object user = b""
    cdef int relaying = NOT_RELAYED
    if hops < 1 or (not in_dialog and self.is_pressing):
        return False
    if needs_proof and (self._asserts or not message.seen[H_PROXY_AUTHORIZATION] or message.size > MOST_PROVED):
        return False
    if not in_dialog and (message.seen[H_ROUTE] or not _is_plain_outside(message.method)):
        return False
    if self._keeps_messages and message.method == MESSAGE and not in_dialog:  # nobody may take it (`core/keeping.py`)
        return False
    target = _led(self, message, flow) if in_dialog else _callee(self, message, flow)
    if target == NULL:
        return False
    is_outside = not in_dialog and field_of(target, F_TRIED).size > 0
    caller = _caller(self, message, flow, needs_proof or is_outside)  # facts may grow old by it, but not those of this message
    if caller == NULL:
        return False
    if message.size > self._tcp_above - MOST_ADDED and _may_move(self, message, flow, caller, target, hops):
        return False
    if self._relays and message.method == INVITE and not in_dialog:
        relaying = _relaying_of(self, message, flow, caller, target)
    if relaying == IN_DOUBT or (relaying and (is_outside or not _may_ask(self, message, flow, target))):
        return False
    if self._media_mark.size and not _may_pass_marked(self, message):
        return False
    if needs_proof and not _may_leave(self, message, flow, caller, target, hops, relaying != NOT_RELAYED):
        return False
    if not _may_begin(self, caller, in_dialog):
        return False
    self.admitted += not in_dialog
    if needs_proof:
        user = _ask(self).admit(as_bytes(_whole(message)), as_bytes(message.index), as_bytes(flow))
        if user is None:
            return True  # it was refused
        if is_outside and not same(slice_in(user), field_of(self._dialler, D_SHOWN)):
            return False
    if relaying:
        return bool(
            _begin_relayed(
                self, message, flow, branch, caller, target, hops, slice_in(user), relaying == RELAYING_NEEDED
            )
        )
    if not _copy(self, message, &change, flow, caller, target, hops):
        return False
    self.branches += 1
    _forward(self, message, flow, branch, caller, target, &change, slice_in(user))
    if self._media_mark.size and message.method == BYE:
        _ask_for_end(self, message)
    return True


cdef bint _copy(Engine self, Message *message, Change *change, Slice flow, Fact *caller, Fact *target,
                int hops) except -1:
    """Put the copy that is to be sent into `_work`; False if there can be none."""
    _fill_change(self, change, message, flow, caller, target, hops)
    if not _dress(self, message, change, target):
        return False
    if not _seal_dialog(self, message, change, caller, target):
        return False
    _next_branch(self, message, change)
    self._work.size = 0
    put_request(&self._work, message, change, &self._spans)
    return self._work.size <= LARGEST_SENT


cdef bint _may_leave(Engine self, Message *message, Slice flow, Fact *caller, Fact *target, int hops,
                     bint is_relayed) except -1:
    """Whether there can be a copy. It is asked ahead of the proof, which the reference would refuse as a replay."""
    cdef Change change
    if not is_relayed:
        return _copy(self, message, &change, flow, caller, target, hops)
    _fill_change(self, &change, message, flow, caller, target, hops)
    return _seal_dialog(self, message, &change, caller, target)


cdef bint _may_move(Engine self, Message *message, Slice flow, Fact *caller, Fact *target, int hops) except -1:
    """Whether it may have to go by TCP, for its size (core/large_requests.py)."""
    cdef Change change
    if not field_of(target, F_FLAGS).at[0] & MAY_MOVE:
        return False
    return not _copy(self, message, &change, flow, caller, target, hops) or self._work.size > self._tcp_above


cdef bint _knows_credentials(Engine self, Message *message) noexcept:
    """Whether the credentials of a request are for us; without authentication they are only passed on."""
    cdef Slice value = value_of(message, H_PROXY_AUTHORIZATION)
    if message.seen[H_PROXY_AUTHORIZATION] > 1 or (self._shown.size and message.seen[H_AUTHORIZATION]):
        return False
    if not value.size or not self._shown.size:
        return True
    return _begins_with(value, b"Digest ", 7) and _how_often(value, literal(b"realm=", 6)) == 1 \
        and _how_often(value, self._shown) == 1 and _how_often(value, literal(b'username="', 10)) == 1 \
        and _how_often(value, literal(b'nonce="', 7)) >= 1 and _how_often(value, literal(b'uri="', 5)) == 1 \
        and _how_often(value, literal(b'response="', 10)) == 1 and memchr(value.at, c'\\', value.size) == NULL


cdef bint _may_begin(Engine self, Fact *caller, bint in_dialog) noexcept:
    """Whether it is within our caps (core/limits.py); with authentication a trusted source is the reference's."""
    cdef int flags = field_of(caller, 0).at[0]
    if not self._admits_all and flags & IS_TRUSTED:
        return False
    if in_dialog:
        return True
    if self._servers.count + self.others >= self._most:
        return False
    return bool(flags & IS_EXEMPT) or _admits(self, field_of(caller, F_HOST), self._now)


cdef void _fill_change(Engine self, Change *change, Message *message, Slice flow, Fact *caller, Fact *target,
                       int hops) noexcept:
    change.uri, change.via_place = field_of(target, F_TARGET), field_of(target, F_PLACE)
    change.outer, change.inner = field_of(target, F_OUTER), field_of(caller, F_INNER)
    change.max_forwards, change.seal = hops - 1, nothing()
    change.is_open = False
    change.keeps_credentials = self._shown.size == 0
    change.is_outside = change.is_masked = False
    change.added = change.mark = change.from_ = change.to_ = change.groups = change.tried = nothing()
    change.number = 0
    _fill_source(self, change, flow, caller)


cdef void _fill_source(Engine self, Change *change, Slice flow, Fact *caller) noexcept:
    change.source_host, change.source_port = field_of(caller, F_HOST), flow_port(flow)
    change.add_received = field_of(caller, 0).at[0] & ADDS_RECEIVED


cdef bint _seal_dialog(Engine self, Message *message, Change *change, Fact *caller, Fact *target) noexcept:
    """Seal both sides in our Record-Route, where the request makes a dialog or refreshes it."""
    if not _is_recorded(message.method):
        return True
    if change.inner.size == 0 and is_stream(field_of(target, F_HOP)):
        return False  # the caller's Route would be at the address that the callee's names
    self._seal.size = 0
    if not put_seal(&self._seal, self._key, field_of(caller, F_SIDE), field_of(target, F_THERE), message.call_id,
                    message.from_tag):
        return False
    change.seal = content(&self._seal)
    return True


cdef void _next_branch(Engine self, Message *message, Change *change) noexcept:
    self._text.size = 0
    put_slice(&self._text, self._prefix)
    put_hexadecimal(&self._text, self.branches + 1, 1)
    put_octet(&self._text, c'.')
    put_hexadecimal(&self._text, _routing_hash(message), 8)
    change.branch = content(&self._text)


cdef int _forward(Engine self, Message *message, Slice flow, Slice branch, Fact *caller, Fact *target,
                  Change *change, Slice user) except -1:
    """Begin the transaction of a request whose copy is in `_work`, send or prepare the 100, and send the copy."""
    cdef Saved *saved = _open_proxied(self, message, flow, branch, caller, target, change.branch)
    saved.is_masked, saved.has_more = change.is_masked, change.groups.size > 1
    saved.is_outside = change.is_outside
    saved.sent_sequence = change.number or message.sequence
    self._response.size = 0
    put_response(&self._response, message, change, literal(b"SIP/2.0 100 Trying", 18), nothing())
    _begin_server(self, saved)
    _begin_client(self, saved)
    if saved.sizes[P_HOPS]:
        saved.armed[N_] = self._now + SILENT_T1 * self._t1
    _base_of(self, saved, message, flow, target, change, user)
    _save_base(self, saved)
    keep(&saved.sent, content(&self._work))
    saved.spans = self._spans
    _send_request(self, part(saved, P_HOP), content(&self._work))
    return 0


cdef Saved *_open_proxied(Engine self, Message *message, Slice flow, Slice branch, Fact *caller, Fact *target,
                          Slice own_branch) except NULL:
    """Open the saved transaction of a request that is forwarded. `own_branch`: nothing if it is not known yet."""
    cdef Slice parts[PARTS]
    cdef Saved *saved
    cdef uint8_t reply[LARGEST_FLOW]
    parts[P_BRANCH], parts[P_HOST], parts[P_SOURCE] = branch, message.via_host, flow
    parts[P_REPLY] = _reply_flow(message, flow, reply)
    parts[P_USER], parts[P_LANGUAGE] = field_of(caller, F_USER), value_of(message, H_ACCEPT_LANGUAGE)
    parts[P_CALL_ID], parts[P_FROM_TAG], parts[P_TO_TAG] = message.call_id, message.from_tag, message.to_tag
    parts[P_OWN_BRANCH], parts[P_HOP] = own_branch, field_of(target, F_HOP)
    parts[P_TARGET] = field_of(target, F_TARGET)
    parts[P_TRUNK], parts[P_HOPS] = field_of(target, F_TRUNK), field_of(target, F_HOPS)
    parts[P_FROM] = value_of(message, H_FROM) if self._has_trunks else nothing()
    parts[P_TO] = value_of(message, H_TO) if self._has_trunks else nothing()
    saved = _open_saved(self, PROXIED, message, parts)
    saved.in_dialog = message.to_tag.size > 0
    saved.begins_call = message.method == INVITE and not saved.in_dialog
    if saved.begins_call:
        _note_invite(self, saved, field_of(caller, F_RECORD), field_of(target, F_CALLED))
    return saved


cdef Saved *_open_saved(Engine self, int kind, Message *message, Slice *parts) except NULL:
    cdef Saved *saved = make_saved(kind, message.method, parts)
    if saved == NULL:
        raise MemoryError
    self.saved += 1
    saved.number, saved.port, saved.sequence = self.saved, message.port, message.sequence
    saved.server_state, saved.server_interval = _state[TRYING], self._t1
    saved.client_state, saved.client_interval = _state[TRYING], self._t1
    if kind != SENT:
        add_to(&self._servers, &saved.server, _key_of(part(saved, P_BRANCH), part(saved, P_HOST), saved.port), saved)
    if kind != ANSWERED and parts[P_OWN_BRANCH].size:
        add_to(&self._clients, &saved.client, _client_key(part(saved, P_OWN_BRANCH), saved.method), saved)
    _touch(self, saved)
    return saved


cdef void _begin_server(Engine self, Saved *saved) noexcept:
    """Make the 100 in `_response`: sent at once for an INVITE, later for others (RFC 4320 §4.1)."""
    if saved.method == INVITE:
        saved.server_state = _state[PROCEEDING]
        keep(&saved.last, content(&self._response))
        _answer(self, saved, content(&self._response))
        return
    saved.armed[T_] = self._now + self._first_trying
    saved.armed[J_] = self._now + 2 * self._lifetime


cdef void _begin_client(Engine self, Saved *saved) noexcept:
    if not saved.is_sent_reliably:
        saved.armed[A_] = self._now + self._t1
    saved.armed[B_] = self._now + self._lifetime
    if saved.method == INVITE and saved.kind == PROXIED:
        saved.armed[C_] = self._now + self._c


cdef void _base_of(Engine self, Saved *saved, Message *message, Slice flow, Fact *target, Change *change,
                   Slice user) noexcept:
    """Write what does not change (core/saved_transaction.py); the 100 is in `_response`, the copy in `_work`.

    `user`: who has authenticated, and so may relay.
    """
    _base_head(self, saved, message, flow, target, change, user)
    if saved.is_masked and saved.begins_call:
        keep(&saved.base, content(&self._base))
    _client_base(self, &self._base, saved, message.method_text, content(&self._work))


cdef void _base_head(Engine self, Saved *saved, Message *message, Slice flow, Fact *target, Change *change,
                     Slice user) noexcept:
    """The same, up to the client transaction, which has none before the request has left."""
    cdef Buffer *base = &self._base
    _server_base(self, saved, nothing() if saved.method == INVITE else content(&self._response), message.method_text)
    pack_list(base, 6)
    pack_list(base, 2)
    pack_octets(base, _whole(message))
    pack_octets(base, flow)
    pack_list(base, 7 if self._media_mark.size else 6)
    pack_text(base, slice_of(message.raw + message.uri_start, message.raw + message.uri_end))
    pack_list(base, 0)
    pack_number(base, change.max_forwards)
    pack_truth(base, user.size > 0 or change.is_outside)
    pack_number(base, FULL_BREADTH)
    pack_text(base, user)
    if self._media_mark.size:
        pack_text(base, self._media_mark)
    if change.is_outside:
        put_slice(base, change.groups)
        put_slice(base, change.tried)
    else:
        pack_list(base, 0)
        pack_list(base, 1)
        pack_text(base, change.uri)
    pack_list(base, 0)
    pack_list(base, 1)
    _branch_base(self, target)


cdef void _server_base(Engine self, Saved *saved, Slice trying, Slice method) noexcept:
    cdef Buffer *base = &self._base
    base.size = 0
    pack_list(base, 3)
    pack_truth(base, True)
    pack_list(base, 4)
    pack_list(base, 4)
    pack_text(base, part(saved, P_BRANCH))
    pack_text(base, part(saved, P_HOST))
    pack_number(base, saved.port)
    pack_text(base, method)
    pack_octets(base, part(saved, P_REPLY))
    pack_list(base, 2)
    pack_text(base, part(saved, P_USER))
    pack_text(base, part(saved, P_LANGUAGE))
    pack_octets(base, trying)


cdef void _branch_base(Engine self, Fact *target) noexcept:
    cdef Buffer *base = &self._base
    pack_list(base, 6)
    pack_text(base, field_of(target, F_TARGET))
    pack_list(base, 0)
    put_slice(base, field_of(target, F_LOOKUP))
    put_slice(base, field_of(target, F_SAVED))
    pack_number(base, FULL_BREADTH)


cdef void _client_base(Engine self, Buffer *base, Saved *saved, Slice method, Slice raw) noexcept:
    pack_list(base, 3)
    pack_list(base, 2)
    pack_text(base, part(saved, P_OWN_BRANCH))
    pack_text(base, method)
    pack_octets(base, part(saved, P_HOP))
    pack_octets(base, raw)
