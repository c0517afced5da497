# Relayed media of plain calls between phones (core/relaying.py): what a media engine is asked, and what waits for it.
#
# A question is put into `_questions`, and leaves when the state is in the log. Its transaction waits, with timer R. An
# answer that is not plain, a timer R that fires, or anything odd that comes meanwhile hands the transaction over: the
# reference asks again by the same names, as a successor does, and knows what to do if there is no engine.

cdef inline int _place_of_call(Engine self, Slice call_id) noexcept:
    return <int>(crc32_on(0, call_id.at, call_id.size) % <uint32_t>self._media_count)


cdef inline bint _is_gone(Engine self, int place) noexcept:
    return self.media_gone >> place & 1


cdef int _place_of_sum(Engine self, const uint8_t *sum, Slice call_id) noexcept:
    """Where the engine of a dialog is among those of the settings; the one of a new call if it is not (any more)."""
    cdef int place
    for place in range(self._media_count):
        if memcmp(self._sums[place], sum, MARK_SUM) == 0:
            return place
    return _place_of_call(self, call_id)


# which requests


cdef bint _may_ask(Engine self, Message *message, Slice flow, Fact *target) noexcept:
    """Whether the INVITE of a relayed call is the engine's: from phone to phone, with an offer, and an engine there."""
    cdef Slice there = field_of(target, F_HOP), body
    if not self._media_count or self._asked.count >= MOST_ASKED:
        return False
    if flow.at[0] >= FIRST_OF_WEB or there.at[0] >= FIRST_OF_WEB:
        return False
    if peer_address(flow).at[0] & TEXT_ADDRESS or peer_address(there).at[0] & TEXT_ADDRESS:
        return False
    return _sdp_in(message, &body) == 1 and not _is_gone(self, _place_of_call(self, message.call_id))


cdef bint _may_pass_marked(Engine self, Message *message) noexcept:
    """Whether a request within a relayed dialog is the engine's; its mark is in `_media_mark`."""
    cdef uint8_t engine[MARK_SUM]
    if self._relays == RELAYS_NONE or self._token.size or message.method == INVITE or message.method == UPDATE \
            or message.method == PRACK:
        return False
    if message.method != BYE:
        return True
    if not self._media_count or self._asked.count >= MOST_ASKED:
        return False
    if not _read_mark(self, message, self._media_mark, engine):
        return False
    return not _is_gone(self, _place_of_sum(self, engine, message.call_id))


cdef bint _has_body(const Message *message) noexcept nogil:
    return offset_in(message, I_BODY_START) < message.body_end


cdef int _begin_relayed(Engine self, Message *message, Slice flow, Slice branch, Fact *caller, Fact *target, int hops,
                        Slice user, bint is_needed) except -1:
    """Begin the transaction of an INVITE whose offer an engine is to see first; False if it is odd."""
    cdef uint8_t mark[4 * MARK_SIZE]
    cdef Slice sdp
    cdef Saved *saved
    cdef Change change
    _fill_change(self, &change, message, flow, caller, target, hops)
    self._text.size = 0
    put(&self._text, b";me=", 4)
    _put_mark(self, &self._text, message, self._sums[_place_of_call(self, message.call_id)])
    memcpy(mark, self._text.data, self._text.size)
    change.mark, change.is_open, change.branch = slice_of(mark, mark + self._text.size), True, nothing()
    if not _seal_dialog(self, message, &change, caller, target):
        return False
    self._work.size = 0
    put_request(&self._work, message, &change, &self._spans)
    _sdp_in(message, &sdp)
    saved = _open_proxied(self, message, flow, branch, caller, target, nothing())
    saved.sent_sequence = message.sequence
    _make_leg(self, saved, message, target)
    saved.relayed.is_needed = is_needed
    self._response.size = 0
    put_response(&self._response, message, &change, literal(b"SIP/2.0 100 Trying", 18), nothing())
    _begin_server(self, saved)
    _base_head(self, saved, message, flow, target, &change, user)
    keep(&saved.relayed.base, content(&self._base))
    pack_nil(&self._base)
    _save_base(self, saved)
    keep(&saved.sent, content(&self._work))
    saved.spans = self._spans
    _ask_engine(self, saved, OFFER_ASKED, literal(b"offer", 5), message.from_tag, nothing(), part(saved, P_HOP), sdp)
    return True


cdef Relayed *_make_relayed(Saved *saved, int place) except NULL:
    saved.relayed = <Relayed *>calloc(1, sizeof(Relayed))
    if saved.relayed == NULL:
        raise MemoryError
    saved.relayed.place = place
    return saved.relayed


