# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A router's engine: what the proxy core does, for plain messages, in C structs.

It takes the packed items that the edge wrote, and holds transactions, timers and saved units of what is plain: requests
to one registered contact, and requests within a dialog that our own Route leads. Each rule of SIP is written in Python
(`switchboard/core`), and only the plain path is written here again. Whatever is odd goes to the reference, with the
unit that it belongs to: that is in the log, or on its way there, and the reference restores it as a successor would.
What the reference finds out of texts and addresses is remembered (`facts.pxi`).
"""

import secrets

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

include "octets.pxi"
include "keyed_log.pxi"
include "event_ring.pxi"
include "sums.pxi"
include "packing.pxi"
include "reading.pxi"
include "facts.pxi"
include "tallies.pxi"
include "timers.pxi"
include "seals.pxi"
include "units.pxi"
include "splicing.pxi"

cdef enum:
    LARGEST_SENT = 65507
    FULL_BREADTH = 60
    MOST_ANSWERED = 20000
    REPETITIONS_A_SECOND = 10
    MOST_PROVED = 60000  # octets of a request whose copy is no larger than a datagram, whatever is added
    ERASED = 0xFFFFFFFF
    # places in the records of facts (core/facts.py)
    F_HOST = 1
    F_USER = 2
    F_SIDE = 3
    F_RECORD = 4
    F_INNER = 5
    F_TARGET = 0
    F_HOP = 1
    F_PLACE = 2
    F_OUTER = 3
    F_THERE = 4
    F_CALLED = 5
    F_SAVED = 6
    F_LOOKUP = 7
    ADDS_RECEIVED = 1
    IS_EXEMPT = 2
    IS_TRUSTED = 4

cdef enum:
    TRYING
    PROCEEDING
    COMPLETED
    CONFIRMED
    ACCEPTED
    STATES

cdef int _state[STATES]  # their numbers, as the reference says


cdef inline bytes as_bytes(Slice octets):
    return PyBytes_FromStringAndSize(<const char *>octets.at, octets.size)


cdef inline Slice slice_in(bytes octets):
    cdef Slice found
    found.at, found.size = <const uint8_t *>PyBytes_AS_STRING(octets), PyBytes_GET_SIZE(octets)
    return found


cdef inline Slice literal(const char *text, Py_ssize_t size) noexcept nogil:
    cdef Slice found
    found.at, found.size = <const uint8_t *>text, size
    return found


cdef class Engine:
    """Serves the plain messages of one router.

    `reference`: the Python core behind it (`core/router_core.py`). `facts` finds out what it asks (`core/facts.py`). `values`: t1, t2, t4, c, lifetime, d and
    first_trying (s). `states`: the numbers of TRYING, PROCEEDING, COMPLETED, CONFIRMED and ACCEPTED. `admits_all`:
    whether requests outside dialogs need no proof; else they show credentials for `realm`, and `reference.admit` says
    whose they are. `asserts`: whether some peers are told who that is. `branches`, `tags` and `units` count what was given out, by the
    reference, too. `others`: server transactions of the reference; `others_await`: whether it awaits ACKs.
    """

    cdef public uint64_t branches, tags, units
    cdef public Py_ssize_t others
    cdef public bint is_pressing, others_await
    cdef readonly uint64_t absorbed, withheld, plain, odd, handed_over, learned
    cdef object _reference, _finder
    cdef bytes _key_octets, _prefix_octets, _router_octets, _incarnation_octets, _shown_octets
    cdef Slice _key, _prefix, _router, _incarnation
    cdef Slice _shown  # of credentials that are for us: `realm="…"`
    cdef int _port
    cdef bint _admits_all, _asserts
    cdef Py_ssize_t _most, _most_of_source
    cdef double _t1, _t2, _t4, _c, _lifetime, _d, _first_trying
    cdef double _now, _at
    cdef Table _servers, _clients, _awaited
    cdef Facts _facts
    cdef Heap _heap
    cdef Generations _handed, _answered, _recent
    cdef Tally _repeated
    cdef long _second
    cdef Unit *_touched
    cdef Buffer _requests, _responses, _records, _work, _response, _text, _seal, _event, _base
    cdef Py_ssize_t _request_count, _response_count
    cdef list _events
    cdef Message _message
    cdef Spans _spans

    def __cinit__(self):
        cdef bytes octets = secrets.token_bytes(16)
        memcpy(_secret, PyBytes_AS_STRING(octets), 16)
        if not (
            open_table(&self._servers) and open_table(&self._clients) and open_table(&self._awaited)
            and open_facts(&self._facts) and open_generations(&self._handed) and open_generations(&self._answered)
            and open_generations(&self._recent) and open_tally(&self._repeated)
        ):
            raise MemoryError
        self._events = []

    def __init__(
        self, reference, facts, *, bytes key, str prefix, str router, str incarnation, int port, values, states,
        bint admits_all, str realm, bint asserts, Py_ssize_t transactions, Py_ssize_t of_source,
    ):
        self._reference, self._finder = reference, facts
        self._key_octets, self._prefix_octets, self._router_octets = key, prefix.encode(), router.encode()
        self._incarnation_octets = incarnation.encode()
        self._key, self._prefix = slice_in(self._key_octets), slice_in(self._prefix_octets)
        self._router, self._incarnation = slice_in(self._router_octets), slice_in(self._incarnation_octets)
        self._shown_octets = f'realm="{realm}"'.encode() if realm else b""
        self._shown = slice_in(self._shown_octets)
        self._port, self._admits_all, self._asserts = port, admits_all, asserts
        self._most, self._most_of_source = transactions, of_source
        self._t1, self._t2, self._t4, self._c, self._lifetime, self._d, self._first_trying = values
        for place, number in enumerate(states):
            _state[place] = number

    def __dealloc__(self):
        cdef Py_ssize_t at
        for at in range(self._heap.count):
            free_unit(<Unit *>self._heap.waiters[at].owner)
        free(self._heap.waiters)
        close_table(&self._servers)
        close_table(&self._clients)
        close_table(&self._awaited)
        close_facts(&self._facts)
        close_generations(&self._handed)
        close_generations(&self._answered)
        close_generations(&self._recent)
        close_tally(&self._repeated)
        release(&self._requests)
        release(&self._responses)
        release(&self._records)
        release(&self._work)
        release(&self._response)
        release(&self._text)
        release(&self._seal)
        release(&self._event)
        release(&self._base)

    @property
    def server_count(self):
        """How many server transactions it holds."""
        return self._servers.count

    @property
    def client_count(self):
        """How many client transactions it holds."""
        return self._clients.count

    @property
    def next_deadline(self):
        """When `advance` is due (monotonic s); None if nothing waits."""
        return self._heap.waiters[0].due if self._heap.count else None

    # what comes in

    def receive(self, bytes frame, Py_ssize_t start, double now, double at):
        """Take the packed list of items that begins at `start`; return how many there are, None if they are not plain.

        `now`: monotonic s; `at`: epoch s. What is odd is given to `reference.take_odd` in its turn, a stamp to
        `reference.take_stamp`.
        """
        cdef Cursor cursor
        cdef Slice flow, index, raw
        cdef Py_ssize_t count, left
        cdef double stamp
        cursor.at = <const uint8_t *>PyBytes_AS_STRING(frame) + start
        cursor.end = <const uint8_t *>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(frame)
        if not _are_plain(cursor):
            return None
        count = left = read_list(&cursor)
        while left:
            left -= 1
            if read_real(&cursor, &stamp):
                self._reference.take_stamp(stamp)
                continue
            read_list(&cursor)
            read_octets(&cursor, &flow)
            read_octets(&cursor, &index)
            read_octets(&cursor, &raw)
            self._now, self._at = now, at
            if not self._take(flow, index, raw):
                self.odd += 1
                self._reference.take_odd(as_bytes(raw), as_bytes(index), as_bytes(flow))
        return count

    def take(self, bytes raw, bytes index, bytes flow, double now, double at):
        """Take one datagram; False if it is odd, and nothing has happened."""
        self._now, self._at = now, at
        return bool(self._take(slice_in(flow), slice_in(index), slice_in(raw)))

    def advance(self, double now, double at):
        """Let timers fire. What has more to do than repeat itself, or end, is handed to the reference."""
        cdef Unit *unit
        self._now, self._at = now, at
        while self._heap.count and self._heap.waiters[0].due <= now:
            unit = <Unit *>self._heap.waiters[0].owner
            if unit.is_settled:
                self._end(unit)
            elif unit.armed[A_] and unit.armed[A_] <= now and not _is_due_otherwise(unit, now):
                self._repeat(unit)
            else:
                self._hand_over(unit)

    # what the reference asks for

    def surrender_server(self, bytes branch, str host, int port, str method):
        """Hand over the unit with this server transaction, if it is here."""
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        cdef Unit *unit = self._find_server(
            slice_in(branch), slice_in(name), port, method_of(slice_in(method.encode("utf-8", "surrogateescape")))
        )
        if unit != NULL:
            self._hand_over(unit)

    def surrender_client(self, bytes branch, str method):
        """The same for a client transaction."""
        cdef Unit *unit = self._find_client(
            slice_in(branch), method_of(slice_in(method.encode("utf-8", "surrogateescape")))
        )
        if unit != NULL:
            self._hand_over(unit)

    def surrender_awaiting(self, bytes call_id, bytes tag, unsigned long sequence):
        """The same for the INVITE whose ACK is awaited."""
        cdef Unit *unit = self._find_awaited(slice_in(call_id), slice_in(tag), <uint32_t>sequence)
        if unit != NULL:
            self._hand_over(unit)

    def note_handed(self, bytes branch, str host, int port, double now):
        """A request with this branch in its Via is the reference's: so are its repetitions, its ACK and its CANCEL."""
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        pass_time(&self._handed, now, self._c + 2 * self._lifetime)
        count_one(&self._handed.young, _key_of(slice_in(branch), slice_in(name), port))

    def send(self, bytes flow, bytes raw):
        """Put a request of the reference into the run of those that leave."""
        self._send(slice_in(flow), slice_in(raw))

    def answer(self, bytes flow, bytes raw, str user, str language):
        """The same for a response, with its reader."""
        cdef bytes name = user.encode("utf-8", "surrogateescape")
        cdef bytes accepted = language.encode("utf-8", "surrogateescape")
        self._put_response(slice_in(flow), slice_in(raw), slice_in(name), slice_in(accepted))

    def tell(self, bytes event):
        """Put a packed call event of the reference among those that were told."""
        self._events.append(event)

    def answered(self, bytes address):
        """Somebody at this packed address has answered a request."""
        self._note_answered(slice_in(address))

    def allows(self, bytes address, double now):
        """Whether a request may be repeated to who is there (core/repetitions.py)."""
        return bool(self._allows(slice_in(address), now))

    def admits(self, str host, double now):
        """Count one more transaction of a source; False, and it is not counted, if it has too many."""
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        return bool(self._admits(slice_in(name), now))

    def forget(self, bytes key):
        """A fact is true no more."""
        forget_fact(&self._facts, slice_in(key))

    def forget_all(self):
        """No fact may be true any more."""
        forget_facts(&self._facts)

    # what goes out

    def take_requests(self):
        """Return how many requests are to be sent, and them, packed as items of `sip.send`."""
        count, self._request_count = self._request_count, 0
        taken = as_bytes(content(&self._requests))
        self._requests.size = 0
        return count, taken

    def take_responses(self):
        """Return how many responses are to be sent, and them, packed as items of `sip.translate`."""
        count, self._response_count = self._response_count, 0
        taken = as_bytes(content(&self._responses))
        self._responses.size = 0
        return count, taken

    def take_events(self):
        """Return the packed call events, each `[kind, call_id, from_tag, at, detail, ...]`."""
        events, self._events = self._events, []
        return events

    def drain_records(self):
        """Return the records that were written until now; units that were touched since are not among them."""
        taken = as_bytes(content(&self._records))
        self._records.size = 0
        return taken

    def take_records(self):
        """Return what is to be kept for a successor, as records of the keyed log (wal/segment.py)."""
        self._save_touched()
        taken = self.drain_records()
        if self._is_out_of_memory():
            raise MemoryError
        return taken

    cdef bint _is_out_of_memory(self):
        return (
            self._requests.failed or self._responses.failed or self._records.failed or self._work.failed
            or self._response.failed or self._text.failed or self._seal.failed or self._event.failed
            or self._base.failed
        )

    # one datagram

    cdef bint _take(self, Slice flow, Slice index, Slice raw) except -1:
        cdef Message *message = &self._message
        cdef bint is_taken
        if not is_flow(flow) or not read_message(message, raw, index):
            return False
        is_taken = self._take_response(message) if message.status else self._take_request(message, flow)
        self.plain += is_taken
        return is_taken

    cdef bint _take_request(self, Message *message, Slice flow) except -1:
        cdef uint8_t lowered[LONGEST_NAME]
        cdef Slice branch = _lower_branch(message, lowered)
        cdef Unit *unit
        if _is_odd_request(message) or not self._knows_credentials(message):
            return False
        unit = self._find_server(branch, message.via_host, message.port, message.method)
        if unit == NULL and self._is_handed(_key_of(branch, message.via_host, message.port)):
            return False
        if message.method == ACK:
            return self._take_ack(message, flow, unit)
        if unit != NULL:
            self._repeat_answer(unit)
            return True
        if message.method == CANCEL:
            return self._take_cancel(message, flow, branch)
        return self._begin(message, flow, branch)

    cdef bint _begin(self, Message *message, Slice flow, Slice branch) except -1:
        """Forward a new request, if it has one target that leads by an address (§16.3-6)."""
        cdef bint in_dialog = message.to_tag.size > 0
        cdef bint needs_proof = not in_dialog and not self._admits_all
        cdef int hops = _hops(message)
        cdef Fact *caller
        cdef Fact *target
        cdef Change change
        cdef object user = b""
        if hops < 1 or (not in_dialog and self.is_pressing):
            return False
        if needs_proof and (self._asserts or not message.seen[H_PROXY_AUTHORIZATION] or message.size > MOST_PROVED):
            return False
        if not in_dialog and (message.seen[H_ROUTE] or not _is_plain_outside(message.method)):
            return False
        target = self._led(message) if in_dialog else self._callee(message, flow)
        if target == NULL:
            return False
        caller = self._caller(message, flow, needs_proof)  # facts may grow old by it, but not those of this message
        if caller == NULL or not self._may_begin(caller, in_dialog):
            return False
        if needs_proof:
            user = self._reference.admit(as_bytes(_whole(message)), as_bytes(message.index), as_bytes(flow))
            if user is None:
                return True  # it was refused
        self._fill_change(&change, message, flow, caller, target, hops)
        if not self._seal_dialog(message, &change, caller, target):
            return False
        self._next_branch(message, &change)
        self._work.size = 0
        put_request(&self._work, message, &change, &self._spans)
        if self._work.size > LARGEST_SENT:
            return False
        self.branches += 1
        self._forward(message, flow, branch, caller, target, &change, slice_in(user))
        return True

    cdef bint _knows_credentials(self, Message *message) noexcept:
        """Whether what a request shows, if anything, is for us; where nobody is asked for it, it only travels."""
        cdef Slice value = value_of(message, H_PROXY_AUTHORIZATION)
        cdef const uint8_t *at = value.at
        cdef Py_ssize_t left = value.size - self._shown.size
        if message.seen[H_PROXY_AUTHORIZATION] > 1 or (self._shown.size and message.seen[H_AUTHORIZATION]):
            return False
        if not value.size or not self._shown.size:
            return True
        while left > 0:
            at += 1
            left -= 1
            if memcmp(at, self._shown.at, self._shown.size) == 0:
                return (at - 1)[0] == c' ' or (at - 1)[0] == c','
        return False

    cdef bint _may_begin(self, Fact *caller, bint in_dialog) noexcept:
        """Whether it is within our caps (core/limits.py); with authentication a trusted source is the reference's."""
        cdef int flags = field_of(caller, 0).at[0]
        if not self._admits_all and flags & IS_TRUSTED:
            return False
        if in_dialog:
            return True
        if self._servers.count + self.others >= self._most:
            return False
        return bool(flags & IS_EXEMPT) or self._admits(field_of(caller, F_HOST), self._now)

    cdef void _fill_change(self, Change *change, Message *message, Slice flow, Fact *caller, Fact *target,
                           int hops) noexcept:
        change.uri, change.via_place = field_of(target, F_TARGET), field_of(target, F_PLACE)
        change.outer, change.inner = field_of(target, F_OUTER), field_of(caller, F_INNER)
        change.max_forwards, change.port, change.seal = hops - 1, self._port, nothing()
        change.keeps_credentials = self._shown.size == 0
        self._fill_source(change, flow, caller)

    cdef void _fill_source(self, Change *change, Slice flow, Fact *caller) noexcept:
        change.source_host, change.source_port = field_of(caller, F_HOST), flow_port(flow)
        change.add_received = field_of(caller, 0).at[0] & ADDS_RECEIVED

    cdef bint _seal_dialog(self, Message *message, Change *change, Fact *caller, Fact *target) noexcept:
        """Seal both sides in our Record-Route, where the request makes a dialog or refreshes it."""
        if not _is_recorded(message.method):
            return True
        self._seal.size = 0
        if not put_seal(&self._seal, self._key, field_of(caller, F_SIDE), field_of(target, F_THERE), message.call_id,
                        message.from_tag):
            return False
        change.seal = content(&self._seal)
        return True

    cdef void _next_branch(self, Message *message, Change *change) noexcept:
        self._text.size = 0
        put_slice(&self._text, self._prefix)
        put_hexadecimal(&self._text, self.branches + 1, 1)
        put_octet(&self._text, c'.')
        put_hexadecimal(&self._text, _routing_hash(message), 8)
        change.branch = content(&self._text)

    cdef int _forward(self, Message *message, Slice flow, Slice branch, Fact *caller, Fact *target,
                      Change *change, Slice user) except -1:
        """Begin the unit of a request whose copy is in `_work`, answer 100 or keep it ready, and send the copy."""
        cdef Slice parts[PARTS]
        cdef Unit *unit
        cdef uint8_t reply[LARGEST_FLOW]
        parts[P_BRANCH], parts[P_HOST], parts[P_SOURCE] = branch, message.via_host, flow
        parts[P_REPLY] = _reply_flow(message, flow, reply)
        parts[P_USER], parts[P_LANGUAGE] = field_of(caller, F_USER), value_of(message, H_ACCEPT_LANGUAGE)
        parts[P_CALL_ID], parts[P_FROM_TAG], parts[P_TO_TAG] = message.call_id, message.from_tag, message.to_tag
        parts[P_OWN_BRANCH], parts[P_HOP] = change.branch, field_of(target, F_HOP)
        parts[P_TARGET] = field_of(target, F_TARGET)
        unit = self._open(PROXIED, message, parts)
        unit.in_dialog = message.to_tag.size > 0
        unit.begins_call = message.method == INVITE and not unit.in_dialog
        if unit.begins_call:
            self._note_invite(unit, field_of(caller, F_RECORD), field_of(target, F_CALLED))
        self._response.size = 0
        put_response(&self._response, message, change, literal(b"SIP/2.0 100 Trying", 18), nothing())
        self._begin_server(unit)
        self._begin_client(unit)
        self._base_of(unit, message, flow, target, change, user)
        self._save_base(unit)
        keep(&unit.sent, content(&self._work))
        unit.spans = self._spans
        self._send(part(unit, P_HOP), content(&self._work))
        return 0

    cdef Unit *_open(self, int kind, Message *message, Slice *parts) except NULL:
        cdef Unit *unit = make_unit(kind, message.method, parts)
        if unit == NULL:
            raise MemoryError
        self.units += 1
        unit.number, unit.port, unit.sequence = self.units, message.port, message.sequence
        unit.server_state, unit.server_interval = _state[TRYING], self._t1
        unit.client_state, unit.client_interval = _state[TRYING], self._t1
        if kind != SENT:
            add_to(&self._servers, &unit.server, _key_of(part(unit, P_BRANCH), part(unit, P_HOST), unit.port), unit)
        if kind != ANSWERED:
            add_to(&self._clients, &unit.client, _client_key(part(unit, P_OWN_BRANCH), unit.method), unit)
        self._touch(unit)
        return unit

    cdef void _begin_server(self, Unit *unit) noexcept:
        """An INVITE hears 100 at once; others would later (RFC 4320 §4.1). It is in `_response`."""
        if unit.method == INVITE:
            unit.server_state = _state[PROCEEDING]
            keep(&unit.last, content(&self._response))
            self._answer(unit, content(&self._response))
            return
        unit.armed[T_] = self._now + self._first_trying
        unit.armed[J_] = self._now + 2 * self._lifetime

    cdef void _begin_client(self, Unit *unit) noexcept:
        unit.armed[A_] = self._now + self._t1
        unit.armed[B_] = self._now + self._lifetime
        if unit.method == INVITE and unit.kind == PROXIED:
            unit.armed[C_] = self._now + self._c

    cdef void _base_of(self, Unit *unit, Message *message, Slice flow, Fact *target, Change *change,
                       Slice user) noexcept:
        """Write what does not change (core/saved_transaction.py); the 100 is in `_response`, the copy in `_work`.

        `user`: who has authenticated, and so may relay.
        """
        cdef Buffer *base = &self._base
        self._server_base(unit, nothing() if unit.method == INVITE else content(&self._response), message.method_text)
        pack_list(base, 6)
        pack_list(base, 2)
        pack_octets(base, _whole(message))
        pack_octets(base, flow)
        pack_list(base, 6)
        pack_text(base, slice_of(message.raw + message.uri_start, message.raw + message.uri_end))
        pack_list(base, 0)
        pack_number(base, change.max_forwards)
        pack_truth(base, user.size > 0)
        pack_number(base, FULL_BREADTH)
        pack_text(base, user)
        pack_list(base, 0)
        pack_list(base, 1)
        pack_text(base, change.uri)
        pack_list(base, 0)
        pack_list(base, 1)
        self._branch_base(unit, message, target)

    cdef void _server_base(self, Unit *unit, Slice trying, Slice method) noexcept:
        cdef Buffer *base = &self._base
        base.size = 0
        pack_list(base, 3)
        pack_truth(base, True)
        pack_list(base, 4)
        pack_list(base, 4)
        pack_text(base, part(unit, P_BRANCH))
        pack_text(base, part(unit, P_HOST))
        pack_number(base, unit.port)
        pack_text(base, method)
        pack_octets(base, part(unit, P_REPLY))
        pack_list(base, 2)
        pack_text(base, part(unit, P_USER))
        pack_text(base, part(unit, P_LANGUAGE))
        pack_octets(base, trying)

    cdef void _branch_base(self, Unit *unit, Message *message, Fact *target) noexcept:
        cdef Buffer *base = &self._base
        pack_list(base, 6)
        pack_text(base, field_of(target, F_TARGET))
        pack_list(base, 0)
        put_slice(base, field_of(target, F_LOOKUP))
        put_slice(base, field_of(target, F_SAVED))
        pack_number(base, FULL_BREADTH)
        self._client_base(base, unit, message.method_text, content(&self._work))

    cdef void _client_base(self, Buffer *base, Unit *unit, Slice method, Slice raw) noexcept:
        pack_list(base, 3)
        pack_list(base, 2)
        pack_text(base, part(unit, P_OWN_BRANCH))
        pack_text(base, method)
        pack_octets(base, part(unit, P_HOP))
        pack_octets(base, raw)

    # ACK and CANCEL

    cdef bint _take_ack(self, Message *message, Slice flow, Unit *unit) except -1:
        """An ACK for a non-2xx ends here; one for a 2xx is passed on without state (§16.11)."""
        cdef Unit *awaiting
        cdef Fact *caller
        cdef Fact *target
        cdef Change change
        cdef int hops = _hops(message)
        if unit != NULL and unit.server_state != _state[ACCEPTED]:
            self._confirm(unit)
            return True
        if message.to_tag.size == 0 or hops < 1 or _begins_with(message.to_tag, b"sbr.", 4):
            return False
        awaiting = self._find_awaited(message.call_id, message.from_tag, message.sequence)
        if awaiting == NULL and self.others_await:
            return False
        target = self._led(message)
        if target == NULL:
            return False
        caller = self._caller(message, flow, False)
        if caller == NULL or not self._may_begin(caller, True):
            return False
        self._fill_change(&change, message, flow, caller, target, hops)
        self._stateless_branch(message, &change)
        self._work.size = 0
        put_request(&self._work, message, &change, &self._spans)
        if self._work.size > LARGEST_SENT:
            return False
        if awaiting != NULL:
            take_from(&self._awaited, &awaiting.awaited)
        self._send(field_of(target, F_HOP), content(&self._work))
        return True

    cdef void _confirm(self, Unit *unit) noexcept:
        if unit.server_state != _state[COMPLETED]:
            return
        unit.server_state = _state[CONFIRMED]
        release(&unit.last)
        disarm(unit, _OF_SERVER, 6)
        unit.armed[I_] = self._now + self._t4
        self._touch(unit)

    cdef void _stateless_branch(self, Message *message, Change *change) noexcept:
        self._text.size = 0
        put_slice(&self._text, self._router)
        put_octet(&self._text, c'-')
        put_hexadecimal(&self._text, crc32_on(0, message.via.at, message.via.size), 1)
        put_octet(&self._text, c'.')
        put_hexadecimal(&self._text, _routing_hash(message), 8)
        change.branch = content(&self._text)

    cdef bint _take_cancel(self, Message *message, Slice flow, Slice branch) except -1:
        """Answer 200 and cancel the INVITE of the same branch, if it rings and its sender sends this, too (§16.10)."""
        cdef Unit *invite = self._find_server(branch, message.via_host, message.port, INVITE)
        cdef Fact *caller
        cdef Change change
        cdef bint is_finished
        if invite == NULL or has_field(message, b"reason", 6) or not same(flow, part(invite, P_SOURCE)):
            return False
        is_finished = invite.server_state > _state[PROCEEDING]
        if not is_finished and invite.client_state != _state[PROCEEDING] and not invite.cancel_wanted:
            return False
        caller = self._caller(message, flow, False)
        if caller == NULL:
            return False
        self._fill_source(&change, flow, caller)
        self._answer_cancel(message, flow, branch, caller, &change)
        if not is_finished:
            self._cancel(invite)
        return True

    cdef int _answer_cancel(self, Message *message, Slice flow, Slice branch, Fact *caller, Change *change) except -1:
        cdef Slice parts[PARTS]
        cdef uint8_t reply[LARGEST_FLOW]
        cdef Unit *unit
        memset(parts, 0, sizeof(parts))
        parts[P_BRANCH], parts[P_HOST], parts[P_SOURCE] = branch, message.via_host, flow
        parts[P_REPLY] = _reply_flow(message, flow, reply)
        parts[P_USER], parts[P_LANGUAGE] = field_of(caller, F_USER), value_of(message, H_ACCEPT_LANGUAGE)
        unit = self._open(ANSWERED, message, parts)
        self._text.size = 0
        self.tags += 1
        put_slice(&self._text, self._incarnation)
        put_octet(&self._text, c'-')
        put_hexadecimal(&self._text, self.tags, 1)
        self._response.size = 0
        put_response(&self._response, message, change, literal(b"SIP/2.0 200 OK", 14), content(&self._text))
        self._server_base(unit, nothing(), message.method_text)
        pack_nil(&self._base)
        self._save_base(unit)
        unit.server_state = _state[COMPLETED]
        unit.armed[J_] = self._now + self._lifetime
        keep(&unit.last, content(&self._response))
        self._answer(unit, content(&self._response))
        return 0

    cdef int _cancel(self, Unit *invite) except -1:
        """Send the CANCEL of an INVITE that rings (§9.1)."""
        cdef Slice parts[PARTS]
        cdef Unit *unit
        cdef Slice callee
        self._touch(invite)
        invite.cancelled = True
        if invite.cancel_wanted:
            return 0
        invite.cancel_wanted = True
        invite.armed[C_] = 0
        invite.armed[X_] = self._now + self._lifetime
        callee = slice_of(invite.sent.data + invite.spans.to, invite.sent.data + invite.spans.to_end)
        self._work.size = 0
        put_of_same(&self._work, &invite.sent, &invite.spans, literal(b"CANCEL", 6), callee, invite.sequence)
        memset(parts, 0, sizeof(parts))
        parts[P_OWN_BRANCH], parts[P_HOP] = part(invite, P_OWN_BRANCH), part(invite, P_HOP)
        unit = self._open(SENT, &self._message, parts)  # the message is the CANCEL that came
        self._base.size = 0
        pack_list(&self._base, 3)
        pack_truth(&self._base, False)
        self._client_base(&self._base, unit, literal(b"CANCEL", 6), content(&self._work))
        pack_nil(&self._base)
        self._save_base(unit)
        keep(&unit.sent, content(&self._work))
        self._begin_client(unit)
        self._send(part(unit, P_HOP), content(&self._work))
        return 0

    # responses

    cdef bint _take_response(self, Message *message) except -1:
        cdef Unit *unit = self._find_client(message.branch, message.method)
        if unit == NULL or (message.seen[H_VIA] < 2 and message.next_via == NULL and unit.kind == PROXIED):
            return False
        if unit.kind == SENT:
            self._take_of_cancel(unit, message)
            return True
        if unit.method == INVITE:
            return self._take_of_invite(unit, message)
        return self._take_of_other(unit, message)

    cdef void _take_of_cancel(self, Unit *unit, Message *message) noexcept:
        self._note_answered(peer_address(part(unit, P_HOP)))
        if unit.client_state >= _state[COMPLETED]:
            self.absorbed += 1
            return
        self._touch(unit)
        if message.status < 200:
            unit.client_state = _state[PROCEEDING]
        else:
            self._finish_client(unit, COMPLETED, K_, self._t4)
            release(&unit.sent)

    cdef bint _take_of_invite(self, Unit *unit, Message *message) except -1:
        """§17.1.1, §16.7: what the state of the client transaction lets pass goes to the caller."""
        cdef int status = message.status
        if unit.client_state <= _state[PROCEEDING]:
            if status < 200:
                return self._take_provisional(unit, message)
            if status < 300:
                return self._take_success(unit, message)
            return self._take_failure(unit, message)
        if unit.client_state == _state[ACCEPTED] and 200 <= status < 300:
            return self._take_success(unit, message)
        if unit.client_state == _state[COMPLETED] and status >= 300:
            return self._acknowledge_again(unit, message)
        self._note_answered(peer_address(part(unit, P_HOP)))
        self._touch(unit)
        self.absorbed += 1
        return True

    cdef bint _take_provisional(self, Unit *unit, Message *message) except -1:
        if message.status > 100 and not self._may_relay(unit, message):
            return False
        self._note_answered(peer_address(part(unit, P_HOP)))
        self._touch(unit)
        unit.client_state = _state[PROCEEDING]
        disarm(unit, _OF_CLIENT, 5)
        if message.status == 100:
            return True
        if not unit.armed[X_]:
            unit.armed[C_] = self._now + self._c
        if (message.status == 180 or message.status == 183) and not unit.rang:
            unit.rang = True
            if unit.begins_call:
                self._begin_event(unit, literal(b"ringing", 7), self._at, 0)
                self._end_event()
        self._relay(unit, message)
        return True

    cdef bint _take_success(self, Unit *unit, Message *message) except -1:
        """A 2xx, the first or a repeated one."""
        cdef bint is_first = unit.tag.size == 0
        if message.to_tag.size == 0 or not self._may_relay(unit, message):
            return False
        if not is_first and not same(content(&unit.tag), message.to_tag):
            return False
        self._note_answered(peer_address(part(unit, P_HOP)))
        self._touch(unit)
        if unit.client_state <= _state[PROCEEDING]:
            self._finish_client(unit, ACCEPTED, M_, self._lifetime)
            release(&unit.sent)
        if not unit.final_status:
            self._end_branch(unit, message.status)
        if is_first:
            keep(&unit.tag, message.to_tag)
            self._note_success(unit, message)
            self._await_ack(unit, message)
        self._relay(unit, message)
        return True

    cdef void _await_ack(self, Unit *unit, Message *message) noexcept:
        if unit.begins_call:
            keep(&unit.contact, value_of(message, H_CONTACT))
            add_to(
                &self._awaited, &unit.awaited,
                _awaited_key(part(unit, P_CALL_ID), part(unit, P_FROM_TAG), unit.sequence), unit,
            )

    cdef bint _take_failure(self, Unit *unit, Message *message) except -1:
        """A final response of the only branch, which the caller is to have as it is."""
        if not _may_pass(message.status, unit.method):
            return False
        self._note_answered(peer_address(part(unit, P_HOP)))
        self._touch(unit)
        if unit.method == INVITE:
            self._acknowledge(unit, message)
            self._finish_client(unit, COMPLETED, D_, self._d)
        else:
            self._finish_client(unit, COMPLETED, K_, self._t4)
        release(&unit.sent)
        self._end_branch(unit, message.status)
        if unit.begins_call:
            self._begin_event(unit, literal(b"failed", 6), self._at, 2)
            pack_number(&self._event, message.status)
            if unit.cancelled and message.status == 487:
                pack_text(&self._event, literal(b"caller", 6))
            else:
                pack_text(&self._event, literal(b"callee", 6))
            self._end_event()
        self._note_bye(unit, message.status)
        self._relay(unit, message)
        return True

    cdef void _acknowledge(self, Unit *unit, Message *message) noexcept:
        self._work.size = 0
        put_of_same(
            &self._work, &unit.sent, &unit.spans, literal(b"ACK", 3), value_of(message, H_TO), unit.sequence
        )
        keep(&unit.ack, content(&self._work))
        keep(&unit.contact, value_of(message, H_TO))
        self._send(part(unit, P_HOP), content(&self._work))

    cdef bint _acknowledge_again(self, Unit *unit, Message *message) except -1:
        """The same response once more; one with another To is the reference's."""
        if not same(content(&unit.contact), value_of(message, H_TO)):
            return False
        self._note_answered(peer_address(part(unit, P_HOP)))
        self._touch(unit)
        self._send(part(unit, P_HOP), content(&unit.ack))
        self.absorbed += 1
        return True

    cdef bint _take_of_other(self, Unit *unit, Message *message) except -1:
        """§17.1.2, §16.7: of a request that is no INVITE only the final response passes (RFC 4320 §4.1)."""
        if unit.client_state >= _state[COMPLETED]:
            self._note_answered(peer_address(part(unit, P_HOP)))
            self.absorbed += 1
            return True
        if message.status >= 300:
            return self._take_failure(unit, message)
        if message.status >= 200 and (message.to_tag.size == 0 or not self._may_relay(unit, message)):
            return False
        self._note_answered(peer_address(part(unit, P_HOP)))
        self._touch(unit)
        if message.status < 200:
            unit.client_state = _state[PROCEEDING]
            return True
        self._finish_client(unit, COMPLETED, K_, self._t4)
        release(&unit.sent)
        self._end_branch(unit, message.status)
        keep(&unit.tag, message.to_tag)
        self._note_success(unit, message)
        self._relay(unit, message)
        return True

    cdef void _finish_client(self, Unit *unit, int state, int letter, double after) noexcept:
        unit.client_state = _state[state]
        disarm(unit, _OF_CLIENT, 5)
        unit.armed[letter] = self._now + after

    cdef void _end_branch(self, Unit *unit, int status) noexcept:
        unit.final_status = status
        disarm(unit, _OF_BRANCH, 2)

    cdef bint _may_relay(self, Unit *unit, Message *message) except -1:
        """Whether a response passes as it came: nothing in it is doubted, and its dialog is sealed already."""
        cdef Slice contact, target
        cdef int number
        for number in range(H_P_ASSERTED_IDENTITY, H_CALL_INFO + 1):
            if message.seen[number]:
                return False
        if not _is_recorded(unit.method) or message.to_tag.size == 0 or not message.seen[H_RECORD_ROUTE]:
            return True
        contact = value_of(message, H_RECORD_ROUTE)
        if message.seen[H_RECORD_ROUTE] > 1 or memchr(contact.at, c',', contact.size) != NULL:
            return False
        contact, target = value_of(message, H_CONTACT), part(unit, P_TARGET)
        if contact.size == 0:
            return True
        if contact.size == target.size + 2 and memcmp(contact.at + 1, target.at, target.size) == 0:
            return True
        return self._is_same_place(contact, target)

    cdef void _relay(self, Unit *unit, Message *message) noexcept:
        """Pass a response back, less our Via (§16.7 steps 3 and 9)."""
        cdef int status = message.status
        self._response.size = 0
        put_without_via(&self._response, message)
        if unit.method != INVITE:
            self._complete_other(unit, status)
        elif unit.server_state == _state[PROCEEDING]:
            if status < 200:
                keep(&unit.last, content(&self._response))
            elif status < 300:
                unit.server_state = _state[ACCEPTED]
                release(&unit.last)
                unit.armed[L_] = self._now + self._lifetime
            else:
                unit.server_state = _state[COMPLETED]
                keep(&unit.last, content(&self._response))
                unit.armed[G_] = self._now + unit.server_interval
                unit.armed[H_] = self._now + self._lifetime
        self._answer(unit, content(&self._response))

    cdef void _complete_other(self, Unit *unit, int status) noexcept:
        unit.server_state = _state[COMPLETED]
        unit.armed[T_] = 0
        unit.armed[J_] = self._now + self._lifetime
        keep(&unit.last, content(&self._response))

    cdef void _repeat_answer(self, Unit *unit) noexcept:
        """Answer a retransmission of the request from the state (§17.2)."""
        cdef int state = unit.server_state
        if unit.last.size and (unit.method != INVITE or state == _state[PROCEEDING] or state == _state[COMPLETED]):
            self._answer(unit, content(&unit.last))

    # timers

    cdef void _repeat(self, Unit *unit) noexcept:
        """Timer A or E: send the request again, unless its address has never answered and had enough of them."""
        unit.armed[A_] = 0
        self._touch(unit)
        if self._allows(peer_address(part(unit, P_HOP)), self._now):
            self._send(part(unit, P_HOP), content(&unit.sent))
        if unit.method == INVITE:
            unit.client_interval *= 2
        elif unit.client_state == _state[PROCEEDING]:
            unit.client_interval = self._t2
        else:
            unit.client_interval = min(2 * unit.client_interval, self._t2)
        unit.armed[A_] = self._now + unit.client_interval
        wait_until(&self._heap, &unit.waiter, first_deadline(unit))

    cdef void _end(self, Unit *unit) noexcept:
        """Nothing comes of the unit any more. The ACK of a call that did not come is told (core/unconfirmed.py)."""
        if unit.awaited.owner != NULL:
            self._begin_event(unit, literal(b"unconfirmed", 11), self._at, 0)
            self._end_event()
        self._let_go(unit)
        unit.is_over = True
        self._touch(unit)

    cdef void _let_go(self, Unit *unit) noexcept:
        take_from(&self._servers, &unit.server)
        take_from(&self._clients, &unit.client)
        take_from(&self._awaited, &unit.awaited)
        wait_no_more(&self._heap, &unit.waiter)

    cdef int _hand_over(self, Unit *unit) except -1:
        """Give a unit to the reference, which restores it from what is kept of it."""
        cdef object contact = as_bytes(content(&unit.contact)) if unit.awaited.owner != NULL else None
        cdef uint64_t number = unit.number
        if unit.kind != SENT:
            pass_time(&self._handed, self._now, self._c + 2 * self._lifetime)
            count_one(&self._handed.young, _key_of(part(unit, P_BRANCH), part(unit, P_HOST), unit.port))
        if unit.is_touched:
            self._save(unit)
        self._let_go(unit)
        self._forget_touch(unit)
        free_unit(unit)
        self.handed_over += 1
        self._reference.adopt(number, contact)
        return 0

    # what is kept

    cdef void _touch(self, Unit *unit) noexcept:
        if not unit.is_touched:
            unit.is_touched = True
            unit.next_touched = self._touched
            self._touched = unit

    cdef void _forget_touch(self, Unit *unit) noexcept:
        cdef Unit **place = &self._touched
        if not unit.is_touched:
            return
        while place[0] != unit:
            place = &place[0].next_touched
        place[0] = unit.next_touched
        unit.is_touched = False

    cdef void _save_touched(self) noexcept:
        """Write the units that were touched, the first first; those that are over are erased."""
        cdef Unit *unit
        cdef Unit *following
        cdef Unit *first = NULL
        unit, self._touched = self._touched, NULL
        while unit != NULL:
            following, unit.next_touched = unit.next_touched, first
            first, unit = unit, following
        unit = first
        while unit != NULL:
            following = unit.next_touched
            unit.is_touched = False
            self._settle(unit)
            unit = following

    cdef void _settle(self, Unit *unit) noexcept:
        cdef double last
        if unit.is_over:
            self._record(c'T', unit.number, nothing(), True)
            self._record(c'U', unit.number, nothing(), True)
            free_unit(unit)
            return
        self._save(unit)
        last = last_ending(unit)
        unit.is_settled = last > 0
        wait_until(&self._heap, &unit.waiter, last if unit.is_settled else first_deadline(unit))

    cdef void _save_base(self, Unit *unit) noexcept:
        """What does not change is written as the unit begins; it is in `_base`."""
        self._record(c'U', unit.number, content(&self._base), False)

    cdef void _save(self, Unit *unit) noexcept:
        self._work.size = 0
        pack_state(&self._work, unit, self._now)
        self._record(c'T', unit.number, content(&self._work), False)

    cdef void _record(self, uint8_t kind, uint64_t number, Slice value, bint is_erased) noexcept:
        """Write a record of the keyed log: lengths of key and value, little-endian, the key, the value."""
        cdef uint16_t key_size = 9
        cdef uint32_t size = ERASED if is_erased else <uint32_t>value.size
        cdef uint8_t key[9]
        cdef int at
        key[0] = kind
        for at in range(8):
            key[1 + at] = <uint8_t>(number >> (8 * (7 - at)))
        put(&self._records, &key_size, 2)
        put(&self._records, &size, 4)
        put(&self._records, key, 9)
        put_slice(&self._records, value)

    # events

    cdef void _begin_event(self, Unit *unit, Slice kind, double at, int details) noexcept:
        self._event.size = 0
        pack_list(&self._event, 4 + details)
        pack_text(&self._event, kind)
        pack_text(&self._event, part(unit, P_CALL_ID))
        pack_text(&self._event, part(unit, P_FROM_TAG))
        pack_real(&self._event, at)

    cdef void _end_event(self) noexcept:
        self._events.append(as_bytes(content(&self._event)))

    cdef void _note_invite(self, Unit *unit, Slice caller, Slice callee) noexcept:
        self._begin_event(unit, literal(b"invite", 6), self._at, 2)
        pack_text(&self._event, caller)
        pack_text(&self._event, callee)
        self._end_event()

    cdef void _note_success(self, Unit *unit, Message *message) noexcept:
        """A 2xx: to the INVITE of a call, to a BYE, or to what refreshes its session (RFC 4028 §8)."""
        self._note_bye(unit, message.status)
        if unit.begins_call:
            self._begin_event(unit, literal(b"answered", 8), self._at, 4)
            pack_text(&self._event, message.to_tag)
            pack_number(&self._event, message.status)
            pack_number(&self._event, _session_expires_s(message))
            pack_truth(&self._event, message.seen[H_RECORD_ROUTE] > 0)
            self._end_event()
        elif unit.in_dialog and (unit.method == INVITE or unit.method == UPDATE):
            self._begin_event(unit, literal(b"refreshed", 9), self._at, 3)
            pack_text(&self._event, part(unit, P_FROM_TAG))
            pack_text(&self._event, part(unit, P_TO_TAG))
            pack_number(&self._event, _session_expires_s(message))
            self._end_event()

    cdef void _note_bye(self, Unit *unit, int status) noexcept:
        cdef double age_s = 0
        if unit.method != BYE or not unit.in_dialog:
            return
        if unit.armed[J_] and unit.server_state <= _state[PROCEEDING]:
            age_s = self._now + 2 * self._lifetime - unit.armed[J_]
        self._begin_event(unit, literal(b"bye", 3), self._at - age_s, 3)
        pack_text(&self._event, part(unit, P_FROM_TAG))
        pack_text(&self._event, part(unit, P_TO_TAG))
        pack_number(&self._event, status)
        self._end_event()

    # datagrams that leave

    cdef void _send(self, Slice flow, Slice raw) noexcept:
        pack_list(&self._requests, 2)
        pack_octets(&self._requests, flow)
        pack_octets(&self._requests, raw)
        self._request_count += 1

    cdef void _answer(self, Unit *unit, Slice raw) noexcept:
        self._put_response(part(unit, P_REPLY), raw, part(unit, P_USER), part(unit, P_LANGUAGE))

    cdef void _put_response(self, Slice flow, Slice raw, Slice user, Slice language) noexcept:
        pack_list(&self._responses, 4)
        pack_octets(&self._responses, flow)
        pack_octets(&self._responses, raw)
        pack_text(&self._responses, user)
        pack_text(&self._responses, language)
        self._response_count += 1

    # look-ups

    cdef Unit *_find_server(self, Slice branch, Slice host, int port, int method) noexcept:
        """The unit of a server transaction; that of the INVITE for an ACK (§17.2.3)."""
        cdef Node *node = first_in(&self._servers, _key_of(branch, host, port))
        cdef Unit *unit
        if method == ACK:
            method = INVITE
        while node != NULL:
            unit = <Unit *>node.owner
            if unit.method == method and unit.port == port and same(part(unit, P_BRANCH), branch):
                if same(part(unit, P_HOST), host):
                    return unit
            node = next_in(node)
        return NULL

    cdef Unit *_find_client(self, Slice branch, int method) noexcept:
        cdef Node *node = first_in(&self._clients, _client_key(branch, method))
        cdef Unit *unit
        while node != NULL:
            unit = <Unit *>node.owner
            if unit.method == method and same(part(unit, P_OWN_BRANCH), branch):
                return unit
            node = next_in(node)
        return NULL

    cdef Unit *_find_awaited(self, Slice call_id, Slice tag, uint32_t sequence) noexcept:
        cdef Node *node = first_in(&self._awaited, _awaited_key(call_id, tag, sequence))
        cdef Unit *unit
        while node != NULL:
            unit = <Unit *>node.owner
            if unit.sequence == sequence and same(part(unit, P_CALL_ID), call_id):
                if same(part(unit, P_FROM_TAG), tag):
                    return unit
            node = next_in(node)
        return NULL

    cdef bint _is_handed(self, uint64_t key) noexcept:
        return counted(&self._handed.young, key) or counted(&self._handed.old, key)

    cdef void _note_answered(self, Slice address) noexcept:
        cdef uint64_t key = hash_of(address, 2)
        if counted(&self._answered.young, key):
            return
        if self._answered.young.used >= MOST_ANSWERED:
            next_generation(&self._answered, True)
        count_one(&self._answered.young, key)

    cdef bint _allows(self, Slice address, double now) noexcept:
        cdef uint64_t key = hash_of(address, 2)
        if counted(&self._answered.young, key) or counted(&self._answered.old, key):
            return True
        if <long>now != self._second:
            self._second = <long>now
            clear_tally(&self._repeated)
        if counted(&self._repeated, key) >= REPETITIONS_A_SECOND:
            self.withheld += 1
            return False
        count_one(&self._repeated, key)
        return True

    cdef bint _admits(self, Slice host, double now) noexcept:
        cdef uint64_t key = hash_of(host, 3)
        pass_time(&self._recent, now, self._lifetime)
        if <Py_ssize_t>counted(&self._recent.young, key) + counted(&self._recent.old, key) >= self._most_of_source:
            return False
        count_one(&self._recent.young, key)
        return True

    # facts

    cdef Fact *_fact(self, Slice key, object learned) except? NULL:
        """Note what the reference has found out: a record, or a record and until when it is true; None: nothing."""
        cdef bytes record
        cdef double until = 0
        cdef Fact *fact
        if learned is None:
            return NULL
        if isinstance(learned, tuple):
            learned, until = learned
        record = learned
        self.learned += 1
        fact = learn_fact(&self._facts, key, slice_in(record), until)
        if fact == NULL:
            raise MemoryError
        return fact

    cdef Fact *_caller(self, Message *message, Slice flow, bint may_relay) except? NULL:
        """Who sends: `[flags, host, user, side, address-of-record, host of Record-Route]`."""
        cdef Fact *fact
        cdef Slice contact = value_of(message, H_CONTACT)
        self._event.size = 0
        put_octet(&self._event, c'A' if may_relay else c'C')
        put_octet(&self._event, <uint8_t>flow.size)
        put_slice(&self._event, flow)
        put_slice(&self._event, message.via_host)
        put_octet(&self._event, 0)
        put_slice(&self._event, message.from_uri)
        put_octet(&self._event, 0)
        put_slice(&self._event, contact)
        fact = find_fact(&self._facts, content(&self._event), self._at)
        if fact != NULL:
            return fact
        if self._event.size > LONGEST_KEY:
            return NULL
        key = as_bytes(content(&self._event))
        learned = self._finder.caller(as_bytes(_whole(message)), as_bytes(message.index), as_bytes(flow), may_relay)
        return self._fact(slice_in(key), learned)

    cdef Fact *_callee(self, Message *message, Slice flow) except? NULL:
        """Where the Request-URI leads: `[target, flow, our place, our host, side, address-of-record, saved, look-up]`."""
        cdef Slice uri = slice_of(message.raw + message.uri_start, message.raw + message.uri_end)
        cdef Fact *fact
        self._event.size = 0
        put_octet(&self._event, c'T')
        put_slice(&self._event, uri)
        fact = find_fact(&self._facts, content(&self._event), self._at)
        if fact != NULL:
            return fact
        if self._event.size > LONGEST_KEY:
            return NULL
        key = as_bytes(content(&self._event))
        return self._fact(slice_in(key), self._finder.callee(key, as_bytes(uri), self._at))

    cdef Fact *_led(self, Message *message) except? NULL:
        """The same of a request within a dialog that our Route leads to where its target was (dialog_routing.py)."""
        cdef uint8_t octets[LONGEST_SEAL]
        cdef Side sides[2]
        cdef Side *there = &sides[1]
        cdef Side *here = &sides[0]
        cdef Slice seal, uri = slice_of(message.raw + message.uri_start, message.raw + message.uri_end)
        cdef Slice flow
        cdef Fact *fact
        if same(message.from_tag, message.to_tag) or not self._read_routes(message, &seal):
            return NULL
        if not read_seal(seal, self._key, message.call_id, message.from_tag, octets, here, there):
            here, there = &sides[1], &sides[0]
            if not read_seal(seal, self._key, message.call_id, message.to_tag, octets, there, here):
                return NULL
        if there.kind & (SIDE_NAMED | SIDE_CLAIMED):
            return NULL
        if not self._admits_all and _is_nobody(here.owner):
            return NULL
        fact = self._sum_of(uri)
        if fact == NULL or memcmp(field_of(fact, 0).at, there.target, SEAL_SUM) != 0:
            return NULL
        flow.at, flow.size = there.flow, there.flow_size
        if there.kind & SIDE_TRANSLATED and not _is_nobody(there.owner):
            return self._along(uri, flow, there.owner, message.to_uri)
        return self._along(uri, flow, NULL, nothing())

    cdef Fact *_along(self, Slice uri, Slice flow, const uint8_t *owner, Slice callee) except? NULL:
        """`owner`, `callee`: of a side behind address translation that is a user of ours, who may be elsewhere by now."""
        cdef Fact *fact
        cdef bytes proof = b"" if owner == NULL else owner[:SEAL_SUM]
        self._event.size = 0
        put_octet(&self._event, c'D')
        put_octet(&self._event, <uint8_t>flow.size)
        put_slice(&self._event, flow)
        put_slice(&self._event, slice_in(proof))
        put_octet(&self._event, 0)
        put_slice(&self._event, callee)
        put_octet(&self._event, 0)
        put_slice(&self._event, uri)
        fact = find_fact(&self._facts, content(&self._event), self._at)
        if fact != NULL:
            return fact
        if self._event.size > LONGEST_KEY:
            return NULL
        key = as_bytes(content(&self._event))
        if owner == NULL:
            return self._fact(slice_in(key), self._finder.along(as_bytes(uri), as_bytes(flow)))
        moment = self._at
        learned = self._finder.along_translated(key, as_bytes(uri), as_bytes(flow), proof, as_bytes(callee), moment)
        return self._fact(slice_in(key), learned)

    cdef Fact *_sum_of(self, Slice uri) except? NULL:
        """The sum over the address that a URI names: `[sum]`."""
        return self._told_of(c'S', uri, self._finder.target_sum)

    cdef Fact *_told_of(self, uint8_t kind, Slice text, object ask) except? NULL:
        cdef Fact *fact
        self._event.size = 0
        put_octet(&self._event, kind)
        put_slice(&self._event, text)
        fact = find_fact(&self._facts, content(&self._event), self._at)
        if fact != NULL:
            return fact
        if self._event.size > LONGEST_KEY:
            return NULL
        key = as_bytes(content(&self._event))
        return self._fact(slice_in(key), ask(key[1:]))

    cdef bint _is_same_place(self, Slice contact, Slice target) except -1:
        """Whether a Contact names the address of the target: `[one octet]`."""
        cdef Fact *fact
        self._text.size = 0
        put_slice(&self._text, contact)
        put_octet(&self._text, 0)
        put_slice(&self._text, target)
        fact = self._told_of(c'P', content(&self._text), self._finder.is_same_place)
        return fact != NULL and field_of(fact, 0).at[0] == 1

    cdef bint _read_routes(self, Message *message, Slice *seal) except -1:
        """Whether all Route values are ours, as we write them; `seal` is that of the last."""
        cdef int place
        cdef const Field *field
        cdef const uint8_t *at
        cdef const uint8_t *end
        seal[0] = nothing()
        for place in range(message.count):
            field = &message.fields[place]
            if field.number != H_ROUTE:
                continue
            at, end = message.raw + field.start, message.raw + field.end
            while at < end:
                at = self._read_route(at, end, seal)
                if at == NULL:
                    return False
        return seal.size > 0

    cdef const uint8_t *_read_route(self, const uint8_t *at, const uint8_t *end, Slice *seal) except? NULL:
        """Read `<sip:host:port;lr;sb=seal>`; return where the next value begins, NULL if it is anything else."""
        cdef const uint8_t *stop
        cdef Fact *fact
        if end - at < 16 or memcmp(at, b"<sip:", 5) != 0:
            return NULL
        stop = <const uint8_t *>memchr(at, c';', end - at)
        if stop == NULL or end - stop < 8 or memcmp(stop, b";lr;sb=", 7) != 0:
            return NULL
        fact = self._told_of(c'O', slice_of(at + 5, stop), self._finder.is_ours)
        if fact == NULL or field_of(fact, 0).at[0] != 1:
            return NULL
        at = stop + 7
        stop = at
        while stop < end and _base64_value[stop[0]] != 255:
            stop += 1
        if stop == end or stop[0] != c'>' or stop == at:
            return NULL
        seal[0] = slice_of(at, stop)
        at = stop + 1
        while at < end and (at[0] == c' ' or at[0] == c','):
            at += 1
        return at


