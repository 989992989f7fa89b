// The few kernel structures that the programs read, cut down to the fields
// they use. preserve_access_index makes each access a CO-RE relocation, so
// neither order nor padding matters here and no vmlinux.h is needed.
#ifndef SOCKACCEL_KERNEL_H
#define SOCKACCEL_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define CORE __attribute__((preserve_access_index))

#define AF_INET 2
#define AF_INET6 10
#define O_NONBLOCK 04000
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define MAY_READ 4
#define FIONREAD 0x541b
#define SEND_SHUTDOWN 2
#define SOCK_RCVBUF_LOCK 2
#define SOL_SOCKET 1
#define SOL_TCP 6
#define SO_KEEPALIVE 9
#define SO_RCVLOWAT 18
#define SO_ZEROCOPY 60
#define TCP_KEEPIDLE 4
#define TCP_REPAIR 19
#define TCP_ULP 31
#define ENOENT 2
#define E2BIG 7
#define ENOMEM 12
#define EBUSY 16
#define EEXIST 17
#define EINVAL 22
#define EOPNOTSUPP 95
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
/* sk_user_data carries flags in its low bits; include/linux/skmsg.h. */
#define SK_USER_DATA_PSOCK 4UL
#define SK_USER_DATA_PTRMASK (~7UL)

struct atomic_like {
	int counter;
} CORE;

struct refcount_like {
	struct atomic_like refs;
} CORE;

struct atomic64_like {
	__s64 counter;
} CORE;

struct list_head {
	struct list_head *next;
} CORE;

struct ns_common {
	unsigned int inum;
} CORE;

struct net {
	struct ns_common ns;
} CORE;

typedef struct {
	struct net *net;
} CORE possible_net_t;

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
} CORE;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned long skc_flags;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct atomic64_like skc_cookie;
} CORE;

struct kernfs_node {
	__u64 id;
} CORE;

struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[];
} CORE;

struct sock_cgroup_data {
	struct cgroup *cgroup;
} CORE;

struct inode {
	unsigned short i_mode;
} CORE;

struct file {
	unsigned int f_flags;
	struct inode *f_inode;
} CORE;

struct socket {
	struct file *file;
	struct sock *sk;
} CORE;

enum sock_flags { SOCK_DONE = 0, SOCK_KEEPOPEN = 1, SOCK_ZEROCOPY = 2 };

struct sock_backlog {
	struct atomic_like rmem_alloc;
} CORE;

struct sock {
	struct sock_common __sk_common;
	struct sock_backlog sk_backlog;
	__u8 sk_kern_sock : 1;
	__u8 sk_userlocks : 4;
	__u8 sk_shutdown;
	int sk_rcvbuf;
	int sk_sndbuf;
	int sk_rcvlowat;
	struct socket *sk_socket;
	void *sk_user_data;
	struct sock_cgroup_data sk_cgrp_data;
	void *sk_bpf_storage;
} CORE;

// Through a register: as a shift's immediate it cannot be relocated.
static __always_inline bool sock_zerocopy(struct sock *sk)
{
	__u64 bit = bpf_core_enum_value(enum sock_flags, SOCK_ZEROCOPY);

	asm volatile("" : "+r"(bit));
	return sk->__sk_common.skc_flags >> bit & 1;
}

static __always_inline bool sock_keeps_alive(struct sock *sk)
{
	__u64 bit = bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN);

	asm volatile("" : "+r"(bit));
	return sk->__sk_common.skc_flags >> bit & 1;
}

struct inet_sock {
	struct sock sk;
} CORE;

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	const void *icsk_ulp_ops;
} CORE;

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u64 bytes_received;
	__u64 bytes_acked;
	__u8 repair : 1;
	bool is_mptcp;
} CORE;

struct sk_psock {
	struct refcount_like refcnt;
	struct list_head ingress_msg;
	/* Since 6.12.75, 6.18.44 and 7.0: bytes in ingress_msg. */
	__u32 msg_tot_len;
} CORE;

struct sk_msg_sg {
	__u32 size;
} CORE;

/* What is queued is of one message what is left of it. */
struct sk_msg {
	struct sk_msg_sg sg;
	struct list_head list;
} CORE;

struct pt_regs___sockaccel {
	unsigned long orig_ax;
} CORE;

struct task_struct {
	unsigned int flags;
	int tgid;
	__u64 start_boottime;
	__u64 self_exec_id;
	struct task_struct *group_leader;
} CORE;

// Since 6.2: a load through a cast pointer costs a load, not a helper call, and
// faults as harmlessly as bpf_probe_read_kernel.
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
} CORE;

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
} CORE;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} CORE;

#endif
