// The limit of what one direction, and all together, may have queued (I4).
//
// The kernel has none: a sender may queue until memory runs out. Bytes can be
// read off the peer; the number of messages cannot (each costs a kilobyte of
// slab, whatever its size), so it is bounded from above: the queue holds the
// last messages sent, and when everything up to a mark has been read, only
// those after the mark can be left. To look at the peer for every message
// would be work per message, so a look buys credit for the next few.
#ifndef SOCKACCEL_QUEUE_H
#define SOCKACCEL_QUEUE_H

#include "pair.h"
#include "peer.h"

#define MESSAGE_COST 1024	// of struct sk_msg, kmalloc-1k
#define CREDIT_BYTES (64 << 10)
#define CREDIT_MSGS 32

static __always_inline __u64 smaller(__u64 a, __u64 b)
{
	return a < b ? a : b;
}

static __always_inline bool charge(struct pair_end *end, __u64 want)
{
	__s64 delta = (__s64)want - end->charge;

	if (delta > 0 && __sync_fetch_and_add(&charged, delta) + delta > (__s64)limit_total) {
		__sync_fetch_and_add(&charged, -delta);
		return false;
	}
	if (delta < 0)
		__sync_fetch_and_add(&charged, delta);
	end->charge = want;
	return true;
}

// TCP lets a receive buffer grow unless its owner has fixed it. Queued bytes that
// are charged to a fixed one and exceed it would make TCP drop what follows the
// hand-over and, its window shut, ignore the acknowledgements of what the reader
// itself sends: half of it is left to TCP.
//
// Another one grows when TCP looks at the first segment, but while its owner is
// reading that waits in the backlog, which takes none where more is charged than
// this (tcp_add_backlog): it would be lost, and the stream stand still for the
// sender's retransmission timeout, doubled each time that the owner is at it.
static __always_inline __u64 byte_limit(__u64 sk)
{
	struct sock *peer = (struct sock *)sk;
	__u64 rcvbuf, sndbuf;

	if (!rmem_charged)
		return limit_bytes;
	rcvbuf = (__u32)FIELD(sk, sock, sk_rcvbuf);
	if (BPF_CORE_READ_BITFIELD_PROBED(peer, sk_userlocks) & SOCK_RCVBUF_LOCK)
		return smaller(rcvbuf / 2, limit_bytes);
	sndbuf = (__u32)FIELD(sk, sock, sk_sndbuf);
	return smaller(2 * rcvbuf + sndbuf / 2, limit_bytes);
}

// Looks at the peer's queue and buys credit; false when this message of size
// bytes would go over a limit.
static __always_inline bool buy_credit(struct conn *c, struct pair *p, __u32 size)
{
	__u64 queued = queue_bytes(c->peer_sk), msgs, cost, bytes_left, grant, grant_msgs, limit;
	struct pair_end *end = &p->end[c->role & 1];
	__s64 connections = live;

	if (queued != ~0ULL)
		c->base_bytes = c->sent_bytes - queued;
	queued = c->sent_bytes - c->base_bytes;
	if (!queued)
		c->base_msgs = c->sent_msgs;
	if (c->base_bytes >= c->mark_bytes) {
		if (c->mark_msgs > c->base_msgs)
			c->base_msgs = c->mark_msgs;
		c->mark_bytes = c->sent_bytes;
		c->mark_msgs = c->sent_msgs;
	}
	msgs = c->sent_msgs - c->base_msgs;
	limit = byte_limit(c->peer_sk);
	// An empty queue takes a message of any size, if the buffer allows the most.
	if ((queued || limit < limit_bytes) && queued + size > limit)
		return false;
	if (queued && msgs >= limit_msgs)
		return false;

	cost = queued + size + (msgs + 1) * MESSAGE_COST;
	bytes_left = limit - smaller(queued + size, limit);
	// All credit of idle connections together is a quarter of the total.
	if (connections < 1)
		connections = 1;
	grant = smaller(smaller(bytes_left / 4, CREDIT_BYTES), limit_total / (8 * connections));
	grant_msgs = smaller(smaller((limit_msgs - smaller(msgs, limit_msgs)) / 4, CREDIT_MSGS),
			     grant / MESSAGE_COST);
	if (!charge(end, cost + grant + grant_msgs * MESSAGE_COST)) {
		grant = 0;
		grant_msgs = 0;
		if (!charge(end, cost))
			return false;
	}
	c->credit_bytes = grant;
	c->credit_msgs = grant_msgs;
	return true;
}

#endif