cdef bint _are_plain(Cursor cursor) noexcept nogil:
    """Whether a list of items of `sip.received` and stamps, and nothing else, begins here."""
    cdef Py_ssize_t left = read_list(&cursor)
    cdef Slice octets
    cdef double stamp
    cdef int each
    if left < 0:
        return False
    while left:
        left -= 1
        if read_real(&cursor, &stamp):
            continue
        if read_list(&cursor) != 3:
            return False
        for each in range(3):
            if not read_octets(&cursor, &octets):
                return False
    return cursor.at == cursor.end


cdef bint _is_due_otherwise(const Unit *unit, double now) noexcept nogil:
    cdef int letter
    for letter in range(LETTERS):
        if letter != A_ and unit.armed[letter] and unit.armed[letter] <= now:
            return True
    return False


cdef inline Slice _whole(const Message *message) noexcept nogil:
    """The datagram."""
    cdef Slice found
    found.at, found.size = message.raw, message.size
    return found


cdef bint _is_odd_request(const Message *message) noexcept nogil:
    """Whether it has what the engine knows nothing of, or has been here before."""
    cdef int number
    cdef const uint8_t *at = message.raw + message.headers_start
    cdef const uint8_t *end = message.raw + message.headers_end
    if message.seen[H_PROXY_REQUIRE] or message.seen[H_TIMESTAMP] or message.seen[H_MAX_BREADTH]:
        return True
    if message.seen[H_RECORD_ROUTE] or message.seen[H_MAX_FORWARDS] > 1 or message.seen[H_ACCEPT_LANGUAGE] > 1:
        return True
    for number in range(H_P_ASSERTED_IDENTITY, H_CALL_INFO + 1):
        if message.seen[number]:
            return True
    while end - at >= 9:
        at = <const uint8_t *>memchr(at, c'z', end - at - 8)
        if at == NULL:
            return False
        if memcmp(at, b"z9hG4bKsb", 9) == 0:
            return True
        at += 1
    return False


