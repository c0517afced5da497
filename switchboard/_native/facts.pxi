# Facts: what the reference has found out about a text or an address. The engine finds them by the octets of that.
#
# A fact is a record of fields, each with its length in two octets before it. Facts are in two generations: when the
# young one is full, it becomes the old one, and a fact that is used again moves to the young one. So memory is bounded,
# and facts in use stay. A fact may have an end of validity (epoch s).

cdef enum:
    MOST_FACTS = 131072  # of a generation
    MOST_FACT_OCTETS = 1 << 25  # of a generation, whatever strangers write
    LONGEST_KEY = 1024

cdef struct Fact:
    Node node
    double until
    Py_ssize_t key_size
    Py_ssize_t size
    uint8_t *data  # the key, and the record behind it

cdef struct Facts:
    Table young
    Table old
    Py_ssize_t octets  # of the young


cdef bint open_facts(Facts *facts) noexcept nogil:
    facts.octets = 0
    return open_table(&facts.young) and open_table(&facts.old)


cdef inline Py_ssize_t _room_of(const Fact *fact) noexcept nogil:
    return sizeof(Fact) + fact.key_size + fact.size


cdef Node *_find_fact(const Table *table, Slice key, uint64_t hash) noexcept nogil:
    cdef Node *node = first_in(table, hash)
    cdef Fact *fact
    while node != NULL:
        fact = <Fact *>node.owner
        if fact.key_size == key.size and memcmp(fact.data, key.at, key.size) == 0:
            return node
        node = next_in(node)
    return NULL


cdef Fact *find_fact(Facts *facts, Slice key, double at) noexcept nogil:
    """The fact of this key, NULL if there is none or its time is over."""
    cdef uint64_t hash = hash_of(key, 1)
    cdef Node *node = _find_fact(&facts.young, key, hash)
    cdef Fact *fact
    if node == NULL:
        node = _find_fact(&facts.old, key, hash)
        if node == NULL:
            return NULL
        fact = <Fact *>node.owner
        take_from(&facts.old, node)
        add_to(&facts.young, node, hash, fact)
        facts.octets += _room_of(fact)
    fact = <Fact *>node.owner
    if fact.until and fact.until <= at:
        forget_fact(facts, key)
        return NULL
    return fact


cdef Fact *learn_fact(Facts *facts, Slice key, Slice record, double until) noexcept nogil:
    """Note what is true of `key`; NULL if there is no memory. `until`: epoch s, 0 for ever."""
    cdef Fact *fact
    cdef Table table
    forget_fact(facts, key)
    fact = <Fact *>malloc(sizeof(Fact) + key.size + record.size)
    if fact == NULL:
        return NULL
    fact.data = <uint8_t *>fact + sizeof(Fact)
    fact.until, fact.key_size, fact.size = until, key.size, record.size
    memcpy(fact.data, key.at, key.size)
    memcpy(fact.data + key.size, record.at, record.size)
    if facts.young.count >= MOST_FACTS or facts.octets >= MOST_FACT_OCTETS:
        _clear(&facts.old)
        table = facts.old
        facts.old, facts.young, facts.octets = facts.young, table, 0
    facts.octets += _room_of(fact)
    add_to(&facts.young, &fact.node, hash_of(key, 1), fact)
    return fact


cdef void forget_fact(Facts *facts, Slice key) noexcept nogil:
    cdef uint64_t hash = hash_of(key, 1)
    cdef Node *node = _find_fact(&facts.young, key, hash)
    cdef Fact *fact
    if node != NULL:
        fact = <Fact *>node.owner
        facts.octets -= _room_of(fact)
        take_from(&facts.young, node)
        free(fact)
    node = _find_fact(&facts.old, key, hash)
    if node != NULL:
        fact = <Fact *>node.owner
        take_from(&facts.old, node)
        free(fact)


cdef void forget_facts(Facts *facts) noexcept nogil:
    _clear(&facts.young)
    _clear(&facts.old)
    facts.octets = 0


cdef void close_facts(Facts *facts) noexcept nogil:
    forget_facts(facts)
    close_table(&facts.young)
    close_table(&facts.old)


cdef void _clear(Table *table) noexcept nogil:
    cdef Py_ssize_t at
    cdef Node *node
    cdef Node *following
    for at in range(table.mask + 1):
        node = table.buckets[at]
        table.buckets[at] = NULL
        while node != NULL:
            following = node.next
            free(node.owner)
            node = following
    table.count = 0


cdef Slice field_of(const Fact *fact, int place) noexcept nogil:
    """The field at this place of the record."""
    cdef const uint8_t *at = fact.data + fact.key_size
    cdef const uint8_t *end = at + fact.size
    cdef Py_ssize_t size
    while end - at >= 2:
        size = at[0] << 8 | at[1]
        at += 2
        if place == 0:
            return slice_of(at, min(at + size, end))
        at += size
        place -= 1
    return nothing()
