// Package testkit runs real programs against real sockets: private cgroups,
// network namespaces, and agents, which are child processes that execute
// single socket operations on command. Only tests import it.
//
// A package that starts agents hands its TestMain to [Main], because an agent
// is the test binary itself, executed again.
package testkit
