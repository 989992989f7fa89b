// Port and address filters of one end. The bits of both ends are or-ed, and
// the connection is accelerated when no end is excluded and each kind of
// include matches some end; internal/filter is the reference in Go.
#ifndef SOCKACCEL_FILTER_H
#define SOCKACCEL_FILTER_H

#include "maps.h"

static __always_inline bool has_port(const __u64 *set, __u16 port)
{
	__u32 word = port >> 6;

	// For verifiers before 6.13, which do not know the width of a load from
	// a kernel structure; the compiler would drop a plain mask.
	asm volatile("%[word] &= 1023" : [word] "+r"(word));
	return set[word] >> (port & 63) & 1;
}

static __always_inline void read_tuple(struct tuple *t, struct sock *sk)
{
	struct sock_common *skc = &sk->__sk_common;

	t->local_port = skc->skc_num;
	t->remote_port = bpf_ntohs(skc->skc_dport);
	if (skc->skc_family == AF_INET) {
		t->local[0] = t->local[1] = t->remote[0] = t->remote[1] = 0;
		t->local[2] = t->remote[2] = bpf_htonl(0xffff);
		t->local[3] = skc->skc_rcv_saddr;
		t->remote[3] = skc->skc_daddr;
		return;
	}
	t->local[0] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[0];
	t->local[1] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[1];
	t->local[2] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[2];
	t->local[3] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[3];
	t->remote[0] = skc->skc_v6_daddr.in6_u.u6_addr32[0];
	t->remote[1] = skc->skc_v6_daddr.in6_u.u6_addr32[1];
	t->remote[2] = skc->skc_v6_daddr.in6_u.u6_addr32[2];
	t->remote[3] = skc->skc_v6_daddr.in6_u.u6_addr32[3];
}

// The longest match holds the flags of all networks that cover the address.
static __always_inline __u32 cidr_flags(__u32 slot, const __be32 *address)
{
	struct cidr_key key = {.prefixlen = 32 + 128, .gen = slot};
	__u32 *words = (__u32 *)key.addr, *flags;

	words[0] = address[0];
	words[1] = address[1];
	words[2] = address[2];
	words[3] = address[3];
	flags = bpf_map_lookup_elem(&cidrs, &key);
	return flags ? *flags : 0;
}

static __always_inline __u8 filter_end(const struct tuple *t, __u32 gen)
{
	__u32 slot = gen & 1, flags;
	struct filter_config *config;
	__u8 result = 0;

	config = bpf_map_lookup_elem(&filters, &slot);
	if (!config)
		return FILTER_EXCLUDED;
	if (!config->has_ports) {
		result |= FILTER_PORT;
	} else {
		if (has_port(config->exclude, t->local_port) ||
		    has_port(config->exclude, t->remote_port))
			return FILTER_EXCLUDED;
		if (has_port(config->include, t->local_port) ||
		    has_port(config->include, t->remote_port))
			result |= FILTER_PORT;
	}
	if (!config->has_cidrs)
		return result | FILTER_CIDR;
	// Bit 0 of an entry includes, bit 1 excludes.
	flags = cidr_flags(slot, t->local) | cidr_flags(slot, t->remote);
	if (flags & 2)
		return FILTER_EXCLUDED;
	if (flags & 1)
		result |= FILTER_CIDR;
	return result;
}

static __always_inline bool filter_passes(__u8 a, __u8 b)
{
	return ((a | b) & (FILTER_EXCLUDED | FILTER_PORT | FILTER_CIDR)) ==
	       (FILTER_PORT | FILTER_CIDR);
}

#endif
