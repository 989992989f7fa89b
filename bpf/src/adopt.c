// iter/tcp: visits every TCP socket of a network namespace, locked.
//
// A visit tracks what it has not seen before, adopts what has earned it, makes
// leave what may no longer be accelerated, and wakes readers at the seam.
// Several passes make an adoption; between two of them every operation that
// began before the socket entered the sockhash has ended:
//   the ends of a living connection find each other (claims),
//   each end is found ready (trusted, non-blocking, drained),
//   each enters when the other is ready,
//   each is opened for redirection when both have been in for a pass.
#include "claim.h"
#include "file.h"
#include "pair.h"
#include "peer.h"

// Entries, of both ends, before a connection that had to leave again and again
// (its readers are never drained) is left alone.
#define MAX_TRIES 64

// One in so many tries to enter a full map in a pass.
#define FULL_SHARE 16

// Visits without progress that tell a reader that stopped from a busy one.
#define STUCK_VISITS 8

static __always_inline bool in_scope(struct sock *sk)
{
	struct cgroup *cgroup = sk->sk_cgrp_data.cgroup, *ancestor;
	int level, i;
	__u64 id;

	if (!cgroup)
		return false;
	level = BPF_CORE_READ(cgroup, level);
	for (i = 0; i < 32; i++) {
		if (i > level)
			break;
		if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor), &cgroup->ancestors[i]))
			break;
		id = BPF_CORE_READ(ancestor, kn, id);
		if (bpf_map_lookup_elem(&scopes, &id))
			return true;
	}
	return false;
}

// A fresh edge for a reader that stopped at the seam: tcp_set_rcvlowat() ends
// in tcp_data_ready().
static __always_inline void wake(struct tcp_sock *tp)
{
	int lowat = tp->inet_conn.icsk_inet.sk.sk_rcvlowat;

	bpf_setsockopt(tp, SOL_SOCKET, SO_RCVLOWAT, &lowat, sizeof(lowat));
}

static __always_inline bool nonblocking(struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.sk_socket->file->f_flags & O_NONBLOCK;
}

// Everything that TCP delivered has been read.
static __always_inline bool drained(struct tcp_sock *tp)
{
	return tp->copied_seq == tp->rcv_nxt;
}

// Why this end may not enter now; WHY_NONE when it is ready, REASONS when it
// is only not accepted yet, or on its way out.
static __always_inline enum reason unready(struct conn *c, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct socket *socket = sk->sk_socket;
	enum reason why = unfit(tp, c);

	if (why)
		return why;
	if (c->spliced)
		return WHY_SPLICE;
	if (sk->sk_shutdown || !socket || !socket->file)
		return REASONS;
	if (!nonblocking(tp))
		return WHY_BLOCKING;
	return distrust(c->id, false);
}

static __always_inline void enter(struct conn *c, struct tcp_sock *tp, struct pair *p,
				  enum role role)
{
	long err;

	if (++p->retries > MAX_TRIES) {
		leave(p, BOTH(PAIR_SEAM) | PAIR_FINAL);
		return;
	}
	c->stuck = 0;
	c->path = PATH_TCP;
	c->credit_bytes = 0;
	c->credit_msgs = 0;
	c->checked = 0;
	c->peer_cookie = 0;
	p->end[role].entered = pass;
	set_flags(p, PAIR_ADOPTED | F(PAIR_IN_MAP, role));
	err = bpf_map_update_elem(&socks, &c->cookie, tp, BPF_NOEXIST);
	if (err) {
		clear_flags(p, F(PAIR_IN_MAP, role));
		leave(p, 0);
		set_why(p, insert_error(err));
		return;
	}
	if (role == PASSIVE && translated(p))
		keep_alive(tp, &tp->inet_conn.icsk_inet.sk);
}

// Nothing that its peer sent by TCP is unread, or on its way still: what waits
// in the peer's send queue comes after we looked.
static __always_inline bool all_read(struct tcp_sock *tp, struct pair *p, enum role role)
{
	return drained(tp) && FIELD(p->end[!role].sk, tcp_sock, write_seq) == tp->copied_seq;
}

