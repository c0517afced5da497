# The conversion between an entry and the `Call` that Python knows.

cdef Text _view(str text) except *:
    """The octets of a text, which are valid as long as the text exists."""
    cdef Text view
    view.data = PyUnicode_AsUTF8AndSize(text, &view.size)
    return view


cdef inline str _str(Text text):
    return PyUnicode_DecodeUTF8(text.data, text.size, NULL)


cdef inline double _at(object at):
    return NEVER if at is None else at


cdef inline object _at_or_none(double at):
    return None if at == NEVER else at


cdef object _call_of(Entry *entry):
    """Return the call of an entry: the one that it holds, or a new object."""
    if entry.call != NULL:
        return <object>entry.call
    return Call(
        _str(entry.call_id),
        _str(entry.from_tag),
        _str(entry.caller),
        _str(entry.callee),
        entry.started_at,
        _at_or_none(entry.ringing_at),
        _at_or_none(entry.answered_at),
        entry.resumed_at,
        _at_or_none(entry.challenged_at),
        entry.status,
        _parties[entry.challenged_by],
        [_str(entry.to_tag)] if entry.answered_at != NEVER else [],
        seen_at=entry.seen_at,
        session_s=entry.session_s,
        is_past_us=bool(entry.is_past_us),
        relayed=_relayed_of(entry),
        serial=entry.serial,
    )


cdef object _relayed_of(Entry *entry):
    if entry.media == NULL:
        return None
    return Relayed(_str(entry.media.engine), entry.media.from_caller, entry.media.from_callee)


cdef bint _is_plain_media(object relayed) except -1:
    """Whether an entry can have it."""
    return relayed is None or (
        relayed.voice is not None
        and max(relayed.from_caller, relayed.from_callee) < MOST_PACKETS
        and _is_plain(_view(relayed.engine))
    )


cdef int _copy_call(Entry *entry, object call) except -1:
    """Copy the state of the call to its entry, which holds the call itself unless the call is plain."""
    cdef list answered = call.answered
    cdef bint is_plain
    cdef object session_s = call.session_s
    entry.started_at, entry.ringing_at = call.started_at, _at(call.ringing_at)
    entry.answered_at, entry.resumed_at = _at(call.answered_at), call.resumed_at
    entry.challenged_at, entry.seen_at = _at(call.challenged_at), call.seen_at
    entry.status, entry.challenged_by = call.status, _parties.index(call.challenged_by)
    entry.session_s, entry.is_past_us = min(session_s, LONGEST), call.is_past_us
    is_plain = (
        len(answered) == (entry.answered_at != NEVER)
        and not call.hung_up
        and not call.forwarded
        and _is_plain_media(call.relayed)
        and session_s < LONGEST
        and (_is_plain(entry.call_id) and _is_plain(entry.from_tag))
        and (_is_plain(entry.caller) and _is_plain(entry.callee))
        and entry.started_at >= EARLIEST
        and (entry.answered_at == NEVER or entry.answered_at >= EARLIEST)
        and (entry.challenged_at == NEVER or entry.challenged_at >= EARLIEST)
    )
    if is_plain and answered:
        is_plain = _is_plain(_view(answered[0]))
    if not is_plain:
        _hold(entry, call)
        return 0
    if answered:
        _set_to_tag(entry, _view(answered[0]))
    _drop_media(entry)
    if call.relayed is not None:
        _set_media(entry, _view(call.relayed.engine), call.relayed.from_caller, call.relayed.from_callee)
    _become_plain(entry)
    return 0


cdef void _hold(Entry *entry, object call) noexcept:
    cdef PyObject *held = entry.call
    Py_INCREF(call)
    entry.call = <PyObject *>call
    Py_XDECREF(held)
