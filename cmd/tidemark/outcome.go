package main

import "github.com/tidemarkdb/tidemark"

// outcome is the fate of a changeset, for JSON.
type outcome struct {
	N       int64                `json:"n"`
	Hash    string               `json:"hash"`
	Kind    tidemark.OutcomeKind `json:"kind"`
	Seq     tidemark.Seq         `json:"seq"`
	Code    tidemark.Code        `json:"code,omitempty"`
	Message string               `json:"message,omitempty"`
	Table   string               `json:"table,omitempty"`
	Key     []value              `json:"key,omitempty"`
	Columns []string             `json:"columns,omitempty"`
}

func outcomeOf(o tidemark.Outcome) outcome {
	return outcome{
		N: o.N, Hash: o.Hash.String(), Kind: o.Kind, Seq: o.Seq, Code: o.Code,
		Message: o.Message, Table: o.Table, Key: values(o.Key), Columns: o.Columns,
	}
}
