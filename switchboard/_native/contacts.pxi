# Plain contacts, those of a REGISTER and those that are bound, and their comparison (registrar/contacts.py).
#
# A plain URI is `sip:user@host:port;parameters` without escapes, with a host in lower case. Two plain URIs that differ
# in user, host or port are not equivalent (RFC 3261 §19.1.4), whatever their parameters. Any other URI is odd.

cdef enum:
    PLAIN_FIELDS = 11  # of a binding; one over a connection has a flow in addition

cdef enum Likeness:
    DIFFERENT
    SAME
    UNCLEAR  # the reference decides

cdef struct PlainUri:
    Slice user
    Slice host
    Slice place  # host and port

cdef struct Wanted:
    # One Contact. `expires`: seconds, `q`: thousandths; -1 without the parameter.
    Slice uri
    PlainUri plain
    Slice instance  # with its angle brackets
    Slice reg_id
    int64_t expires
    int q

cdef struct Bound:
    # A binding of the table. `packed`: all of its octets.
    Slice packed
    Slice contact, next_hop, params, call_id, user_agent, source, branch, flow
    double q, until, cseq


cdef const uint8_t *_past_digits(const uint8_t *at, const uint8_t *end, int most, int64_t *number) noexcept nogil:
    """Read up to `most` digits. Returns their end; NULL if there are none, or more."""
    cdef const uint8_t *start = at
    number[0] = 0
    while at < end and c'0' <= at[0] <= c'9' and at - start <= most:
        number[0] = number[0] * 10 + (at[0] - c'0')
        at += 1
    return at if 0 < at - start <= most else NULL


cdef inline bint _has(const uint8_t *at, const uint8_t *end, char octet) noexcept nogil:
    return at < end and memchr(at, octet, end - at) != NULL


cdef bint read_plain_uri(Slice uri, PlainUri *found) noexcept nogil:
    cdef const uint8_t *at = uri.at + 4
    cdef const uint8_t *end = uri.at + uri.size
    cdef const uint8_t *stop
    cdef int64_t port = 0
    if uri.size < 5 or uri.size > 1000 or memcmp(uri.at, b"sip:", 4) != 0 or _has(at, end, c'%') or _has(at, end, c'?'):
        return False
    found.user = nothing()
    stop = run(at, end, IN_TOKEN)
    if at < stop < end and stop[0] == c'@':
        found.user = slice_of(at, stop)
        at = stop + 1
    if at == end:
        return False
    if at[0] == c'[':
        stop = <const uint8_t *>memchr(at, c']', end - at)
        if stop == NULL or stop - at < 3 or run(at, stop, IN_VIA_VALUE) != stop:
            return False
        stop += 1
    else:
        stop = run(at, end, IN_HOST)
    found.host, found.place = slice_of(at, stop), slice_of(at, stop)
    if found.host.size == 0:
        return False
    if stop < end and stop[0] == c':':
        if stop + 1 < end and stop[1] == c'0':
            return False
        stop = _past_digits(stop + 1, end, 5, &port)
        if stop == NULL or port > 65535:
            return False
        found.place = slice_of(at, stop)
    return stop == end or (stop[0] == c';' and not _has(stop, end, c'@'))


cdef inline int likeness_of(Slice uri, const PlainUri *plain, Slice other) noexcept nogil:
    """Compare a plain URI with a bound one."""
    cdef PlainUri others
    if same(uri, other):
        return SAME
    if not read_plain_uri(other, &others):
        return UNCLEAR
    if not same(plain.user, others.user):
        return DIFFERENT
    if same(plain.place, others.place):
        return UNCLEAR
    return UNCLEAR if plain.host.at[0] == c'[' or others.host.at[0] == c'[' else DIFFERENT


