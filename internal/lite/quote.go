package lite

import (
	"fmt"
	"math"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Quote writes an SQL identifier. It is the only function that does.
// Names with NUL cannot be written in SQL and do not occur in a database.
func Quote(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Literal writes a value as SQL text that reads back exactly, except that
// SQLite's parser knows no negative zero.
func Literal(v tidemark.Value) string {
	if v.Kind() == tidemark.KindText && strings.ContainsRune(v.Str(), 0) {
		return fmt.Sprintf("CAST(x'%x' AS TEXT)", v.Str())
	}
	if v.Kind() == tidemark.KindReal && math.IsInf(v.Float64(), -1) {
		return "-9e999"
	}
	return v.String()
}
