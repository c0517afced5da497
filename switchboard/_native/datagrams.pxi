"""Compiled twin of `transports/udp_datagrams.py`: one system call receives or sends many datagrams (Linux).

Theory. A system call costs about as much as the work on a datagram, so recvmmsg and sendmmsg share one among up to 64.
Nothing is copied: the kernel writes received datagrams into buffers that the next `fetch` uses again, and reads sent
ones from the frame that contains them. The control message of each datagram tells our own address (IP_PKTINFO): the
one at which it arrived, or from which it is to leave. An error of an earlier datagram (ICMP) fails one call at the
socket, in whichever process makes it; that call is repeated.
"""

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_INET
        AF_INET6
        MSG_DONTWAIT
    ctypedef unsigned short sa_family_t
    struct sockaddr_storage:
        sa_family_t ss_family
    struct iovec:
        void *iov_base
        size_t iov_len
    struct msghdr:
        void *msg_name
        unsigned int msg_namelen
        iovec *msg_iov
        size_t msg_iovlen
        void *msg_control
        size_t msg_controllen
    struct cmsghdr:
        size_t cmsg_len
        int cmsg_level
        int cmsg_type
    struct mmsghdr:
        msghdr msg_hdr
        unsigned int msg_len
    cmsghdr *CMSG_FIRSTHDR(msghdr *)
    cmsghdr *CMSG_NXTHDR(msghdr *, cmsghdr *)
    unsigned char *CMSG_DATA(cmsghdr *)
    size_t CMSG_LEN(size_t)
    size_t CMSG_SPACE(size_t)
    int recvmmsg(int, mmsghdr *, unsigned int, int, void *)
    int sendmmsg(int, mmsghdr *, unsigned int, int)

cdef extern from "<netinet/in.h>" nogil:
    enum:
        INET6_ADDRSTRLEN
        IPPROTO_IP
        IPPROTO_IPV6
        IP_PKTINFO
        IPV6_PKTINFO
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        unsigned char s6_addr[16]
    struct sockaddr_in:
        sa_family_t sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        sa_family_t sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    struct in_pktinfo:
        int ipi_ifindex
        in_addr ipi_spec_dst
        in_addr ipi_addr
    struct in6_pktinfo:
        in6_addr ipi6_addr
        unsigned int ipi6_ifindex

cdef extern from "<arpa/inet.h>" nogil:
    const char *inet_ntop(int, const void *, char *, unsigned int)
    uint16_t ntohs(uint16_t)
    uint32_t ntohl(uint32_t)
    uint16_t htons(uint16_t)

cdef extern from "<net/if.h>" nogil:
    enum:
        IF_NAMESIZE
    char *if_indextoname(unsigned int, char *)

cdef frozenset _pending = frozenset()
cdef int _tries = 1

cdef enum:
    BATCH = 64
    STRIDE = 65536 + 34 * 64  # not a power of two: all buffers would share the same cache lines
    ANCILLARY_ROOM = 64
    HOST_ROOM = 64  # an IPv6 address, a percent sign, and the name of an interface

cdef struct Arrival:
    const unsigned char *data
    Py_ssize_t size
    unsigned char flow[FLOW_ROOM]
    Py_ssize_t flow_size
    Py_ssize_t host  # the place of the peer's address in the flow
    uint16_t port

cdef struct Slot:
    sockaddr_storage name
    unsigned char ancillary[ANCILLARY_ROOM]
    iovec vector

cdef struct Slots:
    mmsghdr headers[BATCH]
    Slot slots[BATCH]

cdef struct Buffers:
    Slots slots
    unsigned char data[BATCH * STRIDE]


cdef int _know_errors() except -1:
    global _pending, _tries
    _pending = reference("switchboard.transports.udp_sockets", "PENDING")
    _tries = reference("switchboard.transports.udp_sockets", "TRIES")
    return 0


