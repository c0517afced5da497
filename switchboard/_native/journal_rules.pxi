# The rules of `call.py` and `record.py` as tables. They are read from Python, so that each rule is written once.

cdef tuple _parties = (Party.CALLER, Party.CALLEE, Party.SWITCHBOARD)
cdef tuple _outcomes = tuple(Outcome)
cdef list _kept_texts = [text.value.encode() for text in (*_parties, *_outcomes)]
cdef const char *_party_texts[PARTIES]
cdef const char *_outcome_texts[20]
cdef uint8_t _outcome[STATUSES][PARTIES][2]
cdef bint _is_challenge[STATUSES]
cdef bint _ends_call[700]


cdef int _read_tables() except -1:
    cdef int status, by, rang
    for by in range(PARTIES):
        _party_texts[by] = PyBytes_AS_STRING(_kept_texts[by])
    for by in range(len(_outcomes)):
        _outcome_texts[by] = PyBytes_AS_STRING(_kept_texts[PARTIES + by])
    for status in range(200, 700):
        _ends_call[status] = ends_call(status)
    for status in range(STATUSES):
        _is_challenge[status] = LOWEST + status in CHALLENGES
        for by in range(PARTIES):
            for rang in range(2):
                _outcome[status][by][rang] = _outcomes.index(outcome_of(LOWEST + status, _parties[by], bool(rang)))
    return 0


_read_tables()
cdef const char *_ANSWERED = _outcome_texts[_outcomes.index(Outcome.ANSWERED)]
