# Calls that lead outside: by a gateway or trunk of the dial plan, and within the dialogs of those (core/outside.py).

cdef enum:
    # places in the record of who calls
    D_CLASS
    D_USER
    D_SHOWN
    # and in that of what a provider is told
    I_FROM = 0
    I_LINES = 1
    MASK_STEP = 4  # core/trunk_masks.py
    MOST_IN_DIALOG = 1 << 28


cdef Fact *_led_outside(Engine self, Message *message, Slice flow, bint asks) except? NULL:
    """Where the dial plan leads a call outside: a callee, with what `outside.py` says besides. NULL: it is the reference's.

    `asks`: whether to find out what is not known yet.
    """
    if not self._leads_outside or message.method != INVITE or message.sequence == 0:
        return NULL
    self._dialler = _dialler(self, message, flow, asks)
    return NULL if self._dialler == NULL else _number(self, message, field_of(self._dialler, D_CLASS), asks)


cdef Fact *_dialler(Engine self, Message *message, Slice flow, bint asks) except? NULL:
    """Who calls: class, user of ours, and the user whom credentials name."""
    cdef bint needs_proof = not self._admits_all
    cdef Slice shown = _shown_user(message) if needs_proof else nothing()
    cdef Fact *fact
    self._event.size = 0
    put_octet(&self._event, c'W' if needs_proof else c'V')
    _put_counted(&self._event, flow)
    _put_counted(&self._event, shown)
    put_slice(&self._event, message.from_uri)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if not asks or self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    proof = as_bytes(shown) if needs_proof else None
    return _fact(
        self, slice_in(key),
        self._outside.caller(key, as_bytes(message.from_uri), as_bytes(flow), proof, self._at),
    )


cdef Slice _shown_user(const Message *message) noexcept nogil:
    """The user name in the credentials, which `_knows_credentials` has looked at."""
    cdef Slice value = value_of(message, H_PROXY_AUTHORIZATION)
    cdef const uint8_t *end = value.at + value.size
    cdef const uint8_t *at = <const uint8_t *>memmem(value.at, value.size, b'username="', 10)
    cdef const uint8_t *stop
    if at == NULL:
        return nothing()
    at += 10
    stop = <const uint8_t *>memchr(at, c'"', end - at)
    return nothing() if stop == NULL else slice_of(at, stop)


cdef Fact *_number(Engine self, Message *message, Slice its_class, bint asks) except? NULL:
    """Where a number leads callers of a class."""
    cdef Slice uri = slice_of(message.raw + message.uri_start, message.raw + message.uri_end)
    cdef Fact *fact
    self._event.size = 0
    put_octet(&self._event, c'N')
    _put_counted(&self._event, its_class)
    put_slice(&self._event, uri)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if not asks or self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    return _fact(self, slice_in(key), self._outside.number(key, as_bytes(uri), as_bytes(its_class), self._at))


cdef Fact *_identity(Engine self, Slice trunk, Slice user) except? NULL:
    """What a provider is told of a user: From, header lines."""
    cdef Fact *fact
    self._event.size = 0
    put_octet(&self._event, c'I')
    _put_counted(&self._event, trunk)
    put_slice(&self._event, user)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact != NULL:
        return fact
    if self._event.size > LONGEST_KEY:
        return NULL
    key = as_bytes(content(&self._event))
    return _fact(self, slice_in(key), self._outside.identity(as_bytes(trunk), as_bytes(user)))


cdef bint _dress(Engine self, Message *message, Change *change, Fact *target) except -1:
    """Add what a request looks like on the other side of its call; False if it is the reference's."""
    if message.to_tag.size:
        return self._token.size == 0 or _mask_within(self, message, change)
    change.tried = field_of(target, F_TRIED)
    if change.tried.size == 0:
        return True
    change.is_outside, change.groups = True, field_of(target, F_GROUPS)
    return field_of(target, F_TRUNK).size == 0 or _mask_first(self, message, change, target)


cdef bint _mask_first(Engine self, Message *message, Change *change, Fact *target) except -1:
    """Make the mask of a call by a trunk."""
    cdef Mask mask
    cdef Fact *identity
    mask.trunk, mask.base, mask.answers = field_of(target, F_TRUNK), message.sequence - 1, 0
    identity = _identity(self, mask.trunk, field_of(self._dialler, D_USER))
    if identity == NULL:
        return False
    mask.near_from, mask.near_to = message.from_uri, message.to_uri
    mask.far_from, mask.far_to = field_of(identity, I_FROM), field_of(target, F_CALLED_THERE)
    if mask.far_from.size == 0:
        mask.far_from = mask.near_from
    self._mark.size = 0
    put(&self._mark, b";st=", 4)
    if not _put_token(self, &mask, message.call_id, message.from_tag):
        return False
    change.mark, change.added, change.number = content(&self._mark), field_of(identity, I_LINES), MASK_STEP
    return _rename(self, message, change, mask.far_from, mask.far_to)


cdef bint _rename(Engine self, Message *message, Change *change, Slice sender, Slice receiver) noexcept:
    """Put other URIs into From and To."""
    cdef Py_ssize_t size
    self._names.size = 0
    if not put_renamed(&self._names, value_of(message, H_FROM), sender):
        return False
    size = self._names.size
    if not put_renamed(&self._names, value_of(message, H_TO), receiver) or self._names.failed:
        return False
    change.is_masked = True
    change.from_ = slice_of(self._names.data, self._names.data + size)
    change.to_ = slice_of(self._names.data + size, self._names.data + self._names.size)
    return True


