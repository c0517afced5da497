# Saved transactions in C: what the engine holds of a server transaction, its branch and its client transaction.
#
# States are those of core/server_transaction.py and client_transaction.py; the engine is given their numbers at its start.
# They are written as core/saved_transaction.py says, so that the reference, in this process or the next, can go on.

cdef enum:
    # letters of timers, by their place in `Saved.armed`
    A_, B_, C_, D_, G_, H_, I_, J_, K_, L_, M_, N_, T_, X_
    R_  # for the answer of a media engine; it is not saved
    LETTERS

cdef const char *_LETTERS = b"ABCDGHIJKLMNTX"

cdef enum Kind:
    PROXIED  # a request that was forwarded to one target
    ANSWERED  # a CANCEL that we answered
    SENT  # a CANCEL that we sent, or an INVITE that was challenged and sent again by another transaction

cdef enum:
    # parts of `Saved.texts`, in their order
    P_BRANCH  # of the caller's Via, in lower case
    P_HOST
    P_REPLY  # flow
    P_SOURCE  # flow
    P_USER
    P_LANGUAGE
    P_CALL_ID
    P_FROM_TAG
    P_TO_TAG
    P_HOP  # flow
    P_TARGET
    P_FROM  # the request's own, where calls may bear a mask
    P_TO
    P_TRUNK
    P_HOPS  # where else its name leads, as that is saved; nothing if nowhere
    P_OWN_BRANCH  # the last, as it may be known later (`name_branch`)
    PARTS
    LONGEST_BRANCH = 64
    SILENT_T1 = 8  # core/next_hops.py

cdef struct Spans:
    # The places of the fields in a sent request that its ACK and its CANCEL repeat.
    uint16_t uri, uri_end, via, via_end, from_, from_end, to, to_end, call_id, call_id_end

cdef struct Saved:
    Node server
    Node client
    Node awaited  # by Call-ID, tag and sequence, until the ACK for a 2xx comes
    Waiter waiter
    uint64_t number
    int kind
    int method
    int port
    uint32_t sequence
    uint32_t sent_sequence  # which the other side knows
    int server_state
    int client_state
    int final_status  # of the branch
    double server_interval
    double client_interval
    double armed[LETTERS]  # 0 for a timer that does not run
    bint is_masked, has_more  # whether it bears a mask, and other targets wait for its failure
    bint is_outside  # whether it went out by the dial plan
    bint in_dialog, begins_call, rang, cancelled, cancel_wanted, is_touched, is_over, is_settled
    bint is_answered_reliably, is_sent_reliably  # whether the flows of the server and of the client are of streams
    Saved *next_touched
    Buffer last  # the response that is repeated
    Buffer sent  # the request, until nothing of it is needed
    Buffer ack  # for the final response
    Buffer tag  # of the 2xx
    Buffer contact  # of the 2xx
    Buffer base  # of a call by a trunk, what stands ahead of its client transaction, until it has a final response
    Spans spans  # in `sent`
    Relayed *relayed  # NULL if its media is not relayed
    uint8_t *texts
    uint16_t sizes[PARTS]


cdef Slice part(const Saved *saved, int number) noexcept nogil:
    cdef Slice found
    cdef int each
    found.at = saved.texts
    for each in range(number):
        found.at += saved.sizes[each]
    found.size = saved.sizes[number]
    return found


cdef Saved *make_saved(int kind, int method, Slice *parts) noexcept nogil:
    """A saved with copies of its `parts`; NULL if there is no memory."""
    cdef Saved *saved
    cdef Py_ssize_t size = 0
    cdef uint8_t *at
    cdef int each
    for each in range(PARTS):
        size += parts[each].size
    saved = <Saved *>calloc(1, sizeof(Saved) + size + LONGEST_BRANCH)
    if saved == NULL:
        return NULL
    saved.texts = at = <uint8_t *>saved + sizeof(Saved)
    for each in range(PARTS):
        saved.sizes[each] = <uint16_t>parts[each].size
        if parts[each].size:
            memcpy(at, parts[each].at, parts[each].size)
        at += parts[each].size
    saved.kind, saved.method = kind, method
    saved.is_answered_reliably, saved.is_sent_reliably = is_stream(parts[P_REPLY]), is_stream(parts[P_HOP])
    saved.waiter.place, saved.waiter.owner = -1, saved
    return saved


cdef bint name_branch(Saved *saved, Slice branch) noexcept nogil:
    """Note the own branch of a saved transaction that has none yet, or another one; False if it is too long."""
    if branch.size > LONGEST_BRANCH:
        return False
    memcpy(<uint8_t *>part(saved, P_OWN_BRANCH).at, branch.at, branch.size)
    saved.sizes[P_OWN_BRANCH] = <uint16_t>branch.size
    return True


cdef void free_saved(Saved *saved) noexcept nogil:
    free(saved.last.data)
    free(saved.sent.data)
    free(saved.ack.data)
    free(saved.tag.data)
    free(saved.contact.data)
    free(saved.base.data)
    free_relayed(saved.relayed)
    free(saved)


