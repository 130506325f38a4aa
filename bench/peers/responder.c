/* The peer of bench/server.py: the least an NTP responder in C can do with kernel receive stamps.
 *
 * responder PORT: answers mode 3 requests on 127.0.0.1:PORT from CLOCK_REALTIME, in batches of 64 by recvmmsg and sendmmsg,
 * until it is ended. No access list, no limits, no leases, no check of anything but length and mode: a floor, not a server. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, PACKET = 48, ROOM = 128 };
#define NTP_MINUS_UNIX 2208988800u

static uint8_t requests[BATCH][ROOM], replies[BATCH][PACKET];
static struct sockaddr_in names[BATCH];
static uint8_t controls[BATCH][64] __attribute__((aligned(8)));
static struct mmsghdr incoming[BATCH], outgoing[BATCH];
static struct iovec in_vectors[BATCH], out_vectors[BATCH];

static void put_stamp(uint8_t *at, const struct timespec *when)
{
    uint32_t seconds = htonl((uint32_t)when->tv_sec + NTP_MINUS_UNIX);
    uint32_t fraction = htonl((uint32_t)(((uint64_t)when->tv_nsec << 32) / 1000000000u));
    memcpy(at, &seconds, 4);
    memcpy(at + 4, &fraction, 4);
}

static void put_reply(uint8_t *out, const uint8_t *request, const struct timespec *received)
{
    struct timespec now;
    memset(out, 0, PACKET);
    out[0] = (request[0] & 0x38) | 4;
    out[1] = 1;
    out[2] = request[2];
    out[3] = (uint8_t)-24;
    memcpy(out + 12, "GPS", 3);
    memcpy(out + 24, request + 40, 8);
    put_stamp(out + 16, received);
    put_stamp(out + 32, received);
    clock_gettime(CLOCK_REALTIME, &now);
    put_stamp(out + 40, &now);
}

static void stamp_of(struct msghdr *message, struct timespec *stamp)
{
    for (struct cmsghdr *each = CMSG_FIRSTHDR(message); each; each = CMSG_NXTHDR(message, each))
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(stamp, CMSG_DATA(each), sizeof *stamp);
            return;
        }
    clock_gettime(CLOCK_REALTIME, stamp);
}

int main(int count, char **arguments)
{
    int one = 1, descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (count != 2)
        return 1;
    here.sin_port = htons((uint16_t)atoi(arguments[1]));
    setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    if (bind(descriptor, (struct sockaddr *)&here, sizeof here)) {
        perror("bind");
        return 1;
    }
    for (;;) {
        for (int k = 0; k < BATCH; k++) {
            in_vectors[k] = (struct iovec){requests[k], ROOM};
            incoming[k].msg_hdr = (struct msghdr){&names[k], sizeof names[k], &in_vectors[k], 1, controls[k], sizeof controls[k], 0};
        }
        int received = recvmmsg(descriptor, incoming, BATCH, MSG_WAITFORONE, NULL), ready = 0;
        for (int k = 0; k < received; k++) {
            struct timespec stamp;
            if (incoming[k].msg_len < PACKET || (requests[k][0] & 7) != 3)
                continue;
            stamp_of(&incoming[k].msg_hdr, &stamp);
            put_reply(replies[ready], requests[k], &stamp);
            out_vectors[ready] = (struct iovec){replies[ready], PACKET};
            outgoing[ready].msg_hdr = (struct msghdr){&names[k], sizeof names[k], &out_vectors[ready], 1, NULL, 0, 0};
            ready++;
        }
        for (int done = 0; done < ready;) {
            int sent = sendmmsg(descriptor, outgoing + done, ready - done, 0);
            done += sent > 0 ? sent : 1;
        }
    }
}