cdef class Receiver:
    """Owns the buffers: 4 MB of address space, of which the kernel provides the pages that datagrams have reached.

    `advertised`: four octets, what peers outside see of an inner address of ours (sip/advertised.py), or none.
    """

    cdef void *_memory
    cdef uint32_t _advertised

    def __cinit__(self, bytes advertised=b""):
        self._advertised = _in_network_order(advertised)
        cdef Buffers *buffers = <Buffers *>calloc(1, sizeof(Buffers))
        cdef int number
        _know_errors()
        if buffers == NULL:
            raise MemoryError
        self._memory = buffers
        for number in range(BATCH):
            _prepare(&buffers.slots, number)
            buffers.slots.slots[number].vector.iov_base = buffers.data + number * STRIDE
            buffers.slots.slots[number].vector.iov_len = LARGEST

    def __dealloc__(self):
        free(self._memory)

    cdef int fetch(self, int fd, int limit) except -1:
        """Receive up to `limit` datagrams that wait. Returns their number. OSError."""
        cdef Buffers *buffers = <Buffers *>self._memory
        cdef int number, taken, tries = 0
        if limit > BATCH:
            limit = BATCH
        for number in range(limit):
            buffers.slots.headers[number].msg_hdr.msg_namelen = sizeof(sockaddr_storage)
            buffers.slots.headers[number].msg_hdr.msg_controllen = ANCILLARY_ROOM
        taken = recvmmsg(fd, buffers.slots.headers, limit, MSG_DONTWAIT, NULL)
        while taken < 0 and errno in _pending and tries < _tries - 1:
            tries += 1
            taken = recvmmsg(fd, buffers.slots.headers, limit, MSG_DONTWAIT, NULL)
        if taken >= 0:
            return taken
        if errno == EAGAIN or errno == EINTR or errno in _pending:
            return 0
        PyErr_SetFromErrno(OSError)
        return -1

    cdef void read(self, int number, Arrival *arrival) noexcept:
        """Describe datagram `number` of the last `fetch`. Its data are valid until the next one."""
        cdef Buffers *buffers = <Buffers *>self._memory
        cdef msghdr *header = &buffers.slots.headers[number].msg_hdr
        arrival.data = <unsigned char *>buffers.slots.slots[number].vector.iov_base
        arrival.size = buffers.slots.headers[number].msg_len
        if buffers.slots.slots[number].name.ss_family == AF_INET:
            _read_ipv4(header, arrival, self._advertised)
        else:
            _read_ipv6(header, arrival)


cdef void _prepare(Slots *slots, int number) noexcept nogil:
    cdef msghdr *header = &slots.headers[number].msg_hdr
    header.msg_name = &slots.slots[number].name
    header.msg_iov = &slots.slots[number].vector
    header.msg_iovlen = 1
    header.msg_control = slots.slots[number].ancillary


cdef uint32_t _in_network_order(bytes address) noexcept:
    """An IPv4 address, packed; 0 for none."""
    cdef uint32_t packed = 0
    if PyBytes_GET_SIZE(address) == IPV4_SIZE:
        memcpy(&packed, PyBytes_AS_STRING(address), IPV4_SIZE)
    return packed


cdef bint _is_inner(uint32_t packed) noexcept nogil:
    """Twin of `is_inner`; `packed`: in network byte order."""
    cdef uint32_t address = ntohl(packed)
    cdef uint32_t first = address >> 24
    return (
        first == 10 or first == 127
        or address >> 20 == 0xac1  # 172.16.0.0/12
        or address >> 16 == 0xc0a8 or address >> 16 == 0xa9fe  # 192.168.0.0/16, 169.254.0.0/16
        or address >> 22 == 0x64400000 >> 22  # 100.64.0.0/10
    )


cdef void _read_ipv4(msghdr *header, Arrival *arrival, uint32_t advertised) noexcept:
    cdef sockaddr_in *source = <sockaddr_in *>header.msg_name
    cdef cmsghdr *ancillary = CMSG_FIRSTHDR(header)
    cdef in_pktinfo information
    cdef unsigned char *to = _begin_flow(arrival)
    information.ipi_spec_dst.s_addr = 0
    while ancillary != NULL:
        if ancillary.cmsg_level == IPPROTO_IP and ancillary.cmsg_type == IP_PKTINFO:
            memcpy(&information, CMSG_DATA(ancillary), sizeof(in_pktinfo))
        ancillary = CMSG_NXTHDR(header, ancillary)
    if advertised and _is_inner(information.ipi_spec_dst.s_addr) and not _is_inner(source.sin_addr.s_addr):
        information.ipi_spec_dst.s_addr = advertised
    to = write_address(to, 0, &information.ipi_spec_dst, IPV4_SIZE if information.ipi_spec_dst.s_addr else 0)
    arrival.host = to - arrival.flow
    _end_flow(arrival, write_address(to, 0, &source.sin_addr, IPV4_SIZE), source.sin_port)


cdef void _read_ipv6(msghdr *header, Arrival *arrival) noexcept:
    cdef sockaddr_in6 *source = <sockaddr_in6 *>header.msg_name
    cdef cmsghdr *ancillary = CMSG_FIRSTHDR(header)
    cdef in6_pktinfo information
    cdef bint is_known = False
    cdef unsigned char *to = _begin_flow(arrival)
    while ancillary != NULL:
        if ancillary.cmsg_level == IPPROTO_IPV6 and ancillary.cmsg_type == IPV6_PKTINFO:
            memcpy(&information, CMSG_DATA(ancillary), sizeof(in6_pktinfo))
            is_known = True
        ancillary = CMSG_NXTHDR(header, ancillary)
    to = _write_local_ipv6(to, &information) if is_known else write_address(to, 0, NULL, 0)
    arrival.host = to - arrival.flow
    _end_flow(arrival, _write_ipv6(to, &source.sin6_addr, source.sin6_scope_id), source.sin6_port)


