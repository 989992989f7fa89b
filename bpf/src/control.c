// Programs that the sidecar and the tool run themselves (BPF_PROG_RUN): each is
// one step of control, so that no layout of .bss is known outside of here.
#include "pair.h"
#include "peer.h"

struct bpf_map;

// The heart beats: redirection is allowed for another timeout.
SEC("syscall")
int sockaccel_beat(struct beat_args *args)
{
	alive_until = bpf_jiffies64() + args->timeout_jiffies;
	return 0;
}

SEC("syscall")
int sockaccel_mode(struct mode_args *args)
{
	if (args->set_draining)
		draining = args->draining;
	if (args->set_filter_gen)
		filter_gen = args->filter_gen;
	new_epoch();
	return 0;
}

static long drop_claim(struct bpf_map *map, struct pair_key *key, struct claim *claim, void *ctx)
{
	bpf_map_delete_elem(&claims, key);
	return 0;
}

SEC("syscall")
int sockaccel_pass(struct pass_args *args)
{
	if (args->begin) {
		pass++;
		pending = 0;
		unowned = 0;
		visited = 0;
		return 0;
	}
	passed = pass;
	args->pending = pending;
	args->unowned = unowned;
	args->visited = visited;
	bpf_for_each_map_elem(&claims, drop_claim, NULL, 0);
	return 0;
}

// Makes the sidecar look at once.
SEC("syscall")
int sockaccel_kick(void *ctx)
{
	notify(EVENT_ADOPT, 0);
	return 0;
}

SEC("syscall")
int sockaccel_gauges(struct gauges *g)
{
	g->live = live;
	g->charged = charged;
	g->alive = bpf_jiffies64() <= alive_until;
	g->pass = pass;
	g->passed = passed;
	g->draining = draining;
	g->filter_gen = filter_gen;
	return 0;
}

static __always_inline bool alive(struct pair_end *end)
{
	return end->sk && peer_cookie(end->sk) == end->cookie;
}

static __always_inline bool open_state(struct pair_end *end)
{
	return FIELD(end->sk, sock, __sk_common.skc_state) != BPF_TCP_CLOSE && alive(end);
}

// No send of this end is under way: what has taken its verdict is in the peer's
// queue.
static __always_inline bool quiet(struct pair *p, enum role role)
{
	struct pair_end *end = &p->end[role];

	if (!(p->flags & F(PAIR_IN_MAP, role)) || !end->cookie)
		return true;
	return !alive(end) || psock_refs(end->sk) <= 1;
}

static __always_inline bool unread(struct pair *p, enum role role)
{
	struct pair_end *end = &p->end[role];

	return (p->flags & F(PAIR_IN_MAP, role)) && alive(end) && !queue_empty(end->sk);
}

// This end has read everything. What it sends once it is out goes by TCP, past
// what its peer has not read: so it waits for that too, unless there is a seam
// already, at whose reader the other may be waiting.
static __always_inline bool may_go(struct pair *p, enum role role)
{
	return (p->flags & F(PAIR_IN_MAP, role)) && !unread(p, role) &&
	       ((p->flags & BOTH(PAIR_SEAM)) || !unread(p, !role));
}

static __always_inline void sweep_end(struct pair_key *key, struct pair *p, enum role role,
				      struct sweep_args *args)
{
	struct removal *r;

	if (!may_go(p, role))
		return;
	r = bpf_map_lookup_elem(&removals, &args->ready);
	if (!r)
		return;	// full: the next sweep
	if (unread(p, !role))
		set_flags(p, F(PAIR_SEAM, !role));
	r->key = *key;
	r->cookie = p->end[role].cookie;
	r->role = role;
	args->ready++;
}

static __always_inline bool to_wake(struct pair *p, enum role role)
{
	return (p->flags & (F(PAIR_SEAM, role) | F(PAIR_IN_MAP, role))) == F(PAIR_SEAM, role) &&
	       open_state(&p->end[role]);
}

// Both ends are out: they may be adopted again, unless the pair is final.
static __always_inline void allow_again(struct pair *p)
{
	clear_flags(p, PAIR_LEAVE | BOTH(PAIR_OPEN) | BOTH(PAIR_READY));
	new_epoch();
	if (!draining)
		notify(EVENT_ADOPT, 0);
}

