"""Compiled twin of `sockets.py`: waits for frames with fewer system calls than zmq_poll(3).

Theory. zmq_poll(3) examines each socket before and after it sleeps, with a system call each time. Here a worker sleeps
on the sockets' ZMQ_FD. Such a descriptor becomes readable when an empty socket may have received something, and then
only this socket is examined. The event is edge-triggered, so a reader has to continue until the socket is empty, or
call `look_again`.

The functions are those of the library that pyzmq uses, and are found through its extension module.
"""

cdef extern from "<dlfcn.h>" nogil:
    enum:
        RTLD_LAZY
    void *dlopen(const char *, int)
    void *dlsym(void *, const char *)

cdef extern from "<poll.h>" nogil:
    enum:
        POLLERR
        POLLIN
    struct pollfd:
        int fd
        short events
        short revents
    int poll(pollfd *, unsigned long, int)

cdef extern from *:
    """
    typedef struct { _Alignas(void *) unsigned char octets[64]; } zmq_message;  /* zmq_msg_t, zmq.h */
    typedef int (*zmq_message_call)(zmq_message *);
    typedef int (*zmq_receive_call)(zmq_message *, void *, int);
    typedef int (*zmq_send_call)(void *, const void *, size_t, int);
    typedef size_t (*zmq_size_call)(const zmq_message *);
    typedef void *(*zmq_data_call)(zmq_message *);
    """
    ctypedef struct zmq_message:
        pass
    ctypedef int (*zmq_message_call)(zmq_message *) nogil
    ctypedef int (*zmq_receive_call)(zmq_message *, void *, int) nogil
    ctypedef int (*zmq_send_call)(void *, const void *, size_t, int) nogil
    ctypedef size_t (*zmq_size_call)(const zmq_message *) nogil
    ctypedef void *(*zmq_data_call)(zmq_message *) nogil


cdef enum:
    # of zmq.h
    DONTWAIT = 1
    ZMQ_FD = 14
    ZMQ_EVENTS = 15
    ZMQ_POLLIN = 1


cdef void *_function(void *library, const char *name) except NULL:
    cdef void *function = dlsym(library, name) if library != NULL else NULL
    if function == NULL:
        raise ImportError(f"libzmq has no {name.decode()}")
    return function


cdef zmq_message_call _zmq_open = NULL
cdef zmq_message_call _zmq_close = NULL
cdef zmq_receive_call _zmq_receive = NULL
cdef zmq_size_call _zmq_size = NULL
cdef zmq_data_call _zmq_data = NULL
cdef zmq_send_call _zmq_send = NULL


def find_libzmq():
    """To be called before anything else here. ImportError if pyzmq uses another kind of library."""
    global _zmq_open, _zmq_close, _zmq_receive, _zmq_size, _zmq_data, _zmq_send
    cdef bytes path = import_module("zmq.backend.cython._zmq").__file__.encode()
    cdef void *library = dlopen(path, RTLD_LAZY)
    _zmq_open = <zmq_message_call>_function(library, b"zmq_msg_init")
    _zmq_close = <zmq_message_call>_function(library, b"zmq_msg_close")
    _zmq_receive = <zmq_receive_call>_function(library, b"zmq_msg_recv")
    _zmq_size = <zmq_size_call>_function(library, b"zmq_msg_size")
    _zmq_data = <zmq_data_call>_function(library, b"zmq_msg_data")
    _zmq_send = <zmq_send_call>_function(library, b"zmq_send")