cdef inline unsigned char *_begin_flow(Arrival *arrival) noexcept:
    arrival.flow[0] = UDP_FLOW
    return arrival.flow + 1


cdef inline void _end_flow(Arrival *arrival, unsigned char *to, uint16_t port) noexcept:
    """Write the `port` (network byte order), which ends the flow."""
    memcpy(to, &port, sizeof(uint16_t))
    arrival.port = ntohs(port)
    arrival.flow_size = to + sizeof(uint16_t) - arrival.flow


cdef unsigned char *_write_local_ipv6(unsigned char *to, in6_pktinfo *information) noexcept:
    cdef bint is_link_local = information.ipi6_addr.s6_addr[0] == 0xfe and information.ipi6_addr.s6_addr[1] == 0x80
    return _write_ipv6(to, &information.ipi6_addr, information.ipi6_ifindex if is_link_local else 0)


cdef unsigned char *_write_ipv6(unsigned char *to, const in6_addr *address, unsigned int interface) noexcept nogil:
    """Write the address, with the name of its interface if it is link-local. `interface`: 0 if it is not."""
    cdef char text[HOST_ROOM]
    cdef char name[IF_NAMESIZE]
    cdef Py_ssize_t size
    if not interface:
        return write_address(to, 0, address, IPV6_SIZE)
    inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN)
    size = strlen(text)
    if if_indextoname(interface, name) != NULL:
        size += snprintf(text + size, HOST_ROOM - size, "%%%s", name)
    else:
        size += snprintf(text + size, HOST_ROOM - size, "%%%u", interface)
    return write_address(to, TEXT_ADDRESS, text, <int>size)


cdef struct Outgoing:
    const unsigned char *data
    Py_ssize_t size
    int family
    uint16_t port
    in6_addr address
    bint has_source
    in6_addr source


cdef class BatchSender:
    """Sends the items of whole frames. Twin of `Sender`, which keeps the sockets open.

    `ipv4`, `ipv6`: file descriptors, -1 without a socket. `..._wildcard`: whether the socket is bound to all
    addresses, so that each datagram has to name its source address; from `advertised` (four octets, or none) the
    kernel chooses it. `only_from`: of runs, what leaves from other addresses than these is not plain; b"": from any.
    `retried`: as in `Sender`.
    """

    cdef readonly Py_ssize_t retried
    cdef int _ipv4, _ipv6
    cdef bint _ipv4_wildcard, _ipv6_wildcard
    cdef uint32_t _advertised
    cdef Slots *_slots
    cdef bytes _only_from

    def __cinit__(
        self, int ipv4, bint ipv4_wildcard, int ipv6, bint ipv6_wildcard, bytes advertised=b"",
        bytes only_from not None=b"",
    ):
        self._only_from = only_from
        self._advertised = _in_network_order(advertised)
        cdef int number
        _know_errors()
        self._slots = <Slots *>calloc(1, sizeof(Slots))
        if self._slots == NULL:
            raise MemoryError
        for number in range(BATCH):
            _prepare(self._slots, number)
        self._ipv4, self._ipv4_wildcard = ipv4, ipv4_wildcard
        self._ipv6, self._ipv6_wildcard = ipv6, ipv6_wildcard

    def __dealloc__(self):
        free(self._slots)

    def send_items(self, bytes frame, Py_ssize_t start):
        """Send the packed list of items at `start`. Returns (sent, failed).

        None, and nothing is sent, if an item is not plain: then the reference handles the frame.
        """
        cdef Cursor cursor
        cdef Outgoing item
        cdef Py_ssize_t count, number
        if not 0 <= start <= PyBytes_GET_SIZE(frame):
            return None
        cursor.at = <const unsigned char *>PyBytes_AS_STRING(frame) + start
        cursor.end = <const unsigned char *>PyBytes_AS_STRING(frame) + PyBytes_GET_SIZE(frame)
        count = read_array(&cursor)
        for number in range(count):
            if not self._read_item(&cursor, &item):
                return None
        if count < 0 or cursor.at != cursor.end:
            return None
        cursor.at = <const unsigned char *>PyBytes_AS_STRING(frame) + start
        return self._send(&cursor, read_array(&cursor))

    cdef tuple _send(self, Cursor *cursor, Py_ssize_t count):
        cdef Outgoing item
        cdef Py_ssize_t number, sent = 0
        cdef int waiting = 0, family = 0
        for number in range(count):
            self._read_item(cursor, &item)
            if waiting == BATCH or (waiting and item.family != family):
                sent += self._flush(family, waiting)
                waiting = 0
            family = item.family
            self._fill(waiting, &item)
            waiting += 1
        sent += self._flush(family, waiting)
        return sent, count - sent

    cdef Py_ssize_t _flush(self, int family, int waiting):
        """Send the datagrams in the slots. Returns how many have left; the others are given up."""
        cdef int fd = self._ipv4 if family == AF_INET else self._ipv6
        cdef int at = 0, tries = 0, done
        cdef Py_ssize_t sent = 0
        while at < waiting:
            done = sendmmsg(fd, self._slots.headers + at, waiting - at, MSG_DONTWAIT)
            if done > 0:
                self.retried += tries > 0
                at += done
                sent += done
                tries = 1  # the next datagram, if there is one, has failed once
            elif errno == EINTR:
                continue
            elif errno in _pending and tries < _tries - 1:
                tries += 1
            else:
                at += 1
                tries = 0
        return sent

    cdef bint _read_item(self, Cursor *cursor, Outgoing *item) noexcept:
        """Read one item; False if it is not plain: UDP, with IP addresses of one family that has a socket."""
        cdef const unsigned char *flow
        cdef Py_ssize_t size
        cdef FlowParts parts
        if read_array(cursor) != 2 or not read_binary(cursor, &flow, &size) or not read_flow(flow, size, &parts):
            return False
        if parts.transport != UDP_FLOW or not parts.port:
            return False
        return self._read_flow(&parts, item) and read_binary(cursor, &item.data, &item.size)

    cdef bint _read_flow(self, const FlowParts *parts, Outgoing *item) noexcept:
        cdef int size = parts.host[0]
        if size != IPV4_SIZE and size != IPV6_SIZE:
            return False
        item.family = AF_INET if size == IPV4_SIZE else AF_INET6
        if (self._ipv4 if size == IPV4_SIZE else self._ipv6) < 0:
            return False
        memcpy(&item.address, parts.host + 1, size)
        item.port = parts.port
        item.has_source = parts.local[0] and (self._ipv4_wildcard if size == IPV4_SIZE else self._ipv6_wildcard)
        if item.has_source and parts.local[0] != size:
            return False
        if self._advertised and size == IPV4_SIZE and item.has_source:
            item.has_source = memcmp(parts.local + 1, &self._advertised, IPV4_SIZE) != 0
        memcpy(&item.source, parts.local + 1, size if item.has_source else 0)
        return True

    cdef void _fill(self, int number, Outgoing *item) noexcept:
        cdef msghdr *header = &self._slots.headers[number].msg_hdr
        header.msg_iov = &self._slots.slots[number].vector
        header.msg_iovlen = 1
        self._slots.slots[number].vector.iov_base = <void *>item.data
        self._slots.slots[number].vector.iov_len = item.size
        memset(header.msg_name, 0, sizeof(sockaddr_storage))
        if item.family == AF_INET:
            _fill_ipv4(header, item)
        else:
            _fill_ipv6(header, item)


