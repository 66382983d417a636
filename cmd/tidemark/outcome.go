package main

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
)

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

	Lost       []cell       `json:"lost,omitempty"` // merged: what did not survive
	Over       []cell       `json:"over,omitempty"` // merged: where it overwrote a concurrent edit
	Renumbered []renumbered `json:"renumbered,omitempty"`
}

// cell names a value for JSON; without a column the whole row.
type cell struct {
	Table  string  `json:"table"`
	Key    []value `json:"key"`
	Column string  `json:"column,omitempty"`
}

type renumbered struct {
	Table string `json:"table"`
	From  int64  `json:"from"`
	To    int64  `json:"to"`
}

func outcomeOf(o tidemark.Outcome) outcome {
	return outcome{
		N: o.N, Hash: o.Hash.String(), Kind: o.Kind, Seq: o.Seq, Code: o.Code,
		Message: o.Message, Table: o.Table, Key: values(o.Key), Columns: o.Columns,
		Lost: cellsOf(o.Lost), Over: cellsOf(o.Over), Renumbered: renumberedOf(o.Renumbered),
	}
}

func cellsOf(list []tidemark.Cell) []cell {
	var out []cell
	for _, c := range list {
		out = append(out, cell{c.Table, values(c.Key), c.Column})
	}
	return out
}

func renumberedOf(list []tidemark.Renumbered) []renumbered {
	var out []renumbered
	for _, r := range list {
		out = append(out, renumbered{r.Table, r.From, r.To})
	}
	return out
}

// particulars writes what became of a changeset that was not simply accepted,
// a line for each cell and each row.
func particulars(o tidemark.Outcome) []string {
	var lines []string
	for _, c := range o.Lost {
		if c.Table == tidemark.ConflictsTable {
			lines = append(lines, clean("conflict "+keyText(c.Key)+" is gone, so its state was not set: its time was over, or somebody deleted it"))
			continue
		}
		lines = append(lines, "your edit of "+cellText(c)+" met another and did not survive as it was")
	}
	for _, c := range o.Over {
		lines = append(lines, "your edit of "+cellText(c)+" overwrote another")
	}
	for _, r := range o.Renumbered {
		lines = append(lines, clean(fmt.Sprintf("%s %d has the number %d now: another row has %d", r.Table, r.From, r.To, r.From)))
	}
	return lines
}

func cellText(c tidemark.Cell) string {
	text := c.Table + " " + keyText(c.Key)
	if c.Column != "" {
		text += " " + c.Column
	}
	return clean(text)
}
