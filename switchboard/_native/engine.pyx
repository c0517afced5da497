# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A router's engine: what the proxy core does, for plain messages, in C structs.

It takes the packed items that the edge wrote, and holds the transactions and timers of what is plain: requests
to one registered contact, and requests within a dialog that our own Route leads. Each rule of SIP is written in Python
(`switchboard/core`), and only the plain path is written here again. Whatever is odd goes to the reference, with its
saved transaction: that is in the log, or on its way there, and the reference restores it as a successor would.
What the reference finds out of texts and addresses is remembered (`facts.pxi`).
"""

import secrets

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE

include "clocks.pxi"
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
include "masks.pxi"
include "relayed.pxi"
include "saved.pxi"
include "splicing.pxi"
include "bencode.pxi"
include "engine_reading.pxi"

cdef enum:
    LARGEST_SENT = 65507
    FULL_BREADTH = 60
    MOST_ADDED = 800  # octets by which a copy is longer than what came, as a rule
    MOST_ANSWERED = 20000
    MOST_HANDED = 1 << 20  # keys of a generation
    MOST_SOURCES = 100000  # of a generation
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
    F_FLAGS = 8
    F_TRUNK = 9  # of what leads outside (core/outside.py)
    F_CALLED_THERE = 10
    F_GROUPS = 11
    F_TRIED = 12
    F_HOPS = 13
    ADDS_RECEIVED = 1
    IS_EXEMPT = 2
    IS_TRUSTED = 4
    MAY_MOVE = 1
    IS_BEHIND = 2
    IS_PUBLIC = 4

cdef enum:
    TRYING
    PROCEEDING
    COMPLETED
    CONFIRMED
    ACCEPTED
    TERMINATED
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


cdef object _ask(Engine engine):
    """Return the reference. The caller asks it something at this instant."""
    engine.asked = True
    engine._reference.begin(engine._now, engine._at)
    return engine._reference


cdef class Engine:
    """Serves the plain messages of one router.

    `reference`: the Python core behind it (`core/router_core.py`). `facts` finds out what it asks (`core/facts.py`).
    `values`: t1, t2, t4, c, lifetime, d and first_trying (s). `states`: the numbers of TRYING, PROCEEDING, COMPLETED,
    CONFIRMED, ACCEPTED and TERMINATED. `admits_all`: whether requests outside dialogs need no proof; else they show credentials for
    `realm`, and `reference.admit` says whose they are. `asserts`: whether some peers are told who that is. `branches`,
    `tags` and `saved` count what was given out, by the reference, too. `others`: server transactions of the reference;
    `others_await`: whether it awaits ACKs. `is_pressing`: whether new requests may have to be
    refused, which the reference decides; `admitted` counts the others. `tcp_above`: octets of a request above which
    the reference decides whether it goes by TCP. `keeps_messages`: whether texts are the reference's. `relays`: whether
    no, some or all calls have their media relayed (core/relay_rules.py). `asked`: whether the reference was,
    since that was reset: then the
    step ends with what it decided.
    """

    cdef public uint64_t branches, tags, saved
    cdef public Py_ssize_t others
    cdef public bint is_pressing, others_await, asked
    cdef public uint64_t admitted
    cdef readonly uint64_t absorbed, withheld, plain, odd, handed_over, learned
    cdef object _reference, _finder, _outside
    cdef bytes _key_octets, _prefix_octets, _router_octets, _incarnation_octets, _shown_octets
    cdef Slice _key, _prefix, _router, _incarnation
    cdef Slice _shown  # of credentials that are for us: `realm="…"`
    cdef bint _admits_all, _asserts, _keeps_messages
    cdef bint _leads_outside, _has_trunks
    cdef Slice _token  # the parameter of our Route that has the mask of the dialog
    cdef Fact *_dialler  # who calls, of what leads outside
    cdef int _relays
    cdef Py_ssize_t _most, _most_of_source, _tcp_above
    cdef double _t1, _t2, _t4, _c, _lifetime, _d, _first_trying
    cdef double _now, _at
    cdef Table _servers, _clients, _awaited
    cdef Facts _facts
    cdef Heap _heap
    cdef Generations _handed, _answered, _recent
    cdef Tally _repeated
    cdef long _second
    cdef Saved *_touched
    cdef public uint64_t media_gone  # a bit for each engine that does not answer
    cdef public bint has_line  # whether questions to media engines leave, and answers come, by an `NgLine`
    cdef readonly uint64_t media_asked
    cdef uint64_t media_counts[4]  # relayed calls; of those that ended: silent, heard one way, both ways
    cdef Table _asked  # what waits for an engine, by token
    cdef uint64_t _tokens, _asking
    cdef int _media_count, _asking_at, _lingers
    cdef uint8_t _sums[MOST_ENGINES][MARK_SUM]
    cdef int _ports[MOST_ENGINES]
    cdef list _hosts, _urls
    cdef bytes _advertised_octets, _advertised_text_octets
    cdef Slice _advertised, _advertised_text
    cdef Slice _media_mark  # of relayed media, in the Route of the message at hand
    cdef Slice _told  # the SDP that takes the place of that in the response at hand
    cdef Buffer _questions, _command
    cdef Py_ssize_t _question_count
    cdef Buffer _requests, _responses, _records, _work, _response, _text, _seal, _event, _base, _mark, _names
    cdef Slice _moved  # the seal of a response whose place that in `_seal` takes; nothing: it stays
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
            and open_generations(&self._recent) and open_tally(&self._repeated) and open_table(&self._asked)
        ):
            raise MemoryError
        self._events = []

    def __init__(
        self, reference, facts, *, bytes key, str prefix, str router, str incarnation, values, states,
        bint admits_all, str realm, bint asserts, Py_ssize_t transactions, Py_ssize_t of_source, Py_ssize_t tcp_above,
        bint keeps_messages, int relays,
    ):
        self._reference, self._finder, self._outside = reference, facts, facts.outside
        self._leads_outside, self._has_trunks = facts.outside.leads, facts.outside.has_trunks
        self._key_octets, self._prefix_octets, self._router_octets = key, prefix.encode(), router.encode()
        self._incarnation_octets = incarnation.encode()
        self._key, self._prefix = slice_in(self._key_octets), slice_in(self._prefix_octets)
        self._router, self._incarnation = slice_in(self._router_octets), slice_in(self._incarnation_octets)
        self._shown_octets = f'realm="{realm}"'.encode() if realm else b""
        self._shown = slice_in(self._shown_octets)
        self._admits_all, self._asserts, self._relays = admits_all, asserts, relays
        self._keeps_messages = keeps_messages
        self._most, self._most_of_source, self._tcp_above = transactions, of_source, tcp_above
        self._t1, self._t2, self._t4, self._c, self._lifetime, self._d, self._first_trying = values
        for place, number in enumerate(states):
            _state[place] = number

    def __dealloc__(self):
        cdef Py_ssize_t at
        for at in range(self._heap.count):
            free_saved(<Saved *>self._heap.waiters[at].owner)
        free(self._heap.waiters)
        close_table(&self._servers)
        close_table(&self._clients)
        close_table(&self._awaited)
        close_table(&self._asked)
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
        release(&self._mark)
        release(&self._names)
        release(&self._questions)
        release(&self._command)

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
        """When `advance` is due (monotonic s); None if no timer runs."""
        return self._heap.waiters[0].due if self._heap.count else None

    # what comes in

    def begin(self, double now, double at):
        """Set the instant of the calls that follow (monotonic and epoch s)."""
        self._now, self._at = now, at

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
        self._now, self._at = now, at
        count = left = read_list(&cursor)
        while left:
            left -= 1
            if read_real(&cursor, &stamp):
                _ask(self).take_stamp(stamp)
                continue
            read_list(&cursor)
            read_octets(&cursor, &flow)
            read_octets(&cursor, &index)
            read_octets(&cursor, &raw)
            if not _take(self, flow, index, raw):
                self.odd += 1
                _ask(self).take_odd(as_bytes(raw), as_bytes(index), as_bytes(flow))
        return count

    def take(self, bytes raw, bytes index, bytes flow, double now, double at):
        """Take one datagram. False: it is odd, and nothing has changed."""
        self._now, self._at = now, at
        return bool(_take(self, slice_in(flow), slice_in(index), slice_in(raw)))

    def advance(self, double now, double at):
        """Fire the due timers. A transaction with more to do than a retransmission or its end goes to the reference."""
        cdef Saved *saved
        self._now, self._at = now, at
        while self._heap.count and self._heap.waiters[0].due <= now:
            saved = <Saved *>self._heap.waiters[0].owner
            if saved.is_settled:
                _end(self, saved)
            elif saved.armed[A_] and saved.armed[A_] <= now and not _is_due_otherwise(saved, now):
                _repeat(self, saved)
            else:
                _hand_over(self, saved)

    # what the reference asks for

    def surrender_server(self, bytes branch, str host, int port, str method):
        """Hand over the saved transaction with this key, if it is here."""
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        cdef bytes named = method.encode("utf-8", "surrogateescape")
        cdef Saved *saved = _find_server(self, slice_in(branch), slice_in(name), port, method_of(slice_in(named)))
        if saved != NULL:
            _hand_over(self, saved)

    def surrender_client(self, bytes branch, str method):
        """The same for a client transaction."""
        cdef bytes named = method.encode("utf-8", "surrogateescape")
        cdef Saved *saved = _find_client(self, slice_in(branch), method_of(slice_in(named)))
        if saved != NULL:
            _hand_over(self, saved)

    def surrender_awaiting(self, bytes call_id, bytes tag, unsigned long sequence):
        """The same for the INVITE whose ACK is awaited."""
        cdef Saved *saved = _find_awaited(self, slice_in(call_id), slice_in(tag), <uint32_t>sequence)
        if saved != NULL:
            _hand_over(self, saved)

    def repeat(self, int instance, int streams):
        """Send again what that edge-stream, of so many, may have lost; return the number of transactions."""
        return _repeat_over(self, instance, streams)

    def note_handed(self, bytes branch, str host, int port, double now):
        """A request with this branch in its Via is the reference's: so are its repetitions, its ACK and its CANCEL."""
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        _note_handed(self, _key_of(slice_in(branch), slice_in(name), port), now)

    def send(self, bytes flow, bytes raw):
        """Put a request of the reference into the run of those that leave."""
        _send_request(self, slice_in(flow), slice_in(raw))

    def answer(self, bytes flow, bytes raw, str user, str language):
        """The same for a response, with its reader."""
        cdef bytes name = user.encode("utf-8", "surrogateescape")
        cdef bytes accepted = language.encode("utf-8", "surrogateescape")
        _put_response(self, slice_in(flow), slice_in(raw), slice_in(name), slice_in(accepted))

    def tell(self, bytes event):
        """Add a packed call event of the reference to the events."""
        self._events.append(event)

    def answered(self, bytes address):
        """Somebody at this packed address has answered a request."""
        _note_answered(self, slice_in(address))

    def allows(self, bytes address, double now):
        """Whether a request may be repeated to this address (core/transactions.py)."""
        return bool(_allows(self, slice_in(address), now))

    def admits(self, str host, double now):
        """Count one more transaction of a source. False: the source has too many, and nothing was counted."""
        cdef bytes name = host.encode("utf-8", "surrogateescape")
        return bool(_admits(self, slice_in(name), now))

    def forget(self, bytes key):
        """Forget one fact: it is no longer true."""
        forget_fact(&self._facts, slice_in(key))

    def forget_all(self):
        """Forget all facts: none of them may still be true."""
        forget_facts(&self._facts)

    # media engines

    def know_media(self, engines, str advertised, bytes address, int lingers):
        """`engines`: host, port, URL and sum of each, in the order of the settings.

        `advertised`: what SDP names in place of our `address`, as packed in a flow; "" for none. `lingers` (s): how long
        an engine passes on what is under way when a call has ended.
        """
        cdef int place
        cdef bytes sum
        engines = list(engines)
        if len(engines) > MOST_ENGINES:
            return  # all relayed calls are the reference's
        self._hosts = [host.encode() for host, _, _, _ in engines]
        self._urls = [url.encode() for _, _, url, _ in engines]
        for place, (_, port, _, sum) in enumerate(engines):
            self._ports[place] = port
            memcpy(self._sums[place], PyBytes_AS_STRING(sum), MARK_SUM)
        self._media_count, self._lingers = len(engines), lingers
        self._advertised_octets, self._advertised_text_octets = address if advertised else b"", advertised.encode()
        self._advertised = slice_in(self._advertised_octets)
        self._advertised_text = slice_in(self._advertised_text_octets)

    @property
    def media_waiting(self):
        """Questions to engines without an answer."""
        return self._asked.count

    def media_counters(self):
        """Relayed calls; and of those that have ended: those without voice, with voice from one side, from both."""
        return [self.media_counts[each] for each in range(4)]

    def take_questions(self):
        """Return what engines are to be asked, packed: `[token, place of the engine, command in bencode]`.

        The token is 0 if nobody waits for the answer.
        """
        cdef Buffer head
        memset(&head, 0, sizeof(Buffer))
        pack_list(&head, self._question_count)
        put_slice(&head, content(&self._questions))
        taken = as_bytes(content(&head))
        release(&head)
        self._questions.size = self._question_count = 0
        return taken

    def awaits(self, uint64_t token):
        """Whether a transaction waits for the answer to this question."""
        return _find_asked(self, token) != NULL

    def told(self, uint64_t token, int place, bytes sdp, figures):
        """The engine at this place has answered. `figures` (media/commands.py): of what it relayed, or None.

        False: that is odd.
        """
        cdef Saved *saved = _find_asked(self, token)
        if saved == NULL or place != saved.relayed.place:
            return False
        if figures is not None:
            for place, name in enumerate((P_FROM_TAG, P_TO_TAG)):
                tag = as_bytes(part(saved, name)).decode("utf-8", "surrogateescape")
                saved.relayed.packets[place] = figures.of(tag)
        return bool(_take_told(self, saved, slice_in(sdp), figures is not None))

    def surrender_asked(self, uint64_t token):
        """Hand over what waits for the answer to this question."""
        cdef Saved *saved = _find_asked(self, token)
        if saved != NULL:
            _hand_over(self, saved)

    # what goes out

    def take_requests(self):
        """Return the number of requests to send, and the requests, packed as items of `sip.send`."""
        count, self._request_count = self._request_count, 0
        taken = as_bytes(content(&self._requests))
        self._requests.size = 0
        return count, taken

    def take_responses(self):
        """Return the number of responses to send, and the responses, packed as items of `sip.translate`."""
        count, self._response_count = self._response_count, 0
        taken = as_bytes(content(&self._responses))
        self._responses.size = 0
        return count, taken

    def take_events(self):
        """Return the packed call events, each `[kind, call_id, from_tag, at, detail, ...]`."""
        events, self._events = self._events, []
        return events

    def drain_records(self):
        """Return the records that were written until now, without those of transactions touched since."""
        taken = as_bytes(content(&self._records))
        self._records.size = 0
        return taken

    def take_records(self):
        """Return the state that a successor needs, as records of the keyed log (wal/segment.py)."""
        _save_touched(self)
        taken = self.drain_records()
        if self._is_out_of_memory():
            raise MemoryError
        return taken

    cdef bint _is_out_of_memory(self):
        return (
            self._requests.failed or self._responses.failed or self._records.failed or self._work.failed
            or self._response.failed or self._text.failed or self._seal.failed or self._event.failed
            or self._base.failed or self._mark.failed or self._names.failed
            or self._questions.failed or self._command.failed
        )


include "engine_media.pxi"
include "engine_masks.pxi"
include "engine_challenges.pxi"
include "engine_marks.pxi"
include "engine_relays.pxi"
include "engine_relayed.pxi"
include "engine_requests.pxi"
include "engine_acks.pxi"
include "engine_responses.pxi"
include "engine_keeping.pxi"
include "engine_finding.pxi"
include "ng_line.pxi"
include "engine_fast_path.pxi"
