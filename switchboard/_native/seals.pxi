# The seal in our Record-Route (core/dialog_seal.py): made, and read.

cdef enum:
    SEAL_MAC = 8
    SEAL_SUM = 4
    SIDE_FLOW = 9  # kind, target and owner stand before it
    SEAL_VERSION = 0x01
    SEAL_SAME_LOCAL = 0x10
    SEAL_VERSIONS = 0x0F
    SIDE_TRANSLATED = 0x01
    SIDE_NAMED = 0x02
    SIDE_CLAIMED = 0x08
    LONGEST_SEAL = 700
    SHORTEST_SEAL = 28
    TEXT_ADDRESS = 0x80
    LARGEST_FLOW = 300
    UDP = 1
    WSS = 5
    CONNECTION_SIZE = 9

cdef Slice _NEWLINE
_NEWLINE.at, _NEWLINE.size = <const uint8_t *>b"\n", 1

cdef struct Side:
    uint8_t kind
    const uint8_t *target
    const uint8_t *owner
    uint8_t flow[LARGEST_FLOW]
    Py_ssize_t flow_size


cdef inline Py_ssize_t address_size(Slice octets) noexcept nogil:
    """How many octets the address that begins here takes, its length included; -1 if it is cut."""
    cdef Py_ssize_t size
    if octets.size < 1:
        return -1
    size = 1 + (octets.at[0] & ~TEXT_ADDRESS)
    return size if size <= octets.size else -1


cdef inline Slice our_address(Slice flow) noexcept nogil:
    """Our address in a flow of our own making, with its length."""
    cdef Slice found
    found.at, found.size = flow.at + 1, flow.size - 1
    found.size = max(0, address_size(found))
    return found


cdef inline Slice peer_address(Slice flow) noexcept nogil:
    cdef Slice found = our_address(flow)
    found.at += found.size
    found.size = flow.at + flow.size - found.at
    found.size = max(0, address_size(found))
    return found


cdef inline int flow_port(Slice flow) noexcept nogil:
    cdef Slice peer = peer_address(flow)
    return peer.at[peer.size] << 8 | peer.at[peer.size + 1]


cdef inline bint is_stream(Slice flow) noexcept nogil:
    """Whether what is sent over it arrives, or an error is told (RFC 3261 §17.1.1.2)."""
    return flow.size > 0 and flow.at[0] != UDP


cdef inline bint has_connection(Slice flow) noexcept nogil:
    cdef Slice peer
    if flow.at[0] == UDP:
        return False
    peer = peer_address(flow)
    return flow.at + flow.size - peer.at - peer.size > 2


cdef int stream_of(Slice flow, int streams) noexcept nogil:
    """The edge-stream, of so many, that sends over a flow; -1 for UDP (sip/flow.py)."""
    cdef Slice peer = peer_address(flow)
    if flow.at[0] == UDP:
        return -1
    if has_connection(flow):
        return peer.at[peer.size + 2]
    return crc32_on(0, peer.at, peer.size + 2) % <uint32_t>streams


cdef bint is_flow(Slice flow) noexcept nogil:
    """Whether it is a flow as we write it (sip/flow.py)."""
    cdef Slice rest
    cdef Py_ssize_t size
    if flow.size < 5 or flow.size > LARGEST_FLOW - 2 or not UDP <= flow.at[0] <= WSS:
        return False
    rest.at, rest.size = flow.at + 1, flow.size - 1
    size = address_size(rest)
    if size < 0:
        return False
    rest.at += size
    rest.size -= size
    size = address_size(rest)
    return size > 0 and (
        rest.size == size + 2 or (rest.size == size + 2 + CONNECTION_SIZE and flow.at[0] != UDP)
    )


cdef void _sum_dialog(uint8_t *to, Slice key, Slice call_id, Slice tag, Slice claim) noexcept nogil:
    cdef Blake2s sum
    begin_sum(&sum, key.at, <int>key.size, <const uint8_t *>b"dialog\0\0", SEAL_MAC)
    add_to_sum(&sum, call_id)
    add_to_sum(&sum, _NEWLINE)
    add_to_sum(&sum, tag)
    add_to_sum(&sum, _NEWLINE)
    add_to_sum(&sum, claim)
    end_sum(&sum, to, SEAL_MAC)


