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

#define WORDS6(a)                                                          \
	(a).in6_u.u6_addr32[0], (a).in6_u.u6_addr32[1],                    \
		(a).in6_u.u6_addr32[2], (a).in6_u.u6_addr32[3]

// Bit 0: included, bit 1: excluded. IPv4 is looked up as ::ffff:a.b.c.d.
static __always_inline __u32 cidr_flags(__u32 gen, __be32 a, __be32 b, __be32 c, __be32 d)
{
	struct cidr_key key = {.prefixlen = 32 + 128, .gen = gen};
	__u32 *words = (__u32 *)key.addr, *flags;

	words[0] = a;
	words[1] = b;
	words[2] = c;
	words[3] = d;
	flags = bpf_map_lookup_elem(&cidrs, &key);
	return flags ? *flags : 0;
}

static __always_inline __u8 filter_end(struct sock *sk, __u32 gen)
{
	struct sock_common *skc = &sk->__sk_common;
	__u16 local = skc->skc_num, remote = bpf_ntohs(skc->skc_dport);
	__u32 slot = gen & 1, near, far;
	struct filter_config *config;
	__u8 result = 0;

	config = bpf_map_lookup_elem(&filters, &slot);
	if (!config)
		return FILTER_EXCLUDED;
	if (config->has_ports) {
		if (has_port(config->exclude, local) || has_port(config->exclude, remote))
			return FILTER_EXCLUDED;
		if (has_port(config->include, local) || has_port(config->include, remote))
			result |= FILTER_PORT;
	} else {
		result |= FILTER_PORT;
	}
	if (!config->has_cidrs)
		return result | FILTER_CIDR;
	if (skc->skc_family == AF_INET) {
		near = cidr_flags(slot, 0, 0, bpf_htonl(0xffff), skc->skc_rcv_saddr);
		far = cidr_flags(slot, 0, 0, bpf_htonl(0xffff), skc->skc_daddr);
	} else {
		near = cidr_flags(slot, WORDS6(skc->skc_v6_rcv_saddr));
		far = cidr_flags(slot, WORDS6(skc->skc_v6_daddr));
	}
	if ((near | far) & 2)
		return FILTER_EXCLUDED;
	if ((near | far) & 1)
		result |= FILTER_CIDR;
	return result;
}

static __always_inline bool filter_passes(__u8 a, __u8 b)
{
	return ((a | b) & (FILTER_EXCLUDED | FILTER_PORT | FILTER_CIDR)) ==
	       (FILTER_PORT | FILTER_CIDR);
}

#endif
