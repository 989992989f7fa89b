// Pair records: who is the peer? A record is created by the first claimant of
// a pair of initial sequence numbers and completed by the second, who must be
// its opposite. Flags are only changed by atomic operations, because both ends,
// the sidecar and a closing socket may all be at it.
#ifndef SOCKACCEL_PAIR_H
#define SOCKACCEL_PAIR_H

#include "filter.h"
#include "maps.h"
#include "trust.h"

static __always_inline void fill_end(struct pair_end *end, struct tcp_sock *tp,
				     struct conn *c)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	end->sk = (__u64)tp;
	end->cookie = c->cookie;
	end->id = c->id;
	end->filter = c->filter;
	end->netns = sk->__sk_common.skc_net.net->ns.inum;
	read_tuple(&end->tuple, sk);
}

// The ends see different addresses: something between them translates, and
// keeps state that ages.
static __always_inline bool translated(const struct pair *p)
{
	const struct tuple *a = &p->end[ACTIVE].tuple, *b = &p->end[PASSIVE].tuple;

	return a->local_port != b->remote_port || a->remote_port != b->local_port ||
	       a->local[0] != b->remote[0] || a->remote[0] != b->local[0] ||
	       a->local[1] != b->remote[1] || a->remote[1] != b->local[1] ||
	       a->local[2] != b->remote[2] || a->remote[2] != b->local[2] ||
	       a->local[3] != b->remote[3] || a->remote[3] != b->local[3];
}

// Nothing between the ends sees redirected data. So that its state (conntrack,
// IPVS: 15 minutes) does not age away under a connection in use, the server's
// TCP sends keepalives, unless the program has asked for its own. ctx is what
// bpf_setsockopt takes: the sock_ops context or the socket.
#define KEEPALIVE_IDLE 300	// seconds
#define keep_alive(ctx, sk)                                                          \
	({                                                                           \
		int __on = 1, __idle = KEEPALIVE_IDLE;                               \
		if (!sock_keeps_alive(sk) &&                                         \
		    !bpf_setsockopt(ctx, SOL_TCP, TCP_KEEPIDLE, &__idle, sizeof(__idle))) \
			bpf_setsockopt(ctx, SOL_SOCKET, SO_KEEPALIVE, &__on, sizeof(__on)); \
	})

static __always_inline long add_pair(struct pair_key *key, struct pair *p)
{
	long err = bpf_map_update_elem(&pairs, key, p, BPF_NOEXIST);

	if (!err)
		__sync_fetch_and_add(&records, 1);
	return err;
}

static __always_inline void drop_pair(const struct pair_key *key)
{
	if (!bpf_map_delete_elem(&pairs, key))
		__sync_fetch_and_add(&records, -1);
}

static __always_inline void count_why(__u8 why, __s64 n)
{
	struct counters *c = counters();

	if (c && why)
		c->not_accelerated[why & (REASON_SLOTS - 1)] += n;
}

// The reason counts once per connection and is taken back when the connection
// is accelerated after all.
static __always_inline void set_why(struct pair *p, __u8 why)
{
	__u8 old = p->why;

	if (old == why)
		return;
	p->why = why;
	count_why(old, -1);
	count_why(why, 1);
}

static __always_inline __u32 set_flags(struct pair *p, __u32 flags)
{
	return __sync_fetch_and_or(&p->flags, flags);
}

static __always_inline __u32 clear_flags(struct pair *p, __u32 flags)
{
	return __sync_fetch_and_and(&p->flags, ~flags);
}

static __always_inline void new_epoch(void)
{
	__sync_fetch_and_add(&epoch, 1);
}

// Both ends go back to TCP, each direction when its queue is empty (I1), and
// the sidecar takes them out of the sockhash.
static __always_inline void leave(struct pair *p, __u32 extra)
{
	// Until it is out it may receive by TCP what its reader cannot count.
	__u32 old = set_flags(p, PAIR_LEAVE | extra | (blind_tcp ? BOTH(PAIR_SEAM) : 0));
	struct counters *c;

	if (old & PAIR_LEAVE)
		return;
	if (clear_flags(p, PAIR_LIVE) & PAIR_LIVE) {
		__sync_fetch_and_add(&live, -1);
		c = counters();
		if (c)
			c->handed_over++;
	}
	new_epoch();
	notify(EVENT_LEAVE, 0);
}

// Both ends are in the sockhash and may be redirected to.
static __always_inline void go_live(struct pair *p)
{
	struct counters *c;

	if (set_flags(p, PAIR_LIVE) & PAIR_LIVE)
		return;
	__sync_fetch_and_add(&live, 1);
	set_why(p, WHY_NONE);
	c = counters();
	if (!c)
		return;
	if (!(set_flags(p, PAIR_COUNTED) & PAIR_COUNTED))
		c->paired++;
	if (p->flags & PAIR_ADOPTED)
		c->adopted++;
}

static __always_inline void uncharge(struct pair *p, enum role role)
{
	__u32 held = __sync_lock_test_and_set(&p->end[role].charge, 0);

	if (held)
		__sync_fetch_and_add(&charged, -(__s64)held);
}

// An end reached TCP_CLOSE. The record stays until both have: the other end
// may still hold unread bytes.
static __always_inline void close_end(struct pair *p, const struct pair_key *key,
				      enum role role)
{
	__u32 now = set_flags(p, F(PAIR_CLOSED, role)) | F(PAIR_CLOSED, role);

	if (clear_flags(p, PAIR_LIVE) & PAIR_LIVE)
		__sync_fetch_and_add(&live, -1);
	if ((now & BOTH(PAIR_CLOSED)) != BOTH(PAIR_CLOSED) &&
	    p->end[ACTIVE].cookie && p->end[PASSIVE].cookie)
		return;
	uncharge(p, ACTIVE);
	uncharge(p, PASSIVE);
	drop_pair(key);
}

#endif
