// Barring readers: what was seen of one concerns all connections that the same
// program reads.
#ifndef SOCKACCEL_BAR_H
#define SOCKACCEL_BAR_H

#include "pair.h"

#define NR_SENDFILE 40
#define NR_SPLICE 275

static __always_inline long syscall_of(struct task_struct *task)
{
	return BPF_CORE_READ((struct pt_regs___sockaccel *)bpf_task_pt_regs(task), orig_ax);
}

// Makes the connections of a reader leave, or enter, the sockhash.
static __always_inline void bar(struct conn *c, __u32 flag, __u8 why)
{
	struct evidence fresh = {.flags = flag}, *e;
	bool news = true;
	struct pair *p;

	e = bpf_map_lookup_elem(&readers, &c->id);
	if (!e)
		bpf_map_update_elem(&readers, &c->id, &fresh, BPF_NOEXIST);
	else
		news = !(__sync_fetch_and_or(&e->flags, flag) & flag);
	p = bpf_map_lookup_elem(&pairs, &c->key);
	if (p && p->end[c->role & 1].cookie == c->cookie) {
		if (p->flags & BOTH(PAIR_IN_MAP))
			leave(p, PAIR_FINAL | F(PAIR_SEAM, c->role & 1));
		else
			set_flags(p, PAIR_FINAL);
		set_why(p, why);
	}
	// The sidecar's pass finds the reader's other connections.
	if (news)
		notify(EVENT_ADOPT, 0);
}

// splice(2) does not see redirected data. A socket from which somebody spliced
// stays on TCP, whatever becomes of the evidence.
static __always_inline void bar_splicer(struct conn *c)
{
	if (c->spliced)
		return;
	c->spliced = 1;
	bar(c, EVIDENCE_SPLICE, WHY_SPLICE);
}

#endif
