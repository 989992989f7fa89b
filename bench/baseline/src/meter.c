// A sock_ops program runs for many operations and the kernel's statistics know
// only their sum. So the clock is read by two programs, attached to the same
// cgroup before and after the one that is measured: programs of one cgroup run
// in the order of their attachment.
#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_helpers.h>

#define OPS 32	// a power of two above the highest operation

struct meter {
	__u64 ns;
	__u64 runs;
};

struct started {
	__u64 at;
	__u64 sk;
	__u64 op;
};

// Per processor: a softirq may run the programs for another socket in between,
// which the socket tells.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct started);
} meter_started SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, OPS);
	__type(key, __u32);
	__type(value, struct meter);
} meters SEC(".maps");

SEC("sockops")
int meter_begin(struct bpf_sock_ops *ctx)
{
	__u32 zero = 0;
	struct started *s = bpf_map_lookup_elem(&meter_started, &zero);

	if (!s)
		return 1;
	s->op = ctx->op;
	s->sk = (__u64)ctx->sk;
	s->at = bpf_ktime_get_ns();
	return 1;
}

SEC("sockops")
int meter_end(struct bpf_sock_ops *ctx)
{
	__u64 now = bpf_ktime_get_ns();
	__u32 zero = 0, op = ctx->op & (OPS - 1);
	struct started *s = bpf_map_lookup_elem(&meter_started, &zero);
	struct meter *m;

	if (!s || s->op != ctx->op || s->sk != (__u64)ctx->sk)
		return 1;
	m = bpf_map_lookup_elem(&meters, &op);
	if (!m)
		return 1;
	m->ns += now - s->at;
	m->runs++;
	return 1;
}

// What reading the clock and keeping statistics costs by itself.
SEC("sockops")
int meter_nothing(struct bpf_sock_ops *ctx)
{
	return 1;
}
