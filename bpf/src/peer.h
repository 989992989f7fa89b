// Looking at a socket through a remembered pointer.
//
// sk_msg cannot look a socket up in a sockhash (there is no bpf_sk_release
// there), so the peer is kept as address plus cookie. TCP sockets live in a
// SLAB_TYPESAFE_BY_RCU cache: the memory stays a tcp_sock, whoever's, and a
// cookie read after the values that still matches says they were the peer's.
// A stale address can therefore only ever lead to "stay on TCP".
#ifndef SOCKACCEL_PEER_H
#define SOCKACCEL_PEER_H

#include "maps.h"

#define CAST(ptr, type)                                                            \
	((struct type *)bpf_rdonly_cast((void *)(ptr), bpf_core_type_id_kernel(struct type)))

// One field of a struct type at an address that may be stale. The address is
// taken first, because BPF_CORE_READ would relocate its expression too.
#define FIELD(ptr, type, field)                                                    \
	({                                                                         \
		const struct type *__at = (const struct type *)(ptr);              \
		&bpf_rdonly_cast ? CAST(__at, type)->field : BPF_CORE_READ(__at, field); \
	})

static __always_inline __u64 peer_cookie(__u64 sk)
{
	return FIELD(sk, sock, __sk_common.skc_cookie.counter);
}

static __always_inline struct sk_psock *psock_of(__u64 sk)
{
	__u64 data = (__u64)FIELD(sk, sock, sk_user_data);

	if (!(data & SK_USER_DATA_PSOCK))
		return NULL;
	return (struct sk_psock *)(data & SK_USER_DATA_PTRMASK);
}

// Nothing redirected is unread. The list head points to itself when empty.
static __always_inline bool queue_empty(__u64 sk)
{
	struct sk_psock *psock = psock_of(sk);

	if (!psock)
		return true;
	return (__u64)FIELD(psock, sk_psock, ingress_msg.next) ==
	       (__u64)psock + bpf_core_field_offset(struct sk_psock, ingress_msg);
}

// Redirected and unread bytes; exact where the kernel keeps a total, else
// what is charged to the receive buffer, which then holds nothing else (I1).
// ~0 when the kernel tells neither and the queue is not empty.
static __always_inline __u64 queue_bytes(__u64 sk)
{
	struct sk_psock *psock;

	if (bpf_core_field_exists(((struct sk_psock *)0)->msg_tot_len)) {
		psock = psock_of(sk);
		return psock ? FIELD(psock, sk_psock, msg_tot_len) : 0;
	}
	if (queue_empty(sk))
		return 0;
	if (rmem_charged)
		return FIELD(sk, sock, sk_backlog.rmem_alloc.counter);
	return ~0ULL;
}

// Operations under way on a socket in the map: each of its sends and receives
// holds a reference to its psock from before its verdict to after its enqueue,
// and the sockhash holds one.
static __always_inline __u32 psock_refs(__u64 sk)
{
	struct sk_psock *psock = psock_of(sk);

	return psock ? FIELD(psock, sk_psock, refcnt.refs.counter) : 0;
}

// A socket without a file has not been accepted yet: nobody can read it.
static __always_inline bool peer_blocking(__u64 sk)
{
	struct socket *socket = FIELD(sk, sock, sk_socket);
	struct file *file;

	if (!socket)
		return false;
	file = FIELD(socket, socket, file);
	if (!file)
		return false;
	return !(FIELD(file, file, f_flags) & O_NONBLOCK);
}

static __always_inline bool peer_accepted(__u64 sk)
{
	struct socket *socket = FIELD(sk, sock, sk_socket);

	return socket && !!FIELD(socket, socket, file);
}

// May still receive. A server is in SYN_RECV for a moment after its callback.
static __always_inline bool state_receives(__u8 state)
{
	return state == BPF_TCP_ESTABLISHED || state == BPF_TCP_FIN_WAIT1 ||
	       state == BPF_TCP_FIN_WAIT2 || state == BPF_TCP_SYN_RECV;
}

static __always_inline bool state_sends(__u8 state)
{
	return state == BPF_TCP_ESTABLISHED || state == BPF_TCP_CLOSE_WAIT;
}

#endif
