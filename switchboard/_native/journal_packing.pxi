# Calls and ends of calls in the codec's packed form (MessagePack), as the journal's store keeps them.

cdef inline void _pack_octet(Buffer *buffer, uint8_t octet) noexcept nogil:
    buffer.data[buffer.size] = <char>octet
    buffer.size += 1


cdef inline void _pack_number(Buffer *buffer, uint8_t first, uint64_t number, int octets) noexcept nogil:
    cdef int at
    _pack_octet(buffer, first)
    for at in range(octets - 1, -1, -1):
        _pack_octet(buffer, <uint8_t>(number >> 8 * at))


cdef inline void _pack_integer(Buffer *buffer, uint64_t number) noexcept nogil:
    if number < 0x80:
        _pack_octet(buffer, <uint8_t>number)
    elif number < 0x100:
        _pack_number(buffer, 0xcc, number, 1)
    elif number < 0x10000:
        _pack_number(buffer, 0xcd, number, 2)
    elif number < <uint64_t>1 << 32:
        _pack_number(buffer, 0xce, number, 4)
    else:
        _pack_number(buffer, 0xcf, number, 8)


cdef inline void _pack_text(Buffer *buffer, Text text) noexcept nogil:
    if text.size < 32:
        _pack_octet(buffer, <uint8_t>(0xa0 | text.size))
    elif text.size < 0x100:
        _pack_number(buffer, 0xd9, text.size, 1)
    else:
        _pack_number(buffer, 0xda, text.size, 2)
    _put(buffer, text.data, text.size)


cdef inline void _pack_instant(Buffer *buffer, double at) noexcept nogil:
    cdef uint64_t pattern
    if at == NEVER:
        _pack_octet(buffer, 0xc0)
        return
    memcpy(&pattern, &at, 8)
    _pack_number(buffer, 0xcb, pattern, 8)


cdef int _pack_end(Buffer *buffer, Text call_id, Text from_tag, double ended_at) except -1:
    _reserve(buffer, 32 + call_id.size + from_tag.size)
    _pack_octet(buffer, 0x93)
    _pack_text(buffer, call_id)
    _pack_text(buffer, from_tag)
    _pack_instant(buffer, ended_at)
    buffer.count += 1
    return 0


cdef inline void _pack_name(Buffer *buffer, const char *name) noexcept nogil:
    cdef Text text
    text.data, text.size = name, strlen(name)
    _pack_text(buffer, text)


cdef void _pack_media(Buffer *buffer, const Media *media) noexcept nogil:
    _pack_octet(buffer, 0x83)
    _pack_name(buffer, "engine")
    _pack_text(buffer, media.engine)
    _pack_name(buffer, "from_caller")
    _pack_integer(buffer, media.from_caller)
    _pack_name(buffer, "from_callee")
    _pack_integer(buffer, media.from_callee)


cdef int _pack_call(Buffer *buffer, Entry *entry) except -1:
    """The same octets as the codec makes of `Call.save`."""
    cdef bytes packed
    if entry.call != NULL:
        packed = codec.pack((<object>entry.call).save())
        _reserve(buffer, PyBytes_GET_SIZE(packed))
        _put(buffer, PyBytes_AS_STRING(packed), PyBytes_GET_SIZE(packed))
    else:
        _reserve(buffer, 256 + 6 * TEXT)
        _pack_number(buffer, 0xdc, 17 if entry.media == NULL else 18, 2)
        _pack_integer(buffer, entry.serial)
        _pack_text(buffer, entry.call_id)
        _pack_text(buffer, entry.from_tag)
        _pack_text(buffer, entry.caller)
        _pack_text(buffer, entry.callee)
        _pack_instant(buffer, entry.started_at)
        _pack_instant(buffer, entry.ringing_at)
        _pack_instant(buffer, entry.answered_at)
        _pack_instant(buffer, entry.resumed_at)
        _pack_instant(buffer, entry.challenged_at)
        _pack_integer(buffer, entry.status)
        _pack_name(buffer, _party_texts[entry.challenged_by])
        _pack_octet(buffer, 0x91 if entry.answered_at != NEVER else 0x90)
        if entry.answered_at != NEVER:
            _pack_text(buffer, entry.to_tag)
        _pack_octet(buffer, 0x80)
        _pack_instant(buffer, entry.seen_at)
        _pack_integer(buffer, entry.session_s)
        _pack_octet(buffer, 0xc3 if entry.is_past_us else 0xc2)
        if entry.media != NULL:
            _pack_media(buffer, entry.media)
    buffer.count += 1
    return 0


cdef object _take_batch(Buffer *buffer):
    batch = Batch(PyBytes_FromStringAndSize(buffer.data, buffer.size), buffer.count)
    buffer.size = buffer.count = 0
    return batch
