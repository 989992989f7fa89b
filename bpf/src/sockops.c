// sock_ops: finds the two ends of a connection when it is established.
//
// The client's callback runs before the server's (but for TCP Fast Open, whose
// numbers do not match then: it stays on TCP). So the client creates the pair
// record and enters the sockhash, because it cannot do so later; the server
// completes the record, or finds none and knows that its peer is remote or out
// of scope.
#include "pair.h"

static __always_inline void refuse(struct conn *c, __u8 why)
{
	c->state = CONN_REFUSED;
	c->why = why;
	count_why(why, 1);
}

// A socket starts its life as this connection's end; false when this cookie
// was another connection before (connect(AF_UNSPEC)), or is seen a second time
// because the program is attached to several ancestors.
static __always_inline bool begin(struct bpf_sock_ops *ctx, struct conn *c,
				  struct tcp_sock *tp, __u8 role)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct tuple tuple;

	if (c->cookie == cookie && c->state != CONN_NEW)
		return false;
	// Where the child was cloned from its listener, the id stays: it is
	// the listener's evidence that counts.
	if (role == PASSIVE && c->state != CONN_LISTENER) {
		c->id = 0;
		c->mptcp = 0;
	}
	c->cookie = cookie;
	c->role = role;
	c->state = CONN_OPEN;
	c->path = PATH_TCP;
	c->filter_gen = filter_gen;
	read_tuple(&tuple, &tp->inet_conn.icsk_inet.sk);
	c->filter = filter_end(&tuple, c->filter_gen);
	return true;
}

// connect(2) runs in its caller, so this is where a client's process is known.
static __always_inline void on_connect(struct bpf_sock_ops *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_sock *sk = ctx->sk;
	struct conn *c;

	if (!sk)
		return;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		return;	// out of memory: stays on TCP
	// The setsockopt hook refuses before a socket has its cookie here.
	if (c->state == CONN_REFUSED || (c->cookie && c->state != CONN_NEW)) {
		// A cookie names a socket, not a connection: a reused socket
		// is never accelerated again. What it had not read is of the
		// connection before, and TCP dropped its part of that too.
		c->cookie = bpf_get_socket_cookie(ctx);
		bpf_map_delete_elem(&socks, &c->cookie);
		if (c->state != CONN_REFUSED)
			refuse(c, WHY_IN_USE);
		return;
	}
	c->cookie = bpf_get_socket_cookie(ctx);
	c->state = CONN_NEW;
	c->id = process_id(task);
}

static __always_inline void on_listen(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;
	struct conn *c;

	if (!sk)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!tp || !c)
		return;
	c->mptcp = tp->is_mptcp;
	c->cookie = bpf_get_socket_cookie(ctx);
	c->id = c->cookie;
	c->state = CONN_LISTENER;
	bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_STATE_CB_FLAG);
}

static __always_inline bool own_blocking(struct tcp_sock *tp)
{
	struct socket *socket = tp->inet_conn.icsk_inet.sk.sk_socket;

	return !socket || !socket->file || !(socket->file->f_flags & O_NONBLOCK);
}

static __always_inline void on_active(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;
	struct pair fresh = {}, *p;
	enum reason why;
	struct conn *c;
	long err;

	if (!sk || draining)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c || !begin(ctx, c, tp, ACTIVE))
		return;
	why = unfit(tp, c);
	// TCP_REPAIR connects without a segment and with numbers of its choice.
	if (!why && !ctx->skb_len)
		why = WHY_IN_USE;
	if (why) {
		refuse(c, why);
		return;
	}
	c->key.client = tp->snd_nxt;
	c->key.server = tp->rcv_nxt;
	fill_end(&fresh.end[ACTIVE], tp, c);
	fresh.born = bpf_ktime_get_coarse_ns();
	err = add_pair(&c->key, &fresh);
	if (err) {
		// Another claimant of the same numbers: neither is believed.
		p = bpf_map_lookup_elem(&pairs, &c->key);
		if (p) {
			set_why(p, WHY_AMBIGUOUS);
			leave(p, PAIR_AMBIGUOUS | PAIR_FINAL);
		}
		refuse(c, p ? WHY_AMBIGUOUS : WHY_MAP_FULL);
		return;
	}
	p = bpf_map_lookup_elem(&pairs, &c->key);
	if (!p)
		return;
	bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_STATE_CB_FLAG);
	if (c->filter & FILTER_EXCLUDED)
		return;	// the server counts it when it claims
	if (distrust(c->id, false) || own_blocking(tp))
		return;	// adopted later, when its process is trusted
	// Before the insertion, so that whoever sees the record sees it.
	set_flags(p, F(PAIR_IN_MAP, ACTIVE));
	err = bpf_sock_hash_update(ctx, &socks, &c->cookie, BPF_NOEXIST);
	if (err) {
		clear_flags(p, F(PAIR_IN_MAP, ACTIVE));
		set_why(p, insert_error(err));
	}
}

// The client leaves again, before anything was redirected in either direction.
static __always_inline void expel_client(struct pair *p)
{
	__u64 cookie = p->end[ACTIVE].cookie;

	if (clear_flags(p, F(PAIR_IN_MAP, ACTIVE)) & F(PAIR_IN_MAP, ACTIVE))
		bpf_map_delete_elem(&socks, &cookie);
}