cdef void _fill_ipv4(msghdr *header, Outgoing *item) noexcept nogil:
    cdef sockaddr_in *target = <sockaddr_in *>header.msg_name
    cdef in_pktinfo information
    target.sin_family = AF_INET
    target.sin_port = htons(item.port)
    memcpy(&target.sin_addr, &item.address, sizeof(in_addr))
    header.msg_namelen = sizeof(sockaddr_in)
    header.msg_controllen = 0
    if item.has_source:
        memset(&information, 0, sizeof(in_pktinfo))
        memcpy(&information.ipi_spec_dst, &item.source, sizeof(in_addr))
        _fill_ancillary(header, IPPROTO_IP, IP_PKTINFO, &information, sizeof(in_pktinfo))


cdef void _fill_ipv6(msghdr *header, Outgoing *item) noexcept nogil:
    cdef sockaddr_in6 *target = <sockaddr_in6 *>header.msg_name
    cdef in6_pktinfo information
    target.sin6_family = AF_INET6
    target.sin6_port = htons(item.port)
    memcpy(&target.sin6_addr, &item.address, sizeof(in6_addr))
    header.msg_namelen = sizeof(sockaddr_in6)
    header.msg_controllen = 0
    if item.has_source:
        memset(&information, 0, sizeof(in6_pktinfo))
        memcpy(&information.ipi6_addr, &item.source, sizeof(in6_addr))
        _fill_ancillary(header, IPPROTO_IPV6, IPV6_PKTINFO, &information, sizeof(in6_pktinfo))


cdef void _fill_ancillary(msghdr *header, int level, int kind, const void *data, size_t size) noexcept nogil:
    cdef cmsghdr *ancillary
    header.msg_controllen = CMSG_SPACE(size)
    ancillary = CMSG_FIRSTHDR(header)
    ancillary.cmsg_level = level
    ancillary.cmsg_type = kind
    ancillary.cmsg_len = CMSG_LEN(size)
    memcpy(CMSG_DATA(ancillary), data, size)