cdef inline bint _is_plain_outside(int method) noexcept nogil:
    return method == INVITE or method == MESSAGE or method == OPTIONS or method == INFO or method == UPDATE


cdef inline bint _is_recorded(int method) noexcept nogil:
    return method == INVITE or method == UPDATE or method == REFER or method == NOTIFY


cdef inline bint _may_pass(int status, int method) noexcept nogil:
    """Whether a final response is the caller's as it is: no redirection, no 503, no 408 to who is no INVITE."""
    return status >= 400 and status != 503 and (status != 408 or method == INVITE)


cdef inline bint _begins_with(Slice text, const char *start, Py_ssize_t size) noexcept nogil:
    return text.size >= size and memcmp(text.at, start, size) == 0


cdef inline bint _is_nobody(const uint8_t *owner) noexcept nogil:
    return not (owner[0] or owner[1] or owner[2] or owner[3])


cdef int _hops(const Message *message) noexcept nogil:
    """Max-Forwards, or one more than what a request gets that has none (§16.6 step 3); 0 for what is odd."""
    cdef Slice value = value_of(message, H_MAX_FORWARDS)
    cdef int number = 0
    cdef Py_ssize_t at
    if not message.seen[H_MAX_FORWARDS]:
        return 71
    if not 0 < value.size <= 3 or value.at[0] == c'0':
        return 0
    for at in range(value.size):
        if not c'0' <= value.at[at] <= c'9':
            return 0
        number = number * 10 + value.at[at] - c'0'
    return number if number <= 255 else 0