static __always_inline void on_passive(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct tcp_sock *tp;
	enum reason why, client_why;
	struct pair_end end = {};
	struct conn *c;
	struct pair *p;
	long err;

	if (!sk || draining)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c || !begin(ctx, c, tp, PASSIVE))
		return;
	c->key.client = tp->rcv_nxt;
	c->key.server = tp->snd_nxt;
	p = bpf_map_lookup_elem(&pairs, &c->key);
	if (!p) {
		// The client's callback ran before ours, if it ran at all.
		c->state = CONN_REMOTE;
		c->why = WHY_REMOTE;
		count_why(WHY_REMOTE, 1);
		return;
	}
	if (p->end[ACTIVE].cookie == c->cookie) {
		// Simultaneous open with itself.
		leave(p, PAIR_FINAL);
		refuse(c, WHY_IN_USE);
		return;
	}
	if (__sync_val_compare_and_swap(&p->end[PASSIVE].cookie, 0, c->cookie)) {
		set_why(p, WHY_AMBIGUOUS);
		leave(p, PAIR_AMBIGUOUS | PAIR_FINAL);
		refuse(c, WHY_AMBIGUOUS);
		return;
	}
	fill_end(&end, tp, c);
	p->end[PASSIVE].id = end.id;
	p->end[PASSIVE].netns = end.netns;
	p->end[PASSIVE].filter = end.filter;
	p->end[PASSIVE].tuple = end.tuple;
	// Last, because a peer without an address is not resolved.
	p->end[PASSIVE].sk = end.sk;
	bpf_sock_ops_cb_flags_set(ctx, BPF_SOCK_OPS_STATE_CB_FLAG);

	why = unfit(tp, c);
	if (!why && !filter_passes(p->end[ACTIVE].filter, c->filter))
		why = WHY_EXCLUDED;
	if (why) {
		// Not to be looked at again: the client's passes would put what
		// they find in the place of this reason.
		if (why != WHY_EXCLUDED) {
			c->state = CONN_REFUSED;
			set_flags(p, PAIR_FINAL);
		}
		expel_client(p);
		set_why(p, why);
		return;
	}
	why = distrust(c->id, true);
	client_why = distrust(p->end[ACTIVE].id, false);
	if (!why)
		why = client_why;
	if (!why && !(p->flags & F(PAIR_IN_MAP, ACTIVE)))
		why = p->why ? p->why : WHY_BLOCKING;
	if (why) {
		expel_client(p);
		// Its client may have been barred meanwhile, which stands.
		if (!(p->flags & PAIR_FINAL))
			set_why(p, why);
		return;
	}
	// The claim above and the client's note are both full barriers: either
	// the client sees us and redirects, or we see that it has sent by TCP.
	if (blind_tcp && (set_flags(p, 0) & PAIR_SENT)) {
		expel_client(p);
		set_why(p, WHY_FIONREAD);
		notify(EVENT_ADOPT, p->end[PASSIVE].netns);
		return;
	}
	set_flags(p, F(PAIR_IN_MAP, PASSIVE));
	err = bpf_sock_hash_update(ctx, &socks, &c->cookie, BPF_NOEXIST);
	if (err) {
		clear_flags(p, F(PAIR_IN_MAP, PASSIVE));
		expel_client(p);
		set_why(p, insert_error(err));
		return;
	}
	set_flags(p, BOTH(PAIR_OPEN));
	go_live(p);
	if (translated(p))
		keep_alive(ctx, &tp->inet_conn.icsk_inet.sk);
}

// The client's first data was acknowledged. A server in scope would have
// claimed by now: this one is remote, and has to cost nothing.
static __always_inline void on_rtt(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct conn *c;
	struct pair *p;

	bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_RTT_CB_FLAG);
	if (!sk)
		return;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!c || c->state != CONN_OPEN)
		return;
	p = bpf_map_lookup_elem(&pairs, &c->key);
	if (!p || p->end[ACTIVE].cookie != c->cookie || p->end[PASSIVE].cookie)
		return;
	expel_client(p);
	c->state = CONN_REMOTE;
	count_why(c->filter & FILTER_EXCLUDED ? WHY_EXCLUDED : WHY_REMOTE, 1);
	drop_pair(&c->key);
}

static __always_inline void on_close(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	struct conn *c;
	struct pair *p;

	if (!sk)
		return;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!c || c->cookie != bpf_get_socket_cookie(ctx))
		return;
	if (c->state == CONN_LISTENER) {
		bpf_map_delete_elem(&readers, &c->id);
		return;
	}
	p = bpf_map_lookup_elem(&pairs, &c->key);
	if (p && p->end[c->role & 1].cookie == c->cookie)
		close_end(p, &c->key, c->role & 1);
}

SEC("sockops")
int sockaccel_sockops(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		on_connect(ctx);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		on_listen(ctx);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		on_active(ctx);
		break;
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		on_passive(ctx);
		break;
	case BPF_SOCK_OPS_RTT_CB:
		on_rtt(ctx);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		if (ctx->args[1] == BPF_TCP_CLOSE)
			on_close(ctx);
		break;
	}
	return 1;
}
