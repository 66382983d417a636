// Package bench measures the whole path over real sockets and files: clone,
// catch-up, propagation and offline edits. Every figure stands beside the same
// work done by plain SQLite in the same run (unit "x": how many times as long),
// because absolute figures move by half from hour to hour on a shared machine.
package bench