cdef Slice _lower_branch(const Message *message, uint8_t *to) noexcept nogil:
    cdef Py_ssize_t at
    cdef Slice found
    for at in range(message.branch.size):
        to[at] = _lowered[message.branch.at[at]]
    found.at, found.size = to, message.branch.size
    return found


cdef Slice _reply_flow(const Message *message, Slice flow, uint8_t *to) noexcept nogil:
    """Where responses go: back, to the port that Via names if it asks for nothing else (§18.2.2, RFC 3581 §4)."""
    cdef Slice found
    if message.rport:
        return flow
    memcpy(to, flow.at, flow.size)
    to[flow.size - 2], to[flow.size - 1] = <uint8_t>(message.port >> 8), <uint8_t>message.port
    found.at, found.size = to, flow.size
    return found


cdef inline uint64_t _key_of(Slice branch, Slice host, int port) noexcept nogil:
    return hash_of(branch, hash_of(host, <uint64_t>port))


cdef inline uint64_t _client_key(Slice branch, int method) noexcept nogil:
    return hash_of(branch, <uint64_t>method)


cdef inline uint64_t _awaited_key(Slice call_id, Slice tag, uint32_t sequence) noexcept nogil:
    return hash_of(call_id, hash_of(tag, sequence))


cdef uint32_t _routing_hash(const Message *message) noexcept nogil:
    """The hash over what decides where a request goes (core/loop.py)."""
    cdef uint32_t sum = crc32_on(0, message.raw + message.uri_start, message.uri_end - message.uri_start)
    cdef Slice sequence = value_of(message, H_CSEQ)
    cdef const Field *field
    cdef int place
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, message.from_tag.at, message.from_tag.size)
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, message.to_tag.at, message.to_tag.size)
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, message.call_id.at, message.call_id.size)
    sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
    sum = crc32_on(sum, sequence.at, sequence.size - message.method_text.size - 1)
    for place in range(message.count):
        field = &message.fields[place]
        if field.number == H_ROUTE:
            sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
            sum = crc32_on(sum, message.raw + field.start, field.end - field.start)
    if message.seen[H_PROXY_AUTHORIZATION]:
        field = &message.fields[message.first[H_PROXY_AUTHORIZATION]]
        sum = crc32_on(sum, <const uint8_t *>b"\n", 1)
        sum = crc32_on(sum, message.raw + field.start, field.end - field.start)
    return sum


cdef uint32_t _session_expires_s(const Message *message) noexcept nogil:
    """What Session-Expires says, 90 at least; 0 if there is none, or no number in it (core/session_timer.py)."""
    cdef Slice value = value_of(message, H_SESSION_EXPIRES)
    cdef uint32_t number = 0
    cdef Py_ssize_t at = 0
    while at < value.size and c'0' <= value.at[at] <= c'9':
        if at == 9:
            return 0
        number = number * 10 + value.at[at] - c'0'
        at += 1
    return max(number, <uint32_t>90) if at else 0
