# Clocks, in seconds.

from posix.time cimport CLOCK_MONOTONIC, clock_gettime, clockid_t, timespec

cdef extern from *:
    """
    #include <time.h>
    #ifdef CLOCK_BOOTTIME
    #define SB_BOOT_TIME CLOCK_BOOTTIME
    #else
    #define SB_BOOT_TIME CLOCK_MONOTONIC
    #endif
    """
    const clockid_t SB_BOOT_TIME


cdef inline double seconds_on(clockid_t clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <double>now.tv_sec + <double>now.tv_nsec / 1e9


cdef inline double monotonic() noexcept nogil:
    """As `time.monotonic`."""
    return seconds_on(CLOCK_MONOTONIC)


cdef inline double boot_time() noexcept nogil:
    """As `switchboard.clock.boot_time`."""
    return seconds_on(SB_BOOT_TIME)
