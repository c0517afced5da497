# What becomes of the bindings of a user by a plain REGISTER: the twin of `rebind.py` (RFC 3261 §10.3, steps 6 and 7).


cdef enum:
    MOST_BINDINGS = 64
    MOST_OCTETS = 16000  # of all bindings; the reference handles users with more
    SEPARATORS = 32
    NEVER_TOO_BRIEF = 3600

cdef struct Bindings:
    # A user's valid bindings. `kept`: those that stay. `until`: the end of the new one, 0 without one.
    Bound bound[MOST_BINDINGS]
    bint kept[MOST_BINDINGS]
    int count
    bint is_changed
    double until


cdef bint read_bindings(Slice packed, double now_at, Bindings *bindings) noexcept nogil:
    """Read the valid bindings; False if one of them is odd, or if they are too many."""
    cdef Cursor cursor
    cdef Py_ssize_t count, at
    cdef Bound *bound
    bindings.count, bindings.is_changed, bindings.until = 0, False, 0
    if packed.size == 0:
        return True
    cursor.at, cursor.end = packed.at, packed.at + packed.size
    count = read_list(&cursor)
    if not 0 <= count <= MOST_BINDINGS:
        return False
    for at in range(count):
        bound = &bindings.bound[bindings.count]
        if not read_bound(&cursor, bound):
            return False
        bindings.kept[bindings.count] = True
        bindings.count += bound.until > now_at
    return True


cdef int rebound(Register *register, Bindings *bindings, bint is_added) noexcept nogil:
    """Mark the bindings that the contact replaces or removes. Returns how many stay; -1 for an odd case."""
    cdef Message *message = &register.message
    cdef int at, alike, left = 0
    cdef Bound *bound
    cdef Slice flow = register.source.flow if register.source.connection.size else nothing()
    for at in range(bindings.count):
        bound = &bindings.bound[at]
        alike = DIFFERENT
        if register.has_contact:
            alike = meant(&register.wanted, is_added, flow, message.call_id, bound)
        if alike == UNCLEAR or (same(bound.call_id, message.call_id) and bound.cseq >= message.sequence):
            return -1  # out of order, or repeated
        bindings.kept[at] = alike == DIFFERENT
        bindings.is_changed |= alike == SAME
        left += alike == DIFFERENT
    return left


cdef bint _binds(Reception self, double now_at) except -1:
    """Determine the new bindings of the user, and write their record; False for an odd case."""
    cdef Register *register = &self._register
    cdef Bindings *bindings = &self._bindings
    cdef User *user = find_user(&self._table.table, register.user)
    cdef int64_t granted = _granted(self)
    cdef int left, at
    cdef Py_ssize_t octets = 0
    if granted < 0 or not read_bindings(nothing() if user == NULL else packed_of(user), now_at, bindings):
        return False
    left = rebound(register, bindings, granted > 0)
    if left < 0 or left + (granted > 0) > self._max_contacts:
        return False
    self._params.size = 0
    if granted:
        bindings.until = now_at + granted
        put_params(&self._params, &register.wanted)
        octets = register.wanted.uri.size + self._params.size + SEPARATORS
    for at in range(bindings.count):
        octets += bindings.bound[at].contact.size + bindings.bound[at].params.size + SEPARATORS
    if octets > MOST_OCTETS:
        return False
    return _write_record(self, left + (granted > 0))


cdef int64_t _granted(Reception self) noexcept:
    """The lifetime that the contact gets, in seconds. 0: it is removed, or there is none. -1: an odd case."""
    cdef Register *register = &self._register
    cdef int64_t expires = register.wanted.expires
    if not register.has_contact:
        return 0
    if expires < 0:
        expires = register.expires
    if expires < 0:
        return self._default_expires
    if 0 < expires < min(self._min_expires, <int64_t>NEVER_TOO_BRIEF):
        return -1
    return min(expires, self._max_expires)


cdef bint _write_record(Reception self, int count) except -1:
    cdef Register *register = &self._register
    cdef Bindings *bindings = &self._bindings
    cdef Buffer *to = &self._record
    cdef Message *message = &register.message
    cdef bint is_translated
    cdef int at
    to.size = 0
    pack_list(to, 2)
    pack_text(to, register.user)
    pack_list(to, count)
    for at in range(bindings.count):
        if bindings.kept[at]:
            put_slice(to, bindings.bound[at].packed)
    if bindings.until:
        is_translated = _is_translated(self)
        pack_list(to, PLAIN_FIELDS + (register.source.connection.size > 0))
        pack_text(to, register.wanted.uri)
        pack_real(to, 1.0 if register.wanted.q < 0 else register.wanted.q / 1000.0)
        pack_real(to, bindings.until)
        pack_text(to, register.source.hop if is_translated else nothing())
        pack_list(to, 0)
        pack_text(to, content(&self._params))
        pack_text(to, message.call_id)
        pack_number(to, message.sequence)
        pack_text(to, register.user_agent)
        pack_text(to, register.source.hop)
        pack_text(to, message.branch)
        if register.source.connection.size:
            pack_octets(to, register.source.flow)
    return True


cdef int _put_record(Reception self) except -1:
    """Make the record valid, as one of the batch."""
    cdef Slice record = content(&self._record)
    cdef Cursor cursor
    cdef Slice user
    cursor.at, cursor.end = record.at + 1, record.at + record.size
    read_text(&cursor, &user)
    self._records.append(bytes_of(record))
    return self._table.set_user(user, slice_of(cursor.at, cursor.end), self._row)
