package sqlite

import "github.com/tidemarkdb/tidemark"

func (v *view) History(table int, key []tidemark.Value, after tidemark.Seq, fn func(tidemark.RowEffect) bool) (bool, error) {
	return false, nil
}
func (v *view) Texts(table int, key []tidemark.Value, col int, after tidemark.Seq) ([]tidemark.TextStep, error) {
	return nil, nil
}
func (v *view) EditTime(table int, key []tidemark.Value, col int) (int64, error)       { return 0, nil }
func (v *view) Renumberings(replica string) ([]tidemark.Renumbered, error)             { return nil, nil }
func (v *view) Refused(replica string, table int, key []tidemark.Value) (int64, error) { return 0, nil }
func (v *view) Leases(replica string) ([]tidemark.Lease, error)                        { return nil, nil }
func (x *tx) NextID(table int) (int64, error)                                          { return 0, nil }
func (x *tx) Lease(replica string, table, size int) (tidemark.Lease, error) {
	return tidemark.Lease{}, nil
}
func (x *tx) SaveRenumbering(replica string, r tidemark.Renumbered) error                { return nil }
func (x *tx) SaveRefused(replica string, n int64, table int, key []tidemark.Value) error { return nil }
func (x *tx) SaveText(table int, key []tidemark.Value, col int, s tidemark.TextStep) error {
	return nil
}
func (x *tx) DropTexts(table int, key []tidemark.Value) error                       { return nil }
func (x *tx) SaveEditTime(table int, key []tidemark.Value, col int, at int64) error { return nil }