// Where FIONREAD does not count TCP bytes of a socket in the map: what came by
// TCP between entry and the first redirect may have stopped a reader that asks
// it, with nothing more to come. Such a reader makes no progress.
static __always_inline void watch_blind(struct conn *c, struct tcp_sock *tp, struct pair *p,
					enum role role)
{
	// A send under way may have taken its verdict before we opened.
	if (all_read(tp, p, role) && psock_refs(p->end[!role].sk) <= 1)
		return;
	pending++;
	if (drained(tp) || c->seen != tp->copied_seq)
		c->stuck = 0;
	else if (++c->stuck >= STUCK_VISITS)
		leave(p, BOTH(PAIR_SEAM));
	c->seen = tp->copied_seq;
}

// One step further on the way into the sockhash; see the top of this file.
static __always_inline void bring_on(struct conn *c, struct tcp_sock *tp, struct pair *p,
				     enum role role)
{
	enum role other = !role;
	__u32 flags = p->flags;
	enum reason why;

	if (blind_tcp && (flags & F(PAIR_IN_MAP, role)))
		watch_blind(c, tp, p, role);
	if (flags & F(PAIR_OPEN, role))
		return;
	if (flags & F(PAIR_IN_MAP, role)) {
		pending++;
		if (!(flags & F(PAIR_IN_MAP, other)) || p->end[role].entered == pass ||
		    p->end[other].entered == pass)
			return;
		if (p->flags & PAIR_LEAVE)
			return;
		flags = set_flags(p, F(PAIR_OPEN, role)) | F(PAIR_OPEN, role);
		new_epoch();
		if ((flags & BOTH(PAIR_OPEN)) == BOTH(PAIR_OPEN))
			go_live(p);
		return;
	}
	why = unready(c, tp);
	if (why) {
		clear_flags(p, F(PAIR_READY, role));
		if (flags & F(PAIR_IN_MAP, other))
			leave(p, BOTH(PAIR_SEAM));
		// When it has just left a read under way may still hold its psock:
		// that passes, as REASONS does, and replaces no reason.
		if (why != REASONS && (why != WHY_IN_USE || !p->retries))
			set_why(p, why);
		else if (p->retries)
			pending++;
		return;
	}
	flags = set_flags(p, F(PAIR_READY, role));
	if (!(flags & (F(PAIR_READY, other) | F(PAIR_IN_MAP, other)))) {
		// The other may get ready in this pass; when it has to be
		// trusted first, that is announced.
		if (!(flags & F(PAIR_READY, role)))
			pending++;
		return;
	}
	pending++;
	// Of many that wait for room in a full map only some try at a time: they
	// would take it from each other by halves, for ever.
	if (p->why == WHY_MAP_FULL && !(flags & F(PAIR_IN_MAP, other)) &&
	    bpf_get_prandom_u32() % FULL_SHARE)
		return;
	// Where FIONREAD does not count TCP bytes in the map none may be unread.
	if (!blind_tcp || all_read(tp, p, role))
		enter(c, tp, p, role);
}

// The reader may have stopped at the seam between its two queues, or trusted
// a FIONREAD that did not count; it is out of the sockhash now.
static __always_inline void wake_at_seam(struct conn *c, struct tcp_sock *tp, struct pair *p,
					 enum role role)
{
	if ((p->flags & (F(PAIR_SEAM, role) | F(PAIR_IN_MAP, role))) != F(PAIR_SEAM, role))
		return;
	clear_flags(p, F(PAIR_SEAM, role));
	wake(tp);
}

