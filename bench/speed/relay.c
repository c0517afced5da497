/* The kernel's floor: passes datagrams on between two user agents, in batches, and looks at their first letter only.

   relay PORT CALLEE_PORT    on 127.0.0.1. What does not come from the callee goes to it, and whatever comes from it goes
   to who sent last. An INVITE is echoed to its sender as a 100, so that a call has the datagrams that it has with a proxy. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, SIZE = 4096, BUFFER = 4 << 20 };
static const char TRYING[] = "SIP/2.0 100 Trying";

static char received[BATCH][SIZE];
static struct sockaddr_in senders[BATCH];
static struct iovec read_into[BATCH], write_from[2 * BATCH][2];
static struct mmsghdr incoming[BATCH], outgoing[2 * BATCH];

static struct sockaddr_in loopback(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int open_socket(const char *port) {
    struct sockaddr_in own = loopback(port);
    int buffer = BUFFER, sock = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(sock, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (bind(sock, (struct sockaddr *)&own, sizeof own) < 0) {
        perror("relay: cannot bind");
        exit(1);
    }
    return sock;
}

static void send_later(int slot, struct sockaddr_in *to, const char *head, size_t head_length, char *data, size_t length) {
    write_from[slot][0] = (struct iovec){(void *)head, head_length};
    write_from[slot][1] = (struct iovec){data, length};
    outgoing[slot].msg_hdr =
        (struct msghdr){.msg_name = to, .msg_namelen = sizeof *to, .msg_iov = write_from[slot], .msg_iovlen = 2};
}

static void expect(int slot) {
    read_into[slot] = (struct iovec){received[slot], SIZE};
    incoming[slot].msg_hdr = (struct msghdr){
        .msg_name = &senders[slot], .msg_namelen = sizeof senders[slot], .msg_iov = &read_into[slot], .msg_iovlen = 1};
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: relay PORT CALLEE_PORT\n");
        return 2;
    }
    int sock = open_socket(argv[1]);
    struct sockaddr_in callee = loopback(argv[2]), caller = callee;
    for (;;) {
        for (int i = 0; i < BATCH; i++)
            expect(i);
        int count = recvmmsg(sock, incoming, BATCH, MSG_WAITFORONE, NULL), out = 0;
        for (int i = 0; i < count; i++) {
            char *data = received[i];
            size_t length = incoming[i].msg_len;
            if (senders[i].sin_port == callee.sin_port) {
                send_later(out++, &caller, "", 0, data, length);
                continue;
            }
            caller = senders[i];
            char *line_end = *data == 'I' ? memchr(data, '\r', length) : NULL;
            if (line_end)
                send_later(out++, &caller, TRYING, sizeof TRYING - 1, line_end, length - (line_end - data));
            send_later(out++, &callee, "", 0, data, length);
        }
        for (int sent = 0, n; sent < out; sent += n > 0 ? n : 1)
            n = sendmmsg(sock, outgoing + sent, out - sent, 0);
    }
}