cdef int _make_leg(Engine self, Saved *saved, Message *message, Fact *target) except -1:
    cdef Relayed *relayed = _make_relayed(saved, _place_of_call(self, message.call_id))
    relayed.is_leg, relayed.routing_hash = True, _routing_hash(message)
    relayed.may_move = field_of(target, F_FLAGS).at[0] & MAY_MOVE
    self._text.size = 0
    put_slice(&self._text, message.branch)
    put(&self._text, b".0", 2)
    keep(&relayed.name, content(&self._text))
    return 0


cdef int _ask_for_end(Engine self, Message *message) except -1:
    """A BYE has been sent, that of the transaction that was opened last: the engine of its dialog is to hear of it."""
    cdef uint8_t engine[MARK_SUM]
    cdef Saved *saved = self._touched
    cdef int place
    _read_mark(self, message, self._media_mark, engine)
    place = _place_of_sum(self, engine, message.call_id)
    _make_relayed(saved, place)
    _begin_question(self, saved, END_ASKED)
    _put_end(self, message.call_id, message.from_tag, message.to_tag, nothing(), self._lingers)
    _end_question(self)
    return 0


# questions


cdef void _begin_question(Engine self, Saved *saved, int question) noexcept:
    """Begin a question, `[token, place, command]`; with NOTHING_ASKED nobody waits for its answer."""
    cdef Relayed *relayed = saved.relayed
    self._command.size = 0
    self._asking, self._asking_at = 0, relayed.place
    if question == NOTHING_ASKED:
        return
    self._tokens += 1
    self.media_asked += 1
    self._asking = relayed.token = _FIRST_TOKEN + self._tokens
    relayed.question = question
    add_to(&self._asked, &relayed.asked, relayed.token, saved)
    saved.armed[R_] = self._now + (<double>ANSWER_MS / 1000 if self.has_line else self._lifetime)


cdef void _end_question(Engine self) noexcept:
    pack_list(&self._questions, 3)
    pack_number(&self._questions, self._asking)
    pack_number(&self._questions, self._asking_at)
    pack_octets(&self._questions, content(&self._command))
    self._question_count += 1


cdef void _ask_engine(Engine self, Saved *saved, int question, Slice command, Slice from_tag, Slice to_tag, Slice there,
                      Slice sdp) noexcept:
    """Ask about SDP for who is at the flow `there` (core/relays.py): the keys are in order."""
    cdef Buffer *to = &self._command
    _begin_question(self, saved, question)
    put(to, b"d3:ICE6:remove14:address-family", 31)
    put(to, b"3:IP6" if peer_address(there).at[0] == 16 else b"3:IP4", 5)
    put_pair(to, literal(b"call-id", 7), part(saved, P_CALL_ID))
    put_pair(to, literal(b"command", 7), command)
    put_pair(to, literal(b"from-tag", 8), from_tag)
    if self._advertised.size and same(our_address(there), self._advertised):
        put_pair(to, literal(b"media-address", 13), self._advertised_text)
    put(to, b"7:replacel6:origin18:session-connectione", 40)
    put_pair(to, literal(b"sdp", 3), sdp)
    if to_tag.size:
        put_pair(to, literal(b"to-tag", 6), to_tag)
    put_pair(to, literal(b"via-branch", 10), content(&saved.relayed.name))
    put_octet(to, c'e')
    _end_question(self)


cdef void _put_end(Engine self, Slice call_id, Slice from_tag, Slice to_tag, Slice name, int delay_s) noexcept:
    cdef Buffer *to = &self._command
    put_octet(to, c'd')
    put_pair(to, literal(b"call-id", 7), call_id)
    put(to, b"7:command6:delete12:delete-delayi", 33)
    put_decimal(to, delay_s)
    put_octet(to, c'e')
    put_pair(to, literal(b"from-tag", 8), from_tag)
    if to_tag.size:
        put_pair(to, literal(b"to-tag", 6), to_tag)
    if name.size:
        put_pair(to, literal(b"via-branch", 10), name)
    put_octet(to, c'e')


cdef void _close_leg(Engine self, Saved *saved) noexcept:
    """A fork has failed: its ports are free, and nobody waits for what the engine says."""
    cdef Relayed *relayed = saved.relayed
    if relayed == NULL or not relayed.is_leg or relayed.is_closed:
        return
    relayed.is_closed = True
    _begin_question(self, saved, NOTHING_ASKED)
    _put_end(self, part(saved, P_CALL_ID), part(saved, P_FROM_TAG), nothing(), content(&relayed.name), 0)
    _end_question(self)
