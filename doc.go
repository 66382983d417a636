// Package tidemark holds the words and contracts of the sync engine: values,
// changes, changesets, outcomes, schemas, errors and the store that keeps a
// space on the server. It does no work of its own.
//
// Programs that own a copy of a database use package client. Programs that
// serve one use package server. Both speak the protocol of spec/protocol.md.
// spec/glossary.md defines every word used here.
package tidemark

//go:generate go run ./internal/gen
