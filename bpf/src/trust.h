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

#endif