cdef void release(Buffer *buffer) noexcept nogil:
    free(buffer.data)
    buffer.data, buffer.size, buffer.room = NULL, 0, 0


cdef void keep(Buffer *buffer, Slice octets) noexcept nogil:
    """Keep a copy of exactly its size."""
    cdef uint8_t *data
    release(buffer)
    data = <uint8_t *>malloc(octets.size + 1)
    if data == NULL:
        buffer.failed = True
        return
    if octets.size:
        memcpy(data, octets.at, octets.size)
    buffer.data, buffer.size, buffer.room = data, octets.size, octets.size + 1


cdef void disarm(Saved *saved, const int *letters, int count) noexcept nogil:
    cdef int each
    for each in range(count):
        saved.armed[letters[each]] = 0


cdef double first_deadline(const Saved *saved) noexcept nogil:
    """When the first of its timers fires; 0 if none runs."""
    cdef double first = 0
    cdef int letter
    for letter in range(LETTERS):
        if saved.armed[letter] and (first == 0 or saved.armed[letter] < first):
            first = saved.armed[letter]
    return first


cdef double last_ending(const Saved *saved) noexcept nogil:
    """When the last of its timers fires, if all of them do nothing but end a transaction; else 0."""
    cdef double last = 0
    cdef int letter
    for letter in range(LETTERS):
        if saved.armed[letter] == 0:
            continue
        if letter in (A_, B_, C_, G_, H_, N_, T_, X_, R_):
            return 0
        last = max(last, saved.armed[letter])
    return last


cdef void _pack_armed(Buffer *buffer, const Saved *saved, const int *letters, int count) noexcept nogil:
    cdef int each, running = 0
    for each in range(count):
        running += saved.armed[letters[each]] != 0
    pack_map(buffer, running)
    for each in range(count):
        if saved.armed[letters[each]]:
            pack_letter(buffer, _LETTERS[letters[each]])
            pack_real(buffer, saved.armed[letters[each]])


cdef int *_OF_SERVER = [T_, J_, G_, H_, I_, L_]
cdef int *_OF_BRANCH = [C_, N_, X_]
cdef int *_OF_CLIENT = [A_, B_, D_, K_, M_]


cdef void pack_state(Buffer *buffer, const Saved *saved, double now, Slice host, int port) noexcept nogil:
    """Write the state of a saved transaction as `saved_transaction.state_of` gives it.

    `host`, `port`: of the engine that relays its media.
    """
    pack_list(buffer, 3)
    pack_real(buffer, now)
    if saved.kind == SENT:
        _pack_client(buffer, saved)
        pack_nil(buffer)
        return
    pack_list(buffer, 4)
    pack_number(buffer, saved.server_state)
    pack_real(buffer, saved.server_interval)
    if saved.last.size:
        pack_octets(buffer, content(&saved.last))
    else:
        pack_nil(buffer)
    _pack_armed(buffer, saved, _OF_SERVER, 6)
    if saved.kind == ANSWERED:
        pack_nil(buffer)
    else:
        _pack_context(buffer, saved, host, port)


cdef void _pack_client(Buffer *buffer, const Saved *saved) noexcept nogil:
    pack_list(buffer, 3)
    pack_number(buffer, saved.client_state)
    pack_real(buffer, saved.client_interval)
    _pack_armed(buffer, saved, _OF_CLIENT, 5)


cdef inline bint _is_relayed(const Saved *saved) noexcept nogil:
    """Whether there is anything to save of its relayed media."""
    cdef const Relayed *relayed = saved.relayed
    return relayed != NULL and (
        relayed.is_leg or relayed.held.size > 0 or relayed.question == END_ASKED or relayed.has_figures
    )


cdef void _pack_context(Buffer *buffer, const Saved *saved, Slice host, int port) noexcept nogil:
    pack_list(buffer, 5 if _is_relayed(saved) else 4)
    pack_truth(buffer, saved.cancelled)
    pack_truth(buffer, saved.rang)
    pack_list(buffer, 1 if saved.tag.size else 0)
    if saved.tag.size:
        pack_text(buffer, content(&saved.tag))
    if _is_relayed(saved):
        pack_relayed(buffer, saved.relayed, host, port)
    pack_list(buffer, 1)
    pack_list(buffer, 10 if saved.sizes[P_HOPS] else 8)
    pack_truth(buffer, False)
    pack_truth(buffer, False)
    pack_truth(buffer, saved.cancel_wanted)
    pack_list(buffer, 0)
    pack_number(buffer, saved.final_status)
    pack_nil(buffer)
    if saved.sizes[P_HOPS]:
        pack_truth(buffer, False)
        put_slice(buffer, part(saved, P_HOPS))
    _pack_armed(buffer, saved, _OF_BRANCH, 3)
    if saved.sizes[P_OWN_BRANCH]:
        _pack_client(buffer, saved)
    else:
        pack_nil(buffer)  # nothing has left yet
