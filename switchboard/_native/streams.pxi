"""Compiled twin of `split` in `transports/stream_outboxes.py`: what leaves over UDP, and what goes to which stream."""


def split(Py_ssize_t count, bytes items not None, int streams):
    """Return the same as `split_in_python`."""
    cdef Cursor cursor
    cdef Translated item
    cdef const unsigned char *begin
    cdef list ways = [[] for _ in range(streams + 1)]  # that of UDP last
    cdef list acks = []
    cdef int way
    _begin_run(&cursor, items, 0)
    for _ in range(count):
        begin = cursor.at
        if not _read_translated(&cursor, &item):
            return reference("switchboard.transports.stream_outboxes", "split_in_python")(count, items, streams)
        way = _stream_of(&item, streams)
        piece = PyBytes_FromStringAndSize(<const char *>begin, cursor.at - begin)
        (<list>ways[way]).append(piece)
        if way < streams and item.raw_size >= 4 and memcmp(item.raw, b"ACK ", 4) == 0:
            acks.append((way, piece))
    if PyList_GET_SIZE(ways[streams]) == count:
        return (count, items), [], []
    runs = [(number, _run_of(ways[number])) for number in range(streams) if PyList_GET_SIZE(ways[number])]
    return _run_of(ways[streams]), runs, acks


cdef tuple _run_of(list pieces):
    if PyList_GET_SIZE(pieces) == 1:
        return 1, pieces[0]
    return PyList_GET_SIZE(pieces), b"".join(pieces)


cdef int _stream_of(Translated *item, int streams) noexcept:
    """The number of the edge-stream that sends it; `streams` for UDP."""
    cdef FlowParts parts
    cdef const unsigned char *end = item.flow + item.flow_size
    if not read_flow(item.flow, item.flow_size, &parts) or parts.transport == UDP_FLOW:
        return streams
    if parts.connection_size:
        return (end - parts.connection_size)[0] % streams
    return ~_crc32(0xffffffff, parts.host, end - parts.host) % <uint32_t>streams