cdef bint _put_token(Engine self, Mask *mask, Slice call_id, Slice tag) except -1:
    """Write the token behind what is in `_mark`, and remember what it says, as the phone will show it soon."""
    cdef Py_ssize_t start = self._mark.size
    cdef Slice token
    self._text.size = 0
    if not pack_mask(&self._text, mask):
        return False
    put_token(&self._mark, content(&self._text), self._key, call_id, tag)
    token = slice_of(self._mark.data + start, self._mark.data + self._mark.size)
    return not self._mark.failed and _remember(self, token, call_id, tag, content(&self._text)) != NULL


cdef Fact *_remember(Engine self, Slice token, Slice call_id, Slice tag, Slice text) except? NULL:
    """Keep the text of a mask; NULL if its token is too long."""
    cdef Fact *fact
    _put_token_key(self, token, call_id, tag)
    if self._event.size > LONGEST_KEY:
        return NULL
    fact = learn_fact(&self._facts, content(&self._event), text, 0)
    if fact == NULL:
        raise MemoryError
    return fact


cdef void _put_token_key(Engine self, Slice token, Slice call_id, Slice tag) noexcept:
    self._event.size = 0
    put_octet(&self._event, c'M')
    _put_counted(&self._event, token)
    _put_counted(&self._event, call_id)
    put_slice(&self._event, tag)


cdef bint _open_mask(Engine self, Slice token, Slice call_id, Slice tag, Mask *mask) except -1:
    """Read the mask in a token (untrusted) for a phone with this `tag`; False if it is none."""
    cdef uint8_t octets[LARGEST_MASK]
    cdef Slice text
    cdef Fact *fact
    _put_token_key(self, token, call_id, tag)
    fact = find_fact(&self._facts, content(&self._event), self._at)
    if fact == NULL:
        text = read_token(token, self._key, call_id, tag, octets)
        fact = NULL if text.size == 0 else _remember(self, token, call_id, tag, text)
    if fact == NULL:
        return False
    return read_mask(slice_of(fact.data + fact.key_size, fact.data + fact.key_size + fact.size), mask)


cdef bint _mask_within(Engine self, Message *message, Change *change) except -1:
    """Mask a request within a dialog, or undo the mask where the provider sends it (untrusted token)."""
    cdef Mask mask
    cdef Slice token = slice_of(self._token.at + 4, self._token.at + self._token.size)
    cdef int64_t counted
    if memmem(message.raw + message.uri_start, message.uri_end - message.uri_start, b";sba=", 5) != NULL:
        return False  # it tells of challenges in between
    change.mark = self._token
    if not _open_mask(self, token, message.call_id, message.from_tag, &mask):
        if not _open_mask(self, token, message.call_id, message.to_tag, &mask):
            return False
        return _rename(self, message, change, mask.near_to, mask.near_from)
    counted = <int64_t>message.sequence - mask.base
    if not 0 < counted < MOST_IN_DIALOG or message.method == PRACK:
        return False
    change.number = <uint32_t>(MASK_STEP * counted)
    if message.method == ACK and counted == 1:
        change.number += mask.answers
    return _rename(self, message, change, mask.far_from, mask.far_to)


cdef inline void _put_counted(Buffer *to, Slice text) noexcept nogil:
    cdef uint16_t size = <uint16_t>text.size
    put(to, &size, 2)
    put_slice(to, text)


cdef const uint8_t *_read_token(Engine self, const uint8_t *at, const uint8_t *end) noexcept:
    """Read `;st=token`, if it is there; return where that ends."""
    cdef const uint8_t *stop = at
    if end - at < 5 or memcmp(at, b";st=", 4) != 0:
        return at
    stop += 4
    while stop < end and _base64_value[stop[0]] != 255:
        stop += 1
    if stop - at == 4:
        return at
    self._token = slice_of(at, stop)
    return stop


cdef bint _tells_answers(const Saved *saved, const Message *message) noexcept nogil:
    """Whether a 2xx has to tell the phone how often its provider's challenges were answered."""
    if not saved.in_dialog or saved.method != INVITE or not 200 <= message.status < 300:
        return False
    return message.sequence != saved.sequence and message.sequence % MASK_STEP != 0


cdef bint _differs(const Saved *saved, const Message *message) noexcept nogil:
    """Whether a response answers the request as another side saw it."""
    cdef Slice uri, tag
    if message.sequence != saved.sequence:
        return True
    if not _read_address(part(saved, P_FROM), &uri, &tag) or not same(uri, message.from_uri):
        return True
    return not _read_address(part(saved, P_TO), &uri, &tag) or not same(uri, message.to_uri)


cdef void put_unmasked(Buffer *to, const Message *message, const Saved *saved) noexcept nogil:
    """Write a response without its top Via, with From, To and CSeq of the request as it came."""
    cdef const uint8_t *at = message.raw
    cdef const Field *field
    cdef int place
    for place in range(message.count):
        field = &message.fields[place]
        if field.number == H_VIA and place == message.first[H_VIA]:
            put_slice(to, slice_of(at, message.raw + (field.line if message.next_via == NULL else field.start)))
            at = line_end(message, place) if message.next_via == NULL else message.next_via
        elif field.number == H_FROM or field.number == H_TO or field.number == H_CSEQ:
            put_slice(to, slice_of(at, message.raw + field.line))
            put_name(to, message, field)
            _put_own(to, message, field.number, saved)
            at = line_end(message, place)
    put_slice(to, slice_of(at, message.raw + message.body_end))


cdef void _put_own(Buffer *to, const Message *message, int number, const Saved *saved) noexcept nogil:
    if number == H_CSEQ:
        put_sequence(to, saved.sequence, message.method_text)
        return
    put_slice(to, part(saved, P_FROM if number == H_FROM else P_TO))
    if number == H_TO and message.to_tag.size and not saved.in_dialog:
        put(to, b";tag=", 5)
        put_slice(to, message.to_tag)
    put(to, b"\r\n", 2)