static long sweep_pair(struct bpf_map *map, struct pair_key *key, struct pair *p,
		       struct sweep_args *args)
{
	bool matched = p->end[ACTIVE].cookie && p->end[PASSIVE].cookie;

	args->pairs++;
	// Sockets from before us tell nobody when they close.
	if (p->flags & PAIR_ADOPTED) {
		if (!(p->flags & F(PAIR_CLOSED, ACTIVE)) && !open_state(&p->end[ACTIVE]))
			set_flags(p, F(PAIR_CLOSED, ACTIVE));
		if (!(p->flags & F(PAIR_CLOSED, PASSIVE)) && !open_state(&p->end[PASSIVE]))
			set_flags(p, F(PAIR_CLOSED, PASSIVE));
		if ((p->flags & BOTH(PAIR_CLOSED)) == BOTH(PAIR_CLOSED)) {
			close_end(p, key, ACTIVE);
			return 0;
		}
	}
	if (!matched) {
		if (p->end[ACTIVE].sk && !alive(&p->end[ACTIVE])) {
			close_end(p, key, ACTIVE);
			return 0;
		}
		args->unmatched++;
		if (args->now_ns - p->born < args->unmatched_ns && !args->leave_all)
			return 0;
		if (!(p->flags & F(PAIR_IN_MAP, ACTIVE))) {
			close_end(p, key, ACTIVE);
			return 0;
		}
		set_flags(p, PAIR_LEAVE | PAIR_FINAL | (blind_tcp ? BOTH(PAIR_SEAM) : 0));
	} else if (args->leave_all && (p->flags & BOTH(PAIR_IN_MAP))) {
		leave(p, 0);
	}
	if (to_wake(p, ACTIVE) || to_wake(p, PASSIVE))
		args->seams++;
	if (!(p->flags & BOTH(PAIR_IN_MAP))) {
		// A send that was under way when its socket was taken out may
		// have asked for what had been done.
		if (p->flags & PAIR_LEAVE)
			allow_again(p);
		return 0;
	}
	args->in_map++;
	if (!(p->flags & PAIR_LEAVE))
		return 0;
	args->leaving++;
	if (!may_go(p, ACTIVE) && !may_go(p, PASSIVE))
		return 0;
	// A verdict that finds bytes queued redirects, and they may be read before
	// its message is queued. So first both directions are closed: only then
	// does "nobody is under way", and after it "empty", hold for good.
	if (clear_flags(p, BOTH(PAIR_OPEN)) & BOTH(PAIR_OPEN))
		new_epoch();
	// Both, before either goes: a send holds its own psock from before its
	// verdict, but its peer's only from a moment after it.
	if (!quiet(p, ACTIVE) || !quiet(p, PASSIVE))
		return 0;
	sweep_end(key, p, ACTIVE, args);
	sweep_end(key, p, PASSIVE, args);
	return 0;
}

// Finds what can be taken out of the sockhash without losing a byte.
SEC("syscall")
int sockaccel_sweep(struct sweep_args *args)
{
	struct sweep_args local = {
		.unmatched_ns = args->unmatched_ns,
		.leave_all = args->leave_all,
		.now_ns = bpf_ktime_get_ns(),
	};

	// Walking the buckets of an empty map takes a millisecond.
	if (records > 0)
		bpf_for_each_map_elem(&pairs, sweep_pair, &local, 0);
	*args = local;
	return 0;
}

// An end was taken out of the sockhash.
SEC("syscall")
int sockaccel_settle(struct settle_args *args)
{
	struct pair_key key = args->key;
	struct pair *p = bpf_map_lookup_elem(&pairs, &key);
	__u32 flags;

	if (!p)
		return 0;
	flags = clear_flags(p, F(PAIR_IN_MAP, args->role & 1)) & ~F(PAIR_IN_MAP, args->role & 1);
	if (flags & BOTH(PAIR_IN_MAP))
		return 0;
	uncharge(p, ACTIVE);
	uncharge(p, PASSIVE);
	if (!p->end[PASSIVE].cookie) {
		drop_pair(&key);
		return 0;
	}
	allow_again(p);
	return 0;
}
