// The splice guard: splice(2) does not see redirected data, so it fails before it
// reads a byte, and programs fall back to read.
//
// Evidence keeps readers out that splice from the start; the guard is for the
// first splice of one that was trusted. It needs trampolines, which some kernels
// refuse. What is known of a socket can be looked up where do_splice begins,
// io_uring's splice included, but only security_file_permission can refuse, and may
// not look: the answer is noted with the task in between. read(2) asks there too,
// and all files of the host pay for it, so its first test is the cheapest.
#include "bar.h"
#include "file.h"
#include "peer.h"

enum answer { ANSWER_NONE, ANSWER_ALLOW, ANSWER_REFUSE };

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u32);
} answers SEC(".maps");

// Data that splice would not see is queued, or on its way to the queue. Its
// direction is closed first, so that "no" holds for good.
static __always_inline bool redirected(struct conn *c)
{
	enum role role = c->role & 1;
	struct pair *p = bpf_map_lookup_elem(&pairs, &c->key);

	if (!p || p->end[role].cookie != c->cookie || !(p->flags & F(PAIR_IN_MAP, role)))
		return false;
	if (clear_flags(p, F(PAIR_OPEN, role)) & F(PAIR_OPEN, role))
		new_epoch();
	return (p->end[!role].sk && psock_refs(p->end[!role].sk) > 1) ||
	       !queue_empty(p->end[role].sk);
}

SEC("fentry/do_splice")
int BPF_PROG(sockaccel_splice_begin, struct file *in)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct sock *sk = marked(in);
	struct conn *c;
	__u32 *answer;

	if (!sk)
		return 0;
	answer = bpf_task_storage_get(&answers, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!answer)
		return 0;	// out of memory: the guard goes by the system call
	*answer = ANSWER_ALLOW;
	c = bpf_sk_storage_get(&conns, sk, 0, 0);
	if (!c)
		return 0;	// somebody else's storage
	if (!c->id)
		c->id = process_id(task);
	bar_splicer(c);
	if (redirected(c))
		*answer = ANSWER_REFUSE;
	return 0;
}

SEC("fexit/do_splice")
int BPF_PROG(sockaccel_splice_end, struct file *in)
{
	__u32 *answer;

	if (!marked(in))
		return 0;
	answer = bpf_task_storage_get(&answers, bpf_get_current_task_btf(), NULL, 0);
	if (answer)
		*answer = ANSWER_NONE;
	return 0;
}

SEC("fmod_ret/security_file_permission")
int BPF_PROG(sockaccel_guard, struct file *file, int mask, int ret)
{
	struct task_struct *task;
	struct sock *sk;
	__u32 *answer;
	long nr;

	if (ret)
		return ret;	// somebody else's program has refused
	sk = marked(file);
	if (!sk || !(mask & MAY_READ))
		return 0;
	task = bpf_get_current_task_btf();
	answer = bpf_task_storage_get(&answers, task, NULL, 0);
	if (answer && *answer != ANSWER_NONE)
		return *answer == ANSWER_REFUSE ? -EINVAL : 0;
	// sendfile(2) from a socket, to a pipe, does not go through do_splice; and
	// there may have been no memory for the note. Neither works on a socket in
	// a sockhash then, as sendfile did not on any before 5.12.
	nr = syscall_of(task);
	return (nr == NR_SENDFILE || nr == NR_SPLICE) && psock_of((__u64)sk) ? -EINVAL : 0;
}
