// cgroup/setsockopt: what would break redirected data, or forge a pair.
//
// TCP_ULP and SO_ZEROCOPY on a socket in the sockhash are refused as a kernel
// without them refuses, so that programs fall back; on any other socket they
// are allowed and bar it. TCP_REPAIR bars the socket: it lets its owner choose
// sequence numbers, left repair mode or not.
#include "pair.h"

#define EPERM_ALLOW 1
#define EPERM_DENY 0

static __always_inline int allow(struct bpf_sockopt *ctx)
{
	// Larger than a page: take the caller's buffer, not the truncated copy.
	if (ctx->optlen > 4096)
		ctx->optlen = 0;
	return EPERM_ALLOW;
}

SEC("cgroup/setsockopt")
int sockaccel_setsockopt(struct bpf_sockopt *ctx)
{
	bool repair = ctx->level == SOL_TCP && ctx->optname == TCP_REPAIR;
	bool ulp = ctx->level == SOL_TCP && ctx->optname == TCP_ULP;
	bool zerocopy = ctx->level == SOL_SOCKET && ctx->optname == SO_ZEROCOPY;
	struct bpf_sock *sk = ctx->sk;
	struct conn *c;
	struct pair *p;
	__u8 why;

	if ((!repair && !ulp && !zerocopy) || !sk)
		return allow(ctx);
	if (sk->type != 1 /* SOCK_STREAM */ || sk->protocol != 6 /* TCP */)
		return allow(ctx);
	c = bpf_sk_storage_get(&conns, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!c)
		return allow(ctx);
	p = c->cookie ? bpf_map_lookup_elem(&pairs, &c->key) : NULL;
	if (p && (p->end[c->role & 1].cookie != c->cookie || c->state != CONN_OPEN))
		p = NULL;
	if (p && (p->flags & F(PAIR_IN_MAP, c->role & 1)) && !repair) {
		bpf_set_retval(ulp ? -ENOENT : -EOPNOTSUPP);
		return EPERM_DENY;
	}
	why = repair ? WHY_IN_USE : ulp ? WHY_ULP : WHY_ZEROCOPY;
	if (p) {
		leave(p, PAIR_FINAL);
		set_why(p, why);
	} else if (c->state != CONN_REFUSED) {
		c->state = CONN_REFUSED;
		c->why = why;
		count_why(why, 1);
	}
	return allow(ctx);
}