cdef bint read_contact(Slice text, Wanted *wanted) noexcept nogil:
    """Read the only value of a Contact field; False if it is odd."""
    cdef const uint8_t *at = text.at
    cdef const uint8_t *end = text.at + text.size
    cdef const uint8_t *stop
    if at < end and at[0] == c'"':
        at = run(at + 1, end, IN_DISPLAY)
        if at == end or at[0] != c'"':
            return False
        at += 1
    elif at < end and at[0] != c'<':
        at = run(at, end, IN_TOKEN)
    while at < end and at[0] == c' ':
        at += 1
    if at == end or at[0] != c'<':
        return False
    stop = run(at + 1, end, IN_URI)
    if stop == end or stop[0] != c'>':
        return False
    wanted.uri = slice_of(at + 1, stop)
    return read_plain_uri(wanted.uri, &wanted.plain) and _read_params(stop + 1, end, wanted)


cdef bint _read_params(const uint8_t *at, const uint8_t *end, Wanted *wanted) noexcept nogil:
    cdef const uint8_t *stop
    cdef Slice name, value
    cdef int64_t reg_id
    wanted.instance, wanted.reg_id, wanted.expires, wanted.q = nothing(), nothing(), -1, -1
    while at < end:
        if at[0] != c';':
            return False
        stop = run(at + 1, end, IN_LOWER)
        name, value, at = slice_of(at + 1, stop), nothing(), stop
        if name.size == 0:
            return False
        if at < end and at[0] == c'=':
            if at + 1 < end and at[1] == c'"':
                stop = run(at + 2, end, IN_DISPLAY)
                if stop == end or stop[0] != c'"':
                    return False
                stop += 1
            else:
                stop = run(at + 1, end, IN_TOKEN)
            value, at = slice_of(at + 1, stop), stop
            if value.size == 0:
                return False
        if is_text(name, b"expires", 7):
            if wanted.expires >= 0 or value.size == 0 or _past_digits(value.at, at, 9, &wanted.expires) != at:
                return False
        elif is_text(name, b"q", 1):
            if wanted.q >= 0 or not _read_q(value, &wanted.q):
                return False
        elif is_text(name, b"+sip.instance", 13):
            if wanted.instance.size or not _read_instance(value, &wanted.instance):
                return False
        elif is_text(name, b"reg-id", 6):
            if wanted.reg_id.size or value.size == 0 or _past_digits(value.at, at, 9, &reg_id) != at:
                return False
            wanted.reg_id = value
    return True


cdef bint _read_q(Slice value, int *thousandths) noexcept nogil:
    cdef Py_ssize_t at
    cdef int digit
    if not 1 <= value.size <= 5 or not c'0' <= value.at[0] <= c'1' or (value.size > 1 and value.at[1] != c'.'):
        return False
    thousandths[0] = 1000 * (value.at[0] - c'0')
    digit = 100
    for at in range(2, value.size):
        if not c'0' <= value.at[at] <= c'9':
            return False
        thousandths[0] += digit * (value.at[at] - c'0')
        digit //= 10
    return thousandths[0] <= 1000 and value.size != 2


cdef bint _read_instance(Slice quoted, Slice *instance) noexcept nogil:
    """Read `"<…>"`."""
    if quoted.size < 5 or quoted.at[0] != c'"' or quoted.at[1] != c'<':
        return False
    instance[0] = slice_of(quoted.at + 1, run(quoted.at + 2, quoted.at + quoted.size, IN_URI) + 1)
    return instance.size == quoted.size - 2 and instance.at[instance.size - 1] == c'>'