cdef bint put_seal(Buffer *to, Slice key, Slice caller, Slice callee, Slice call_id, Slice tag) noexcept nogil:
    """Write the seal of two sides, each with our address; False if they are too long."""
    cdef uint8_t octets[2 * LARGEST_FLOW + 64]
    cdef Slice claim, flow, ours
    cdef uint8_t *at = octets + SEAL_MAC
    if caller.size > 255 or callee.size > LARGEST_FLOW or caller.size < 14 or callee.size < 14:
        return False
    flow = slice_of(callee.at + SIDE_FLOW, callee.at + callee.size)
    ours = our_address(flow)
    at[0] = SEAL_VERSION
    if same(ours, our_address(slice_of(caller.at + SIDE_FLOW, caller.at + caller.size))):
        at[0] |= SEAL_SAME_LOCAL
    at[1] = <uint8_t>caller.size
    memcpy(at + 2, caller.at, caller.size)
    claim.at, at = at, at + 2 + caller.size
    if claim.at[0] & SEAL_SAME_LOCAL:
        memcpy(at, callee.at, SIDE_FLOW + 1)
        at += SIDE_FLOW + 1
        memcpy(at, ours.at + ours.size, callee.at + callee.size - ours.at - ours.size)
        at += callee.at + callee.size - ours.at - ours.size
    else:
        memcpy(at, callee.at, callee.size)
        at += callee.size
    claim.size = at - claim.at
    _sum_dialog(octets, key, call_id, tag, claim)
    put_base64(to, octets, SEAL_MAC + claim.size)
    return True


cdef bint _read_side(Side *side, Slice octets, Slice local) noexcept nogil:
    """Read a side. `local`: our address if it is not in there, else nothing."""
    cdef Slice flow
    if octets.size < SIDE_FLOW + 1 or octets.size + local.size > LARGEST_FLOW:
        return False
    side.kind, side.target, side.owner = octets.at[0], octets.at + 1, octets.at + 1 + SEAL_SUM
    side.flow[0] = octets.at[SIDE_FLOW]
    if local.size:
        memcpy(side.flow + 1, local.at, local.size)
    side.flow_size = 1 + local.size + octets.size - SIDE_FLOW - 1
    memcpy(side.flow + 1 + local.size, octets.at + SIDE_FLOW + 1, octets.size - SIDE_FLOW - 1)
    flow.at, flow.size = side.flow, side.flow_size
    return is_flow(flow)


cdef bint read_seal(Slice text, Slice key, Slice call_id, Slice tag, uint8_t *octets, Side *caller,
                    Side *callee) noexcept nogil:
    """Read a seal (untrusted) made for a caller with this `tag`; False if it is none. `octets`: room for it."""
    cdef uint8_t sum[SEAL_MAC]
    cdef uint8_t differs = 0
    cdef Slice claim, local = nothing()
    cdef Py_ssize_t size, end
    cdef int at
    if text.size > LONGEST_SEAL:
        return False
    size = read_base64(text, octets, LONGEST_SEAL)
    if size <= SHORTEST_SEAL:
        return False
    claim.at, claim.size = octets + SEAL_MAC, size - SEAL_MAC
    _sum_dialog(sum, key, call_id, tag, claim)
    for at in range(SEAL_MAC):
        differs |= sum[at] ^ octets[at]
    end = 2 + claim.at[1]
    if differs or (claim.at[0] & SEAL_VERSIONS) != SEAL_VERSION or end > claim.size:
        return False
    if not _read_side(caller, slice_of(claim.at + 2, claim.at + end), nothing()):
        return False
    if claim.at[0] & SEAL_SAME_LOCAL:
        local.at, local.size = caller.flow, caller.flow_size
        local = our_address(local)
    return _read_side(callee, slice_of(claim.at + end, claim.at + claim.size), local)


cdef bint move_callee(Buffer *to, Slice text, Slice key, Slice call_id, Slice tag, Slice flow,
                      const uint8_t *target) noexcept nogil:
    """Write a seal made for a caller with this `tag` anew, for a callee whose Contact has another sum, `target`.

    False for no such seal, or one in which the callee is not at this `flow`. The text keeps its length.
    """
    cdef uint8_t octets[LONGEST_SEAL]
    cdef Side caller, callee
    cdef Slice claim, known
    if not read_seal(text, key, call_id, tag, octets, &caller, &callee):
        return False
    known.at, known.size = callee.flow, callee.flow_size
    if not same(known, flow):
        return False
    claim.at, claim.size = octets + SEAL_MAC, read_base64(text, octets, LONGEST_SEAL) - SEAL_MAC
    memcpy(octets + SEAL_MAC + 2 + claim.at[1] + 1, target, SEAL_SUM)
    _sum_dialog(octets, key, call_id, tag, claim)
    put_base64(to, octets, SEAL_MAC + claim.size)
    return True


cdef bint replace_callee(Buffer *to, Slice text, Slice key, Slice call_id, Slice tag, Slice flow,
                         Slice callee) noexcept nogil:
    """Write a seal made for a caller with this `tag` anew, with another `callee`: a side with our address.

    False for no such seal, or one in which the callee is not at this `flow`.
    """
    cdef uint8_t octets[LONGEST_SEAL]
    cdef Side caller, old
    cdef const uint8_t *claim = octets + SEAL_MAC
    if not read_seal(text, key, call_id, tag, octets, &caller, &old):
        return False
    if not same(slice_of(old.flow, old.flow + old.flow_size), flow):
        return False
    return put_seal(to, key, slice_of(claim + 2, claim + 2 + claim[1]), callee, call_id, tag)
