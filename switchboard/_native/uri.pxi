"""Compiled twin of `uri.py` for URIs as most are written, without escapes and passwords."""

def read_uri(str text):
    """Return what a SipUri is made of; None if the text is anything but `sip:user@host:port;name=value`."""
    cdef const unsigned char *at = <const unsigned char *>PyUnicode_DATA(text)
    cdef const unsigned char *end = at + PyUnicode_GET_LENGTH(text)
    cdef const unsigned char *stop
    cdef Param params[MOST_PARAMS]
    cdef str user = None, host
    cdef object port = None
    cdef long digits
    cdef int count, position
    if not PyUnicode_IS_ASCII(text) or end - at < 5 or memcmp(at, b"sip:", 4) != 0:
        return None
    at += 4
    stop = run(at, end, USER)
    if stop > at and stop < end and stop[0] == c'@':
        user, at = ascii(at, stop), stop + 1
    stop = host_end(at, end)
    if stop == at or stop - at > MOST_HOST:
        return None
    host = lower(at, stop)
    if not (is_plain_ipv4(at, stop) or check_host(host)):
        return None
    at = stop
    if at < end and at[0] == c':':
        stop = at + 1
        while stop < end and c'0' <= stop[0] <= c'9':
            stop += 1
        digits = decimal(at + 1, stop)
        if not 0 < digits <= LARGEST_PORT or at[1] == c'0':
            return None
        port, at = digits, stop
    count = read_params(at, end, URI_PARAM, params)
    for position in range(count):
        if run(params[position].name, params[position].name_end, URI_PARAM) != params[position].name_end:
            return None
    return None if count < 0 else ("sip", user, None, host, port, pairs(params, count))


def read_bracketed(str text):
    """Return the URI in `<uri>`; None if the text is anything else."""
    cdef const unsigned char *start = <const unsigned char *>PyUnicode_DATA(text)
    cdef const unsigned char *end = start + PyUnicode_GET_LENGTH(text)
    cdef const unsigned char *stop
    if not PyUnicode_IS_ASCII(text) or end - start < 2 or start[0] != c'<':
        return None
    start += 1
    stop = run(start, end, SCHEME)
    if stop == start or stop == end or stop[0] != c':' or not (c'a' <= start[0] | 0x20 <= c'z'):
        return None
    if run(stop + 1, end, URI) != end - 1 or (end - 1)[0] != c'>' or stop + 1 == end - 1:
        return None
    return ascii(start, end - 1)
