// Package e2e runs the shipped binary as its users do: a server process,
// replicas with sync processes beside them, and writers of every sort (our
// library, the sqlite3 shell, Python), through kills, restarts and cut
// connections. It holds tests only.
package e2e