cdef class Ears:
    """The inputs of a worker. A socket is named by its place in `sockets`, a descriptor by its number."""

    cdef list _sockets
    cdef pollfd *_polled
    cdef void **_handles
    cdef bint *_worth_a_look
    cdef Py_ssize_t _socket_count, _count

    def __init__(self, sockets):
        cdef Py_ssize_t number
        self._sockets = list(sockets)
        self._socket_count = self._count = len(self._sockets)
        self._polled = <pollfd *>calloc(self._count + 1, sizeof(pollfd))
        self._handles = <void **>calloc(self._count + 1, sizeof(void *))
        self._worth_a_look = <bint *>calloc(self._count + 1, sizeof(bint))
        if self._polled == NULL or self._handles == NULL or self._worth_a_look == NULL:
            raise MemoryError
        for number, socket in enumerate(self._sockets):
            self._handles[number] = <void *><uintptr_t>socket.underlying
            self._polled[number].fd = socket.getsockopt(ZMQ_FD)
            self._polled[number].events = POLLIN
            self._worth_a_look[number] = True

    def __dealloc__(self):
        free(self._polled)
        free(self._handles)
        free(self._worth_a_look)

    def watch(self, int fd):
        """Add a descriptor."""
        cdef pollfd *polled = <pollfd *>realloc(self._polled, (self._count + 1) * sizeof(pollfd))
        if polled == NULL:
            raise MemoryError
        self._polled = polled
        polled[self._count].fd = fd
        polled[self._count].events = POLLIN
        polled[self._count].revents = 0
        self._count += 1

    def ignore(self, int fd):
        """Remove a descriptor."""
        cdef Py_ssize_t place = self._place(fd)
        self._count -= 1
        self._polled[place] = self._polled[self._count]

    cpdef bint wait(self, double wait_s) except -1:
        """Wait until there may be input. False: none came within `wait_s`, which is rounded up to ms."""
        cdef int wait_ms = <int>ceil(wait_s * 1000)
        cdef int found
        cdef Py_ssize_t number
        for number in range(self._socket_count):
            if self._worth_a_look[number]:
                wait_ms = 0
        with nogil:
            found = poll(self._polled, self._count, wait_ms)
        if found < 0:
            self._begin_anew()
            found = 0
        for number in range(self._socket_count):
            if self._polled[number].revents:
                self._worth_a_look[number] = True
            found += self._worth_a_look[number]
        return found > 0

    cpdef bint hears(self, Py_ssize_t number):
        """Whether that socket may have frames."""
        return self._worth_a_look[number]

    cpdef bint is_readable(self, int fd) except -1:
        """Whether the last `wait` found that descriptor readable."""
        return self._polled[self._place(fd)].revents != 0

    cpdef bint has_error(self, int fd) except -1:
        """Whether it found an error there, such as an ICMP error of a datagram that was sent."""
        return self._polled[self._place(fd)].revents & POLLERR != 0

    cpdef bytes take(self, Py_ssize_t number):
        """Return the next frame of a socket, which has one part; None without one."""
        cdef zmq_message message
        cdef int got
        _zmq_open(&message)
        got = _zmq_receive(&message, self._handles[number], DONTWAIT)
        if got < 0:
            if errno != EINTR:
                self._worth_a_look[number] = False
            if errno != EINTR and errno != EAGAIN:
                raise reference("zmq", "ZMQError")(errno)
            return None
        self._worth_a_look[number] = True
        try:
            return PyBytes_FromStringAndSize(<char *>_zmq_data(&message), _zmq_size(&message))
        finally:
            _zmq_close(&message)

    def look_again(self, Py_ssize_t number):
        """To be called after other code has used that socket: frames that it left there would not wake the worker."""
        self._worth_a_look[number] = self._sockets[number].getsockopt(ZMQ_EVENTS) & ZMQ_POLLIN

    cdef Py_ssize_t _place(self, int fd) except -1:
        cdef Py_ssize_t place
        for place in range(self._socket_count, self._count):
            if self._polled[place].fd == fd:
                return place
        raise KeyError(fd)

    cdef int _begin_anew(self) except -1:
        """Treat an interrupted poll as one without input, so that the signal is handled."""
        cdef Py_ssize_t place
        if errno != EINTR:
            PyErr_SetFromErrno(OSError)
        for place in range(self._count):
            self._polled[place].revents = 0
        return PyErr_CheckSignals()


cdef class Mouth:
    """The output of one socket."""

    cdef object _socket
    cdef void *_handle

    def __init__(self, socket):
        self._socket = socket
        self._handle = <void *><uintptr_t>socket.underlying

    def send(self, bytes frame not None):
        """Send one frame; never waits. False: the socket does not take it now."""
        if _zmq_send(self._handle, PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), DONTWAIT) >= 0:
            return True
        if errno == EAGAIN or errno == EINTR:
            return False
        raise reference("zmq", "ZMQError")(errno)
