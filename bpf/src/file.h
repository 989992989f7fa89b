// The socket behind a file.
#ifndef SOCKACCEL_FILE_H
#define SOCKACCEL_FILE_H

#include "kernel.h"

// NULL unless a program of ours may have marked it: without BPF storage it is in
// no scope. Most files are no sockets, which is the cheapest to see.
static __always_inline struct sock *marked(struct file *file)
{
	struct socket *socket;
	struct sock *sk;

	if ((file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return NULL;
	sk = socket->sk;
	return sk && sk->sk_bpf_storage ? sk : NULL;
}

#endif
