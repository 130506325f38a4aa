/* A peer of bench/roughtime.py: what the kernel alone costs for packets of these sizes.
 *
 * echo PORT TAKEN GIVEN: of every packet of TAKEN bytes that comes to 127.0.0.1:PORT the first GIVEN go back, in batches of
 * 64 by recvmmsg and sendmmsg, until it is ended. Nothing is read, hashed or signed: a floor, not a server. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { BATCH = 64, ROOM = 2048, BUFFER = 1 << 22 };

static uint8_t packets[BATCH][ROOM];
static struct sockaddr_in names[BATCH];
static struct mmsghdr incoming[BATCH], outgoing[BATCH];
static struct iovec in_vectors[BATCH], out_vectors[BATCH];

int main(int count, char **arguments)
{
    int room = BUFFER, descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (count != 4)
        return 1;
    here.sin_port = htons((uint16_t)atoi(arguments[1]));
    unsigned taken = (unsigned)atoi(arguments[2]), given = (unsigned)atoi(arguments[3]);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (given > taken || taken > ROOM || bind(descriptor, (struct sockaddr *)&here, sizeof here)) {
        perror("echo");
        return 1;
    }
    for (;;) {
        for (int k = 0; k < BATCH; k++) {
            in_vectors[k] = (struct iovec){packets[k], ROOM};
            incoming[k].msg_hdr = (struct msghdr){&names[k], sizeof names[k], &in_vectors[k], 1, NULL, 0, 0};
        }
        int received = recvmmsg(descriptor, incoming, BATCH, MSG_WAITFORONE, NULL), ready = 0;
        for (int k = 0; k < received; k++) {
            if (incoming[k].msg_len != taken)
                continue;
            out_vectors[ready] = (struct iovec){packets[k], given};
            outgoing[ready].msg_hdr = (struct msghdr){&names[k], sizeof names[k], &out_vectors[ready], 1, NULL, 0, 0};
            ready++;
        }
        for (int done = 0; done < ready;) {
            int sent = sendmmsg(descriptor, outgoing + done, ready - done, 0);
            done += sent > 0 ? sent : 1;
        }
    }
}