cdef void put_params(Buffer *to, const Wanted *wanted) noexcept nogil:
    """Write the parameters that the 200 returns (`returned_params`)."""
    cdef int left = wanted.q, digit = 100
    if wanted.q >= 0:
        put(to, b";q=", 3)
        put_octet(to, <uint8_t>(c'0' + left // 1000))
        left %= 1000
        if left:
            put_octet(to, c'.')
        while left:
            put_octet(to, <uint8_t>(c'0' + left // digit))
            left %= digit
            digit //= 10
    if wanted.instance.size:
        put(to, b';+sip.instance="', 16)
        put_slice(to, wanted.instance)
        put_octet(to, c'"')
    if wanted.reg_id.size:
        put(to, b";reg-id=", 8)
        put_slice(to, wanted.reg_id)


cdef int is_successor(const Wanted *wanted, Slice params) noexcept nogil:
    """Whether contact and binding, which has these parameters, have the same instance and flow (RFC 5626 §6.1)."""
    cdef const uint8_t *end = params.at + params.size
    cdef const uint8_t *at = params.at
    cdef Slice instance, reg_id
    cdef Py_ssize_t place
    if wanted.instance.size == 0:
        return DIFFERENT
    while at < end and not (end - at > 16 and memcmp(at, b';+sip.instance="', 16) == 0):
        at += 1
    if at == end:
        return DIFFERENT
    at += 16
    instance = slice_of(at, run(at + 1, end, IN_URI) + 1)
    at = instance.at + instance.size
    if instance.at[0] != c'<' or end - at < 1 or (at - 1)[0] != c'>' or at[0] != c'"':
        return UNCLEAR
    at += 1
    if instance.size != wanted.instance.size:
        return DIFFERENT
    for place in range(instance.size):
        if _lowered[instance.at[place]] != _lowered[wanted.instance.at[place]]:
            return DIFFERENT
    if not same(instance, wanted.instance):
        return UNCLEAR
    reg_id = nothing()
    if end - at > 8 and memcmp(at, b";reg-id=", 8) == 0:
        reg_id = slice_of(at + 8, end)
    return SAME if same(reg_id, wanted.reg_id) else DIFFERENT


cdef int _names_instance(Slice params) noexcept nogil:
    """Whether a binding with these parameters names an instance: SAME if it does, DIFFERENT if not."""
    cdef const uint8_t *end = params.at + params.size
    cdef const uint8_t *at = params.at
    while end - at > 16:
        if memcmp(at, b';+sip.instance="', 16) == 0:
            return SAME if at[16] == c'<' else UNCLEAR
        at += 1
    return DIFFERENT


cdef int meant(const Wanted *wanted, bint is_added, Slice flow, Slice call_id, const Bound *bound) noexcept nogil:
    """Whether the contact replaces or removes the binding (`_is_meant` of rebind.py).

    `flow`: over which it came, nothing for UDP.
    """
    cdef int alike = likeness_of(wanted.uri, &wanted.plain, bound.contact)
    cdef int is_named
    if flow.size == 0 or bound.flow.size == 0:
        return is_successor(wanted, bound.params) if alike == DIFFERENT and is_added else alike
    is_named = _names_instance(bound.params)
    if is_named == UNCLEAR:
        return UNCLEAR
    if wanted.instance.size and is_named == SAME:
        is_named = is_successor(wanted, bound.params)
        return alike if is_named == SAME and not is_added else is_named
    if alike != DIFFERENT or not is_added or wanted.instance.size or is_named == SAME:
        return alike
    return SAME if same(bound.call_id, call_id) and not same(bound.flow, flow) else DIFFERENT


cdef bint read_bound(Cursor *cursor, Bound *bound) noexcept nogil:
    """Read a binding as it crosses the bus; False if it is odd, or has a Path."""
    cdef Py_ssize_t path, fields
    bound.packed.at, bound.flow = cursor.at, nothing()
    fields = read_list(cursor)
    if not PLAIN_FIELDS <= fields <= PLAIN_FIELDS + 1 or not (
        read_text(cursor, &bound.contact) and read_number(cursor, &bound.q) and read_number(cursor, &bound.until)
        and read_text(cursor, &bound.next_hop)
    ):
        return False
    path = read_list(cursor)
    if path != 0 or not (
        read_text(cursor, &bound.params) and read_text(cursor, &bound.call_id) and read_number(cursor, &bound.cseq)
        and read_text(cursor, &bound.user_agent) and read_text(cursor, &bound.source)
        and read_text(cursor, &bound.branch)
    ):
        return False
    if fields > PLAIN_FIELDS and not read_octets(cursor, &bound.flow):
        return False
    bound.packed.size = cursor.at - bound.packed.at
    return True
