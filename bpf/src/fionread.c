// FIONREAD on kernels where it does not count all bytes of a socket in the
// sockhash: what the kernel has just stored in the caller's memory is corrected.
//
// Readers that trust it stop before the end when it says too little, and nothing
// wakes them: there is no event for bytes that were there before. So it cannot be
// learnt from the first call, as splice can; the first call has to be right.
// Bytes of both queues are counted as the kernels that are right count them.
#include "file.h"
#include "peer.h"

#define MAX_QUEUED 1024	// messages; twice what a queue may hold, see limit_msgs

struct walk {
	__u64 head;
	__u64 at;
	__u32 bytes;
};

static long add_message(__u64 i, struct walk *w)
{
	struct sk_msg *msg;

	if (!w->at || w->at == w->head)
		return 1;
	msg = (struct sk_msg *)(w->at - bpf_core_field_offset(struct sk_msg, list));
	w->bytes += BPF_CORE_READ(msg, sg.size);
	w->at = (__u64)BPF_CORE_READ(msg, list.next);
	return 0;
}

static __always_inline __u32 redirected_bytes(struct sock *sk)
{
	struct sk_psock *psock = psock_of((__u64)sk);
	struct walk w = {};

	if (!psock)
		return 0;
	w.head = (__u64)psock + bpf_core_field_offset(struct sk_psock, ingress_msg);
	w.at = (__u64)BPF_CORE_READ(psock, ingress_msg.next);
	bpf_loop(MAX_QUEUED, add_message, &w, 0);
	return w.bytes;
}

// A FIN takes a sequence number.
static __always_inline __u32 tcp_bytes(struct tcp_sock *tp)
{
	__u64 done = bpf_core_enum_value(enum sock_flags, SOCK_DONE);
	__u32 bytes = tp->rcv_nxt - tp->copied_seq;

	asm volatile("" : "+r"(done));
	if (bytes && (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> done & 1))
		bytes--;
	return bytes;
}

SEC("fexit/sock_ioctl")
int BPF_PROG(sockaccel_fionread, struct file *file, unsigned int cmd, unsigned long arg, long ret)
{
	struct tcp_sock *tp;
	struct conn *c;
	struct sock *sk;
	__u32 answer;

	if (cmd != FIONREAD || ret)
		return 0;
	sk = marked(file);
	if (!sk)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	// Out of the sockhash it has no psock, and the kernel is right.
	if (!c || !psock_of((__u64)sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	answer = tcp_bytes(tp) + redirected_bytes(sk);
	bpf_probe_write_user((void *)arg, &answer, sizeof(answer));
	return 0;
}
