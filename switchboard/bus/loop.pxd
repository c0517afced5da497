"""Says that loop.py is compiled, and what it holds."""

cdef class Loop:
    cdef public object actor
    cdef public long frames_in, items_in, bad_frames
    cdef public list _subscriptions, _inboxes
    cdef object _door, _guard, _reach, _tell_frame, _ears, _published, _cast, _asked
    cdef dict _watched, _watched_for_errors
    cdef bint _is_debugging
    cdef double _next_look, _next_firing