static __always_inline void reevaluate(struct conn *c, struct sock *sk, bool scoped)
{
	struct tuple tuple;

	c->filter_gen = filter_gen;
	read_tuple(&tuple, sk);
	c->filter = scoped || in_scope(sk) ? filter_end(&tuple, c->filter_gen) : FILTER_EXCLUDED;
	if (c->state != CONN_REMOTE)
		return;
	// Its peer may be in scope now.
	count_why(c->why, -1);
	c->why = WHY_NONE;
	c->tries = 0;
	c->state = c->key.client || c->key.server ? CONN_OPEN : CONN_LIVING;
}

// May this connection be accelerated at all, now?
static __always_inline bool allowed(struct conn *c, struct pair *p, enum role role)
{
	if (!filter_passes(p->end[ACTIVE].filter, p->end[PASSIVE].filter)) {
		p->retries = 0;
		if (p->flags & BOTH(PAIR_IN_MAP))
			leave(p, BOTH(PAIR_SEAM));
		set_why(p, WHY_EXCLUDED);
		return false;
	}
	if (distrust(c->id, false) == WHY_SPLICE) {
		if (p->flags & BOTH(PAIR_IN_MAP))
			leave(p, BOTH(PAIR_SEAM));
		set_flags(p, PAIR_FINAL);
		set_why(p, WHY_SPLICE);
		return false;
	}
	return true;
}

static __always_inline void visit_connection(struct conn *c, struct tcp_sock *tp,
					     bool established, bool scoped)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	enum role role;
	struct pair *p;

	if (c->filter_gen != filter_gen)
		reevaluate(c, sk, scoped);
	if (c->state != CONN_OPEN && c->state != CONN_LIVING)
		return;
	if (!c->id)
		unowned++;
	p = c->state == CONN_OPEN ? bpf_map_lookup_elem(&pairs, &c->key) : NULL;
	role = c->role & 1;
	if (!p || p->end[role].cookie != c->cookie) {
		if (established && !draining && !no_adopt)
			find_peer(c, tp);
		return;
	}
	p->end[role].id = c->id;
	p->end[role].filter = c->filter;
	wake_at_seam(c, tp, p, role);
	if (!established || draining || (p->flags & (PAIR_LEAVE | PAIR_FINAL | BOTH(PAIR_CLOSED))))
		return;
	if (!p->end[!role].cookie)
		return;	// the server is still to claim
	if (allowed(c, p, role) && !no_adopt)
		bring_on(c, tp, p, role);
}

SEC("iter/tcp")
int sockaccel_visit(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_sock *tp;
	struct sock *sk;
	bool scoped = false;
	struct conn *c;
	__u8 state;

	if (!skc)
		return 0;
	state = skc->skc_state;
	if (state != BPF_TCP_ESTABLISHED && state != BPF_TCP_LISTEN &&
	    state != BPF_TCP_CLOSE_WAIT && state != BPF_TCP_FIN_WAIT1 &&
	    state != BPF_TCP_FIN_WAIT2)
		return 0;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return 0;
	visited++;
	sk = &tp->inet_conn.icsk_inet.sk;
	c = bpf_sk_storage_get(&conns, tp, 0, 0);
	if (!c) {
		if (draining || !in_scope(sk))
			return 0;
		scoped = true;
		c = bpf_sk_storage_get(&conns, tp, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (!c)
			return 0;	// out of memory: the next pass finds it
		c->cookie = bpf_get_socket_cookie(tp);
		c->filter_gen = filter_gen - 1;
		if (state == BPF_TCP_LISTEN) {
			c->state = CONN_LISTENER;
			c->id = c->cookie;
			c->mptcp = tp->is_mptcp;
		} else {
			c->state = CONN_LIVING;
		}
	}
	if (state != BPF_TCP_LISTEN)
		visit_connection(c, tp, state == BPF_TCP_ESTABLISHED, scoped);
	return 0;
}

// iter/task_file: whose sockets are those that were there before us? Reads
// tell as well, but idle sockets have none.
SEC("iter/task_file")
int sockaccel_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct conn *c;
	struct sock *sk;

	if (!task || !file)
		return 0;
	sk = marked(file);
	if (!sk)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (c && !c->id)
		c->id = process_id(task);
	return 0;
}
