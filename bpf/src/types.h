// Types shared by the programs and, through bpf2go, by Go. Types only.
#ifndef SOCKACCEL_TYPES_H
#define SOCKACCEL_TYPES_H

#include <linux/types.h>

// The client is the active end, the accepted socket the passive one.
enum role { ACTIVE, PASSIVE };

// Why a connection is not accelerated. The order is that of the counters and
// of `not_accelerated` in `status --json`.
enum reason {
	WHY_NONE,
	WHY_REMOTE,
	WHY_BLOCKING,
	WHY_NO_EVIDENCE,
	WHY_SPLICE,
	WHY_FIONREAD,
	WHY_ULP,
	WHY_ZEROCOPY,
	WHY_MPTCP,
	WHY_EXCLUDED,
	WHY_MAP_FULL,
	WHY_AMBIGUOUS,
	WHY_IN_USE,
	REASONS,
};

#define REASON_SLOTS 16	// a power of two, for the verifier


// Why a message of a socket in the sockhash went by TCP: `stayed_on_tcp`.
enum stay {
	STAY_UNDRAINED,
	STAY_LIMIT,
	STAY_BULK,
	STAY_DRAINING,
	STAY_PEER_GONE,
	STAYS,
};

struct counters {
	__u64 not_accelerated[REASON_SLOTS];
	__u64 stayed[STAYS];
	__u64 redirected_messages;
	__u64 redirected_bytes;
	__u64 tcp_messages;
	__u64 tcp_bytes;
	__u64 paired;
	__u64 adopted;
	__u64 handed_over;
};

// The two initial sequence numbers plus one, as both ends know them at their
// establish callback, in host byte order.
struct pair_key {
	__u32 client;
	__u32 server;
};

enum conn_state {
	CONN_NEW,	// connect(2) was called
	CONN_LISTENER,
	CONN_OPEN,	// established, both numbers known
	CONN_LIVING,	// established before we came: numbers to be derived
	CONN_REMOTE,	// no peer in any scope
	CONN_REFUSED,	// never to be accelerated
};

enum send_path { PATH_TCP, PATH_REDIRECT, PATH_LEFT };

// One socket's own state, in its sk_storage. Only the socket's own programs,
// which hold its lock, write it (the evidence program writes `id` and
// `reads`, of which nothing depends on an exact value).
struct conn {
	__u64 cookie;	   // whose state this is: a clone still carries its listener's
	__u64 id;	   // whose evidence counts: a listener or a process, 0 unknown
	struct pair_key key;
	__u64 peer_sk;	   // struct sock *, never dereferenced unchecked, see peer.h
	__u64 peer_cookie; // the peer's key in the sockhash; 0: no peer resolved
	__u32 epoch;	   // of the control state that this copy reflects
	__u32 filter_gen;
	__u8 role;
	__u8 state;
	__u8 path;	   // of what this socket sends
	__u8 filter;
	__u8 why;
	__u8 reads;	   // saturating: reads that were counted as evidence
	__u8 tries;	   // adoption passes without a peer
	__u8 checked;	   // the peer's file was seen, and non-blocking
	__u8 open;	   // the peer may be redirected to
	__u8 leaving;
	__u8 mptcp;	   // a listener of Multipath TCP, or accepted by one
	__u8 stuck;	   // visits without progress of a reader with unread bytes
	__u8 spliced;	   // its reader has spliced, or tried to: it stays on TCP
	__u32 seen;	   // copied_seq at the last visit
	// The outgoing queue's accounting, see queue.h.
	__u32 credit_bytes;
	__u32 credit_msgs;
	__u64 sent_bytes;
	__u64 sent_msgs;
	__u64 base_bytes;
	__u64 base_msgs;
	__u64 mark_bytes;
	__u64 mark_msgs;
};

