// Maps and globals. User space pins all maps under their own names; the globals
// live as long as the programs, and only control.c knows their layout.
#ifndef SOCKACCEL_MAPS_H
#define SOCKACCEL_MAPS_H

#include "kernel.h"
#include "types.h"

// Settled when the programs are loaded; defaults are inert.
const volatile bool blind_tcp = false;	// FIONREAD does not count TCP bytes in the map
const volatile bool rmem_charged = false; // redirected bytes are in sk_rmem_alloc
const volatile bool mptcp_children = false; // the kernel tells MPTCP's children from plain TCP
const volatile bool no_adopt = false;	// leave alone what did not enter at birth
const volatile __u32 limit_bytes = 0;	// per direction
const volatile __u32 limit_msgs = 0;	// per direction
const volatile __u64 limit_total = 0;	// bytes, all directions
const volatile __u32 reads_needed = 4;	// clean reads before a reader is trusted

// The heart: redirect only until these jiffies, which a program can read at the
// cost of a load.
__u64 alive_until;
// 0 run, 1 return to TCP where the queue is empty, 2 return at once.
__u32 draining;
// Bumped whenever the flags of any pair change what its sockets must do.
__u32 epoch;
__u32 filter_gen;
// What connections write goes on a cache line of its own: every message reads
// those above.
__s64 live __attribute__((aligned(64)));	// pairs in the sockhash
__s64 records;	// in the map of pairs
__s64 charged;	// bytes of limit_total handed out
__u32 pass;	// number of the adoption pass
__u32 passed;	// number of the last that was completed
// Of the running pass; reset by its begin.
__u32 pending;
__u32 unowned;
__u32 visited;

// Both ends of every accelerated connection, keyed by socket cookie (host
// order): a cookie names one socket for ever, a tuple does not.
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 131072);
	__type(key, __u64);
	__type(value, __u64);
} socks SEC(".maps");

// BPF_F_CLONE: an accepted socket starts with its listener's state, which is
// how it learns whose evidence counts.
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct conn);
} conns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct pair_key);
	__type(value, struct pair);
} pairs SEC(".maps");

// Ends that an adoption pass met before their peers; emptied after each pass.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct pair_key);
	__type(value, struct claim);
} claims SEC(".maps");

// What is known of the readers behind a listener or in a process. LRU: what
// is forgotten is untrusted and has to be learnt again.
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct evidence);
} readers SEC(".maps");

// cgroup ids in scope.
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} scopes SEC(".maps");

// Two, so that a change is one store to filter_gen.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct filter_config);
} filters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct cidr_key);
	__type(value, __u32);
} cidrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters);
} stats SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} events SEC(".maps");

// What a sweep found ready to be taken out of the sockhash. An array, because
// before 6.2 a program of type syscall may use no queue.
#define REMOVALS 4096
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REMOVALS);
	__type(key, __u32);
	__type(value, struct removal);
} removals SEC(".maps");

// Slot 0: the verdict. Live sockets keep the stub for ever, not what is here.
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} verdicts SEC(".maps");

static __always_inline struct counters *counters(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&stats, &zero);
}

static __always_inline void notify(__u32 kind, __u32 netns)
{
	struct event e = {.kind = kind, .netns = netns};

	// A full ring loses nothing but time: the sidecar looks by itself too.
	bpf_ringbuf_output(&events, &e, sizeof(e), 0);
}

#endif
