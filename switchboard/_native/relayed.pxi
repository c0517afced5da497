# What the engine holds of a saved transaction whose media is relayed (core/relaying.py): a fork, or a BYE.

cdef enum:
    MOST_SDP = 40000
    MOST_ASKED = 5000
    MOST_ENGINES = 16
    MARK_MAC = 4
    MARK_SUM = 3
    MARK_SIZE = 8
    ANSWER_MS = 250  # then the reference asks, which knows other engines

cdef uint64_t _FIRST_TOKEN = 0x10000000000  # the reference's own are smaller

cdef enum Asked:
    NOTHING_ASKED
    OFFER_ASKED
    ANSWER_ASKED
    END_ASKED

cdef struct Relayed:
    Node asked  # by token, while a question is open
    uint64_t token
    int question
    int place  # of the engine, among those of the settings
    bint is_leg  # a fork of an INVITE
    bint is_closed  # it has failed
    bint has_figures
    bint is_needed  # the call cannot be without
    bint may_move  # to TCP, if it becomes large
    uint64_t packets[2]  # of who sent the BYE, and of the other side
    uint32_t routing_hash
    Buffer name  # of the fork, at the engine
    Buffer base  # what does not change, up to the client transaction
    Buffer held  # a response that waits
    Buffer index  # its offset index


cdef void free_relayed(Relayed *relayed) noexcept nogil:
    if relayed == NULL:
        return
    free(relayed.name.data)
    free(relayed.base.data)
    free(relayed.held.data)
    free(relayed.index.data)
    free(relayed)


cdef void pack_relayed(Buffer *buffer, const Relayed *relayed, Slice host, int port) noexcept nogil:
    """Write what `Relayed.saved` returns; `host`, `port`: of the engine."""
    pack_list(buffer, 4)
    pack_list(buffer, 1 if relayed.is_leg else 0)
    if relayed.is_leg:
        pack_list(buffer, 2)
        pack_number(buffer, 0)
        pack_list(buffer, 6)
        pack_list(buffer, 2)
        pack_text(buffer, host)
        pack_number(buffer, port)
        pack_list(buffer, 3)
        pack_truth(buffer, False)
        pack_truth(buffer, False)
        pack_truth(buffer, relayed.is_needed)
        pack_truth(buffer, False)
        pack_text(buffer, content(&relayed.name))
        pack_truth(buffer, relayed.is_closed)
        pack_truth(buffer, False)
    pack_list(buffer, 1 if relayed.held.size else 0)
    if relayed.held.size:
        pack_list(buffer, 2)
        pack_number(buffer, 0)
        pack_octets(buffer, content(&relayed.held))
    pack_truth(buffer, relayed.question == END_ASKED)
    pack_list(buffer, 2 if relayed.has_figures else 0)
    if relayed.has_figures:
        pack_number(buffer, relayed.packets[0])
        pack_number(buffer, relayed.packets[1])
