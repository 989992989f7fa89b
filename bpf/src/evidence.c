// tp_btf/tcp_rcv_space_adjust: how do programs read?
//
// It fires in the reader's context on every TCP read and every attempt to
// splice, empty ones included, and is silent on reads of redirected data. One
// splice bars the reader: splice(2) does not see redirected data.
// The whole host pays for the tracepoint, so the first test is the cheapest:
// a socket without BPF storage is not in any scope.
#include "bar.h"

#define NR_READ 0
#define NR_READV 19
#define NR_RECVFROM 45
#define NR_RECVMSG 47
#define NR_RECVMMSG 299
#define NR_IO_URING_ENTER 426

static __always_inline bool is_read(long nr)
{
	return nr == NR_READ || nr == NR_RECVFROM || nr == NR_RECVMSG || nr == NR_READV ||
	       nr == NR_RECVMMSG || nr == NR_IO_URING_ENTER;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(sockaccel_evidence, struct sock *sk)
{
	struct evidence fresh = {}, *e;
	struct task_struct *task;
	struct socket *socket;
	struct conn *c;
	struct pair *p;
	long nr;

	if (!sk->sk_bpf_storage)
		return 0;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!c)
		return 0;	// somebody else's storage
	task = bpf_get_current_task_btf();
	if (task->flags & PF_KTHREAD)
		return 0;	// a kernel user of the socket, or a borrowed softirq
	nr = syscall_of(task);
	if (!c->id)
		c->id = process_id(task);
	// io_uring splices in its workers, whose registers tell nothing.
	if (nr == NR_SPLICE || nr == NR_SENDFILE || (task->flags & PF_IO_WORKER)) {
		bar_splicer(c);
		return 0;
	}
	// One connection's word counts reads_needed times; then it is silent.
	if (c->reads >= reads_needed || !is_read(nr))
		return 0;
	c->reads++;
	socket = sk->sk_socket;
	if (socket && socket->file && !(socket->file->f_flags & O_NONBLOCK)) {
		bar(c, EVIDENCE_BLOCKING, WHY_BLOCKING);
		return 0;
	}
	// It was blocking when it connected or was accepted, and is not any more.
	if (c->reads == reads_needed) {
		p = bpf_map_lookup_elem(&pairs, &c->key);
		if (p && p->why == WHY_BLOCKING && !(p->flags & PAIR_FINAL))
			notify(EVENT_ADOPT, 0);
	}
	e = bpf_map_lookup_elem(&readers, &c->id);
	if (!e) {
		bpf_map_update_elem(&readers, &c->id, &fresh, BPF_NOEXIST);
		e = bpf_map_lookup_elem(&readers, &c->id);
		if (!e)
			return 0;	// forgotten again: learnt later
	}
	if (__sync_fetch_and_add(&e->reads, 1) + 1 == reads_needed)
		notify(EVENT_ADOPT, sk->__sk_common.skc_net.net->ns.inum);
	return 0;
}
