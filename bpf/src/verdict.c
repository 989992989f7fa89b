// sk_msg: where does this message go?
//
// I1: the unread bytes of a direction are in the TCP queue or in the psock
// queue, never in both. A reader drains the psock queue first, so
//   TCP -> redirect needs peer.copied_seq == own write_seq: all that ever went
//       by TCP has been read;
//   redirect -> TCP keeps the order at any time, but an edge-triggered reader
//       that trusts short reads would stop at the seam: softly, when the peer's
//       queue is empty, or hard, with the sidecar waking the reader.
// The program runs with the sender's socket locked. It always returns SK_PASS,
// which the kernel takes as "redirect" when the helper has set a target:
// SK_DROP would close the socket for sending for ever.
#include "queue.h"

enum choice { REDIRECT, BY_TCP };

static __always_inline int by_tcp(struct sk_msg_md *msg, enum stay why)
{
	struct counters *k = counters();

	if (k) {
		k->tcp_messages++;
		k->tcp_bytes += msg->size;
		k->stayed[why]++;
	}
	return SK_PASS;
}

static __always_inline int redirect(struct sk_msg_md *msg, struct conn *c)
{
	struct counters *k;
	__u32 size = msg->size;

	if (bpf_msg_redirect_hash(msg, &socks, &c->peer_cookie, BPF_F_INGRESS) != SK_PASS) {
		c->path = PATH_TCP;
		return by_tcp(msg, STAY_PEER_GONE);	// it has just closed
	}
	c->sent_bytes += size;
	c->sent_msgs++;
	k = counters();
	if (k) {
		k->redirected_messages++;
		k->redirected_bytes += size;
	}
	return SK_PASS;
}

// Reads the pair record again: on the first message, and whenever the control
// state of any pair changed.
static __always_inline void resolve(struct conn *c)
{
	enum role role = c->role & 1, other = !role;
	__u32 now = epoch, flags;
	struct pair *p;

	p = bpf_map_lookup_elem(&pairs, &c->key);
	if (!p || p->end[role].cookie != c->cookie) {
		c->peer_cookie = 0;
		c->epoch = now;
		return;
	}
	flags = p->flags;
	// See on_passive: either we see the server's claim or it sees our note.
	if (!p->end[other].cookie && !(flags & PAIR_SENT))
		flags = set_flags(p, PAIR_SENT);
	c->peer_sk = p->end[other].sk;
	c->peer_cookie = c->peer_sk ? p->end[other].cookie : 0;
	c->open = !!(flags & F(PAIR_OPEN, other));
	c->leaving = !!(flags & PAIR_LEAVE);
	c->epoch = now;
}

// Both ends leave; a reason is counted.
static __always_inline void withdraw(struct conn *c, __u8 why, __u32 flags)
{
	struct pair *p = bpf_map_lookup_elem(&pairs, &c->key);

	if (!p)
		return;
	leave(p, flags);
	if (why)
		set_why(p, why);
}

// At a limit the direction changes to TCP with bytes still queued: for good, and
// the reader has to be woken when it has come to the seam.
static __always_inline void hand_over(struct conn *c)
{
	enum role other = !(c->role & 1);

	c->path = PATH_LEFT;
	withdraw(c, WHY_NONE, F(PAIR_SEAM, other) | PAIR_FINAL);
}

// Everything that may end redirection for a while or for good: softly, when the
// queue is empty, or hard. Shared with the stub, which is all that is left after
// disable.
static __always_inline enum choice drain(struct conn *c, __u64 own_sk, __u8 next, bool hard)
{
	bool others, unread;

	if (c->path == PATH_REDIRECT) {
		// Another thread's message may be on its way to the queue still, or
		// arrive there while we look: so that first.
		others = psock_refs(own_sk) > 2;
		unread = !queue_empty(c->peer_sk);
		if (unread && !hard)
			return REDIRECT;
		if (unread || others)
			withdraw(c, WHY_NONE, BOTH(PAIR_SEAM));
	}
	c->path = next;
	return BY_TCP;
}

static __always_inline bool peer_receives(struct conn *c)
{
	__u8 state = FIELD(c->peer_sk, sock, __sk_common.skc_state);

	// The cookie last: it vouches for the state.
	barrier();
	return peer_cookie(c->peer_sk) == c->peer_cookie && state_receives(state);
}

static __always_inline bool self_sends(struct sock *sk)
{
	return state_sends(sk->__sk_common.skc_state) && !(sk->sk_shutdown & SEND_SHUTDOWN);
}

