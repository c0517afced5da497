"""Compiled twins of what `edge/rate_limit.py` knows of each source, and its answer for one that keeps the limit."""


cdef class Bucket:
    """The tokens of one source, or of one IPv6 site. Instants are monotonic seconds."""

    cdef public double tokens, filled_at, ignored_until

    def __init__(self, double tokens, double now):
        self.tokens, self.filled_at = tokens, now


cdef class Source:
    """One address: its bucket, and what holds for it."""

    cdef public Bucket bucket
    cdef public bint exempt, silent, free

    def __init__(self, Bucket bucket not None, bint exempt, bint silent, bint free):
        self.bucket, self.exempt, self.silent, self.free = bucket, exempt, silent, free


cdef inline bint is_heard(Source source, double rate, double burst, double now) noexcept:
    """Take a token. False: none is taken, and the reference is to say whether the source is heard."""
    cdef Bucket bucket = source.bucket
    cdef double tokens
    if source.silent or source.exempt:
        return source.exempt and not source.silent
    tokens = min(burst, bucket.tokens + (now - bucket.filled_at) * rate)
    if now < bucket.ignored_until or tokens < 1.0:
        return False
    bucket.filled_at, bucket.tokens = now, tokens - 1.0
    return True
