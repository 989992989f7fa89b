// The usual accelerator, as small as it can be: the 4-tuple is the key, IPv4
// only, everything is redirected. It is what our programs are compared with,
// and has all the faults that ours exist to avoid: see docs/architecture.md.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2

// All in host byte order but the addresses.
struct tuple {
	__u32 local_ip4;
	__u32 remote_ip4;
	__u32 local_port;
	__u32 remote_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 131072);
	__type(key, struct tuple);
	__type(value, __u64);
} baseline_socks SEC(".maps");

SEC("sockops")
int baseline_sockops(struct bpf_sock_ops *ctx)
{
	struct tuple key = {};

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;
	if (ctx->family != AF_INET)
		return 1;
	key.local_ip4 = ctx->local_ip4;
	key.remote_ip4 = ctx->remote_ip4;
	key.local_port = ctx->local_port;
	key.remote_port = bpf_ntohl(ctx->remote_port);
	bpf_sock_hash_update(ctx, &baseline_socks, &key, BPF_NOEXIST);
	return 1;
}

SEC("sk_msg")
int baseline_msg(struct sk_msg_md *msg)
{
	struct tuple key = {};

	if (msg->family != AF_INET)
		return SK_PASS;
	key.local_ip4 = msg->remote_ip4;
	key.remote_ip4 = msg->local_ip4;
	key.local_port = bpf_ntohl(msg->remote_port);
	key.remote_port = msg->local_port;
	bpf_msg_redirect_hash(msg, &baseline_socks, &key, BPF_F_INGRESS);
	return SK_PASS;
}
