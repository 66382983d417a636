package main

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

// conflictDocument is what list and show print with --json.
type conflictDocument struct {
	Path      string         `json:"path"`
	Conflicts []conflictItem `json:"conflicts"`
}

type conflictItem struct {
	ID       string       `json:"id"`
	State    string       `json:"state"`
	Table    string       `json:"table"`
	Key      []value      `json:"key"`
	Column   *string      `json:"column"` // null: the whole row, whose sides are objects by column name, or null for no row
	Unit     string       `json:"unit,omitempty"`
	Policy   string       `json:"policy"`
	Winner   string       `json:"winner"`
	Base     any          `json:"base"`
	Theirs   any          `json:"theirs"`
	Mine     any          `json:"mine"`
	TheirsBy string       `json:"theirs_by,omitempty"`
	MineBy   string       `json:"mine_by"`
	Author   string       `json:"author,omitempty"`
	MadeAt   int64        `json:"made_at"`
	At       int64        `json:"at"`
	Seq      tidemark.Seq `json:"seq"`
}

func conflictList(path string, list []client.Conflict) conflictDocument {
	d := conflictDocument{path, make([]conflictItem, len(list))}
	for i := range list {
		d.Conflicts[i] = conflictItemOf(&list[i])
	}
	return d
}

func conflictItemOf(k *client.Conflict) conflictItem {
	item := conflictItem{
		ID: k.ID, State: k.State, Table: k.Table, Key: values(k.Key), Unit: k.Unit, Policy: k.Policy, Winner: k.Winner,
		TheirsBy: k.TheirsBy, MineBy: k.MineBy, Author: k.Author, MadeAt: k.MadeAt, At: k.At, Seq: k.Seq,
	}
	if k.Rows != nil {
		item.Base, item.Theirs, item.Mine = rowItem(k.Rows.Base), rowItem(k.Rows.Theirs), rowItem(k.Rows.Mine)
		return item
	}
	item.Column = &k.Column
	item.Base, item.Theirs, item.Mine = value(k.Base), value(k.Theirs), value(k.Mine)
	return item
}

func rowItem(row map[string]tidemark.Value) map[string]value {
	if row == nil {
		return nil
	}
	out := make(map[string]value, len(row))
	for name, v := range row {
		out[name] = value(v)
	}
	return out
}

// resolvedItem is one conflict in what take and restore print with --json.
type resolvedItem struct {
	IDs   []string    `json:"ids"`
	Table string      `json:"table"`
	Key   []value     `json:"key"`
	Cells []writeItem `json:"cells"`
	Row   string      `json:"row,omitempty"` // restored, deleted
	Moved bool        `json:"moved"`         // somebody had changed it since
}

type writeItem struct {
	Column string `json:"column"`
	Was    value  `json:"was"`
	Now    value  `json:"now"`
}

func resolvedDocument(path string, done []*client.Resolved) any {
	items := make([]resolvedItem, len(done))
	for i, res := range done {
		items[i] = resolvedItem{IDs: res.IDs, Table: res.Table, Key: values(res.Key), Row: res.Row, Moved: res.Moved, Cells: []writeItem{}}
		for _, cell := range res.Cells {
			items[i].Cells = append(items[i].Cells, writeItem{cell.Column, value(cell.Was), value(cell.Now)})
		}
	}
	return struct {
		Path     string         `json:"path"`
		Resolved []resolvedItem `json:"resolved"`
	}{path, items}
}
