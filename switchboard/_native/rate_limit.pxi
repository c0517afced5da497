"""Compiled twins of what `edge/rate_limit.py` knows of each source, and its answer for one that keeps the limit."""


cdef class Bucket:
    """The tokens of one source, or of one IPv6 site. Instants are monotonic seconds."""

    cdef public double rate, most, tokens, filled_at, ignored_until

    def __init__(self, double rate, double most, double now):
        self.rate, self.most = rate, most
        self.tokens, self.filled_at = most, now

    cpdef bint take(self, double now):
        """Use up one token; False if there is none."""
        cdef double tokens = min(self.most, self.tokens + (now - self.filled_at) * self.rate)
        cdef bint is_there = tokens >= 1.0
        self.filled_at, self.tokens = now, tokens - is_there
        return is_there


cdef class Source:
    """One address: its bucket, and what holds for it."""

    cdef public Bucket bucket
    cdef public bint exempt, silent, free

    def __init__(self, Bucket bucket not None, bint exempt, bint silent, bint free):
        self.bucket, self.exempt, self.silent, self.free = bucket, exempt, silent, free


cdef inline bint is_heard(Source source, double now) noexcept:
    """Take a token. False: the reference is to say whether the source is heard, and to take one."""
    cdef Bucket bucket = source.bucket
    if source.silent or source.exempt:
        return source.exempt and not source.silent
    if now < bucket.ignored_until or bucket.tokens + (now - bucket.filled_at) * bucket.rate < 1.0:
        return False
    return bucket.most >= 1.0 and bucket.take(now)
