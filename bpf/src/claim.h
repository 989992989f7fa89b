// Claims: how the ends of a connection that was established before us find each
// other in an adoption pass.
#ifndef SOCKACCEL_CLAIM_H
#define SOCKACCEL_CLAIM_H

#include "pair.h"

// The numbers of a connection that was established before us. Which end it is
// cannot be seen; the client's SYN counts as acknowledged, so its own number
// is one less than the server's mirror image of it.
static __always_inline void derive(struct tcp_sock *tp, struct pair_key *client,
				   struct pair_key *server)
{
	__u32 sent = tp->snd_una - (__u32)tp->bytes_acked;
	__u32 received = tp->rcv_nxt - (__u32)tp->bytes_received;

	client->client = sent + 1;
	client->server = received;
	server->client = received;
	server->server = sent;
}

static __always_inline bool is_end(struct pair_key *key, enum role role, __u64 cookie)
{
	struct pair *p = bpf_map_lookup_elem(&pairs, key);

	return p && p->end[role].cookie == cookie;
}

static __always_inline void settle_role(struct conn *c, struct pair_key *key, enum role role)
{
	c->key = *key;
	c->role = role;
	c->state = CONN_OPEN;
	c->epoch = epoch - 1;
}

// Looks for the opposite claim of the same numbers; makes the pair, or leaves
// a claim of its own. Claims live for one pass.
static __always_inline bool claim(struct conn *c, struct tcp_sock *tp, struct pair_key *key,
				  enum role role)
{
	struct claim mine = {.pass = pass, .role = role}, *other;
	struct pair fresh = {}, *p;

	other = bpf_map_lookup_elem(&claims, key);
	if (other && other->pass == pass && other->end.cookie != c->cookie) {
		if (other->role == role || other->taken) {
			// A third claimant: the pair, if made already, ends.
			other->taken = 1;
			p = bpf_map_lookup_elem(&pairs, key);
			if (p) {
				set_why(p, WHY_AMBIGUOUS);
				leave(p, PAIR_AMBIGUOUS | PAIR_FINAL);
			}
			return false;
		}
		other->taken = 1;
		fill_end(&fresh.end[role & 1], tp, c);
		fresh.end[!(role & 1)] = other->end;
		fresh.flags = PAIR_ADOPTED;
		fresh.born = bpf_ktime_get_ns();
		if (add_pair(key, &fresh))
			return false;
		settle_role(c, key, role);
		return true;
	}
	fill_end(&mine.end, tp, c);
	bpf_map_update_elem(&claims, key, &mine, BPF_ANY);
	return false;
}

// Without a peer in three passes: remote, until the scopes or filters change.
static __always_inline void unmatched(struct conn *c)
{
	if (++c->tries < 3)
		return;
	c->state = CONN_REMOTE;
	if (!c->why) {
		c->why = WHY_REMOTE;
		count_why(WHY_REMOTE, 1);
	}
}

static __always_inline void find_peer(struct conn *c, struct tcp_sock *tp)
{
	struct pair_key client, server;

	if (c->filter & FILTER_EXCLUDED)
		return;
	if (c->state == CONN_OPEN) {
		pending++;
		if (!claim(c, tp, &c->key, c->role & 1))
			unmatched(c);
		return;
	}
	derive(tp, &client, &server);
	pending++;
	if (is_end(&client, ACTIVE, c->cookie))
		settle_role(c, &client, ACTIVE);
	else if (is_end(&server, PASSIVE, c->cookie))
		settle_role(c, &server, PASSIVE);
	else if (!claim(c, tp, &client, ACTIVE) && !claim(c, tp, &server, PASSIVE))
		unmatched(c);
}

#endif
