// Which readers are trusted to use recv and read on non-blocking sockets.
//
// Evidence is kept per listener for accepted sockets (they share the code that
// reads them; the listener's cookie dies with it) and per process for sockets
// that connected (or that were there before us).
#ifndef SOCKACCEL_TRUST_H
#define SOCKACCEL_TRUST_H

#include "maps.h"

#define PROCESS_ID (1ULL << 63)

// Unique while the program runs and never equal to a socket cookie: the start
// time tells a reused pid apart.
static __always_inline __u64 process_id(struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	// An exec makes another program of the same process.
	__u64 start = leader->start_boottime + task->self_exec_id;

	return PROCESS_ID | (start & ((1ULL << 41) - 1)) << 22 |
	       ((__u32)task->tgid & ((1U << 22) - 1));
}

// WHY_NONE when sockets of this reader may enter the sockhash at birth.
static __always_inline enum reason distrust(__u64 id, bool at_birth)
{
	struct evidence *e;

	if (!id)
		return WHY_NO_EVIDENCE;
	e = bpf_map_lookup_elem(&readers, &id);
	if (!e)
		return WHY_NO_EVIDENCE;
	if (e->flags & EVIDENCE_SPLICE)
		return WHY_SPLICE;
	// An adopted socket's own flag is at hand, so one that was blocking
	// once bars only entry at birth, where an accepted socket has no file.
	if (at_birth && (e->flags & EVIDENCE_BLOCKING))
		return WHY_BLOCKING;
	if (e->reads < reads_needed)
		return WHY_NO_EVIDENCE;
	return WHY_NONE;
}

// What rules a socket out for good, whatever its peer.
static __always_inline enum reason unfit(struct tcp_sock *tp, struct conn *c)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	// Without the fixes accept(2) on a Multipath TCP listener takes a plain TCP
	// child that is in a sockhash for one of its own. One that was accepted
	// before us is plain TCP by now, and nothing tells it apart.
	if (tp->is_mptcp || (c->mptcp && !mptcp_children))
		return WHY_MPTCP;
	if (tp->inet_conn.icsk_ulp_ops)
		return WHY_ULP;
	if (sock_zerocopy(sk))
		return WHY_ZEROCOPY;
	// Kernel sockets take sk_user_data later, without looking. A plain TCP
	// child of a Multipath TCP listener (all of Go's) only looks like one.
	if ((BPF_CORE_READ_BITFIELD(sk, sk_kern_sock) && !c->mptcp) ||
	    BPF_CORE_READ_BITFIELD(tp, repair))
		return WHY_IN_USE;
	// Somebody else's psock, or a kernel user.
	if (sk->sk_user_data)
		return WHY_IN_USE;
	return WHY_NONE;
}

// err of a map update: an int, because before 6.4 the upper half is not that of
// a negative long.
static __always_inline enum reason insert_error(int err)
{
	switch (err) {
	case -E2BIG:
	case -ENOMEM:
		return WHY_MAP_FULL;
	case -EOPNOTSUPP:
		return WHY_MPTCP;
	case -22:	// EINVAL: a ULP
		return WHY_ULP;
	default:	// EBUSY: somebody else's psock
		return WHY_IN_USE;
	}
}

#endif
