package typescript

import "strings"

// typeOf tells what a query gives for a column.
func (f *file) typeOf(c Column) string {
	t := f.kindOf(c)
	if t == "SqlValue" {
		f.anything = true
		return t // null is one of them
	}
	if c.NotNull {
		return t
	}
	return t + " | null"
}

// kindOf goes by the declared type: first by names whose affinity says less
// than what people keep in such columns, then by the rules of affinity,
// https://www.sqlite.org/datatype3.html section 3.1.
func (f *file) kindOf(c Column) string {
	integer := "number"
	if f.o.BigInt {
		integer = "bigint"
	}
	declared := strings.ToUpper(c.Type)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(declared, w) {
				return true
			}
		}
		return false
	}
	switch {
	case declared == "" || c.Strict && declared == "ANY":
		return "SqlValue"
	case has("INT"):
		return integer
	case has("CHAR", "CLOB", "TEXT", "JSON", "UUID"):
		return "string"
	case has("BLOB"):
		return "Uint8Array"
	case has("REAL", "FLOA", "DOUB"):
		return "number"
	case has("BOOL"):
		return integer
	case has("DATE", "TIME"):
		return "string | number" // text or a number of the epoch: SQLite has no type of its own
	case has("DEC", "NUM"):
		if f.o.BigInt {
			return "number | bigint"
		}
		return "number"
	}
	return "SqlValue"
}
