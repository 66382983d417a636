package lite

import "github.com/ncruces/go-sqlite3"

// unixEpoch is the Julian day of 1970-01-01, 00:00 UTC.
const unixEpoch = 2440587.5

// SetClock lets julianday('now') on this connection tell the time of another
// clock, in Unix milliseconds, so that a simulation has one clock only. Other
// uses of julianday give NULL from then on.
func (db *DB) SetClock(now func() int64) error {
	return db.conn.CreateFunction("julianday", 1, sqlite3.INNOCUOUS, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
		if arg[0].Text() != "now" {
			ctx.ResultNull()
			return
		}
		ctx.ResultFloat(unixEpoch + float64(now())/86_400_000)
	})
}