// Every message looks, because nothing tells when a program makes its socket
// blocking; the locals keep it at three loads.
static __always_inline bool blocking(struct sock *sk)
{
	struct socket *socket = sk->sk_socket;
	struct file *file = socket ? socket->file : NULL;

	return !file || !(file->f_flags & O_NONBLOCK);
}

SEC("sk_msg")
int sockaccel_verdict(struct sk_msg_md *msg)
{
	struct bpf_sock *self = msg->sk;
	__u32 size = msg->size;
	struct tcp_sock *tp;
	struct sock *sk;
	struct conn *c;
	struct pair *p;

	if (!self)
		return SK_PASS;
	c = bpf_sk_storage_get(&conns, self, 0, 0);
	tp = &bpf_rdonly_cast ? CAST(self, tcp_sock) : bpf_skc_to_tcp_sock(self);
	if (!c || !tp)
		return SK_PASS;	// not ours
	if (c->path == PATH_LEFT)
		return by_tcp(msg, STAY_DRAINING);
	if (c->epoch != epoch || !c->peer_cookie)
		resolve(c);
	if (!c->peer_cookie)
		return by_tcp(msg, STAY_UNDRAINED);	// nobody has claimed yet
	sk = &tp->inet_conn.icsk_inet.sk;
	// TCP's own answer after SHUT_WR (EPIPE), and no plaintext past a ULP.
	if (!self_sends(sk) || tp->inet_conn.icsk_ulp_ops)
		return SK_PASS;
	if (!peer_receives(c))
		return by_tcp(msg, STAY_PEER_GONE);

	if (blocking(sk)) {
		// What it sees of the map is its reads: it waits for no peer.
		if (!c->leaving)
			withdraw(c, WHY_BLOCKING, PAIR_FINAL | BOTH(PAIR_SEAM));
		c->leaving = 1;
	}
	if (c->leaving || draining) {
		// Leaving and not open: the sweep is about to take both out.
		if (drain(c, (__u64)tp, PATH_LEFT, !c->open || draining > 1) == BY_TCP)
			return by_tcp(msg, STAY_DRAINING);
	} else if (bpf_jiffies64() > alive_until) {
		// I5: nobody nurses us. Redirection resumes with the sidecar.
		if (drain(c, (__u64)tp, PATH_TCP, false) == BY_TCP) {
			// A reader that cannot count it is woken by the next sidecar.
			if (blind_tcp)
				withdraw(c, WHY_FIONREAD, BOTH(PAIR_SEAM));
			return by_tcp(msg, STAY_DRAINING);
		}
	} else if (c->path == PATH_TCP) {
		if (!c->open)
			return by_tcp(msg, STAY_UNDRAINED);	// being adopted
		if (FIELD(c->peer_sk, tcp_sock, copied_seq) != tp->write_seq) {
			// A reader here cannot count what came by TCP.
			if (blind_tcp)
				withdraw(c, WHY_FIONREAD, BOTH(PAIR_SEAM));
			return by_tcp(msg, STAY_UNDRAINED);
		}
		c->checked = 0;	// the reader may have been made blocking meanwhile
	}
	if (!c->checked) {
		if (peer_blocking(c->peer_sk)) {
			// A server may not have come to making it non-blocking.
			withdraw(c, WHY_BLOCKING, (c->sent_msgs ? PAIR_FINAL : 0) | BOTH(PAIR_SEAM));
			c->path = PATH_LEFT;
			return by_tcp(msg, STAY_DRAINING);
		}
		c->checked = peer_accepted(c->peer_sk);
	}
	if (size <= c->credit_bytes && c->credit_msgs) {
		c->credit_bytes -= size;
		c->credit_msgs--;
	} else {
		p = bpf_map_lookup_elem(&pairs, &c->key);
		if (!p || !buy_credit(c, p, size)) {
			hand_over(c);
			return by_tcp(msg, STAY_LIMIT);
		}
		// The reader may have been made blocking meanwhile.
		c->checked = 0;
	}
	c->path = PATH_REDIRECT;
	return redirect(msg, c);
}

// What live sockets keep for ever. With the verdict gone (after disable gave up
// waiting) it only drains.
SEC("sk_msg")
int sockaccel_stub(struct sk_msg_md *msg)
{
	struct bpf_sock *self = msg->sk;
	struct conn *c;

	bpf_tail_call(msg, &verdicts, 0);
	if (!self)
		return SK_PASS;
	c = bpf_sk_storage_get(&conns, self, 0, 0);
	if (!c || !c->peer_cookie || c->path != PATH_REDIRECT || !peer_receives(c))
		return SK_PASS;
	if (drain(c, 0, PATH_LEFT, false) == BY_TCP)
		return by_tcp(msg, STAY_DRAINING);
	return redirect(msg, c);
}