// Flags of a pair. Two bits each where they exist once per end: F(x, role).
#define PAIR_IN_MAP 0x0001u	// the end is in the sockhash
#define PAIR_CLOSED 0x0004u	// the end reached TCP_CLOSE
#define PAIR_SEAM 0x0040u	// the end's reader has to be woken once it is out
#define PAIR_READY 0x0100u	// adoption: the end may enter
#define PAIR_OPEN 0x0400u	// the end may be redirected to; closed before it is taken out
#define PAIR_LEAVE 0x1000u	// both ends return to TCP
#define PAIR_SENT 0x2000u	// the client sent by TCP before the server claimed
#define PAIR_AMBIGUOUS 0x4000u	// a third claimant came
#define PAIR_ADOPTED 0x8000u
#define PAIR_FINAL 0x10000u	// left for good: not to be adopted again
#define PAIR_LIVE 0x20000u	// counted in `accelerated`
#define PAIR_COUNTED 0x40000u	// counted in `paired_total`
#define F(flag, role) ((flag) << (role))
#define BOTH(flag) ((flag) | (flag) << 1)

// As this end sees it; IPv4 as ::ffff:a.b.c.d.
struct tuple {
	__be32 local[4];
	__be32 remote[4];
	__u16 local_port;	// host order
	__u16 remote_port;
};

struct pair_end {
	__u64 sk;
	__u64 cookie;
	__u64 id;
	__u32 netns;	// inode number
	__u8 filter;
	__u8 pad[3];
	__u32 entered;	// adoption pass in which it entered the sockhash
	__u32 charge;	// bytes of the total budget that its outgoing queue holds
	struct tuple tuple;
	__u32 pad2;
};

struct pair {
	struct pair_end end[2];
	__u64 born;	// coarse monotonic nanoseconds
	__u32 flags;
	__u8 why;
	__u8 retries;
	__u8 pad[2];
};

// An end found by an adoption pass whose peer it has not met yet.
struct claim {
	struct pair_end end;
	__u32 pass;
	__u8 role;
	__u8 taken;
	__u8 pad[2];
};

#define EVIDENCE_SPLICE 1u
#define EVIDENCE_BLOCKING 2u

struct evidence {
	__u32 reads;
	__u32 flags;
};

#define FILTER_EXCLUDED 1u
#define FILTER_PORT 2u
#define FILTER_CIDR 4u

struct filter_config {
	__u64 include[1024];
	__u64 exclude[1024];
	__u8 has_ports;
	__u8 has_cidrs;
	__u8 pad[6];
};

struct cidr_key {
	__u32 prefixlen;
	__u32 gen;
	__u8 addr[16];
};

enum event_kind { EVENT_ADOPT, EVENT_LEAVE };

struct event {
	__u32 kind;
	__u32 netns;
};

// What the control programs take and give; see control.c.
struct beat_args {
	__u64 timeout_jiffies;
};

struct mode_args {
	__u32 draining;
	__u32 filter_gen;
	__u32 set_draining;
	__u32 set_filter_gen;
};

struct pass_args {
	__u32 begin;	// in
	__u32 pending;	// out: ends that another pass may bring on
	__u32 unowned;	// out: sockets whose process is not known
	__u32 visited;	// out
};

struct gauges {
	__s64 live;
	__s64 charged;
	__u32 alive;
	__u32 draining;
	__u32 filter_gen;
	__u32 pass;
	__u32 passed;
	__u32 pad;
};

struct sweep_args {
	__u64 now_ns;		// out
	__u64 unmatched_ns;	// in: forget a client without a server after this
	__u32 leave_all;	// in
	__u32 pad;
	__u32 pairs;		// out: records seen
	__u32 in_map;		// out: records with an end still in the sockhash
	__u32 leaving;		// out: of these, on their way out
	__u32 ready;		// out: entries written to `removals`
	__u32 seams;		// out: readers to be woken
	__u32 unmatched;	// out: clients without a server
};

// A key to delete from the sockhash, and the pair to settle afterwards.
struct removal {
	struct pair_key key;
	__u64 cookie;
	__u32 role;
	__u32 pad;
};

struct settle_args {
	struct pair_key key;
	__u32 role;
	__u32 drop;	// delete the record too
};

#endif
