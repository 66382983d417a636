package tidemark_test

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func TestCodesOfAnApp(t *testing.T) {
	for _, name := range []string{"a", "credit_limit", "e2", strings.Repeat("x", 64)} {
		code, ok := tidemark.AppCode(name)
		if back, own := code.App(); !ok || !own || back != name {
			t.Errorf("%q: %q %v, back %q %v", name, code, ok, back, own)
		}
	}
	for _, name := range []string{"", "A", "2e", "_a", "a b", "a-b", "a:b", "app:a", "ä", "a\n", strings.Repeat("x", 65)} {
		if code, ok := tidemark.AppCode(name); ok || code != "" {
			t.Errorf("%q became %q", name, code)
		}
	}
	for _, code := range []tidemark.Code{"", tidemark.CodeUnique, "app", "app:", "app:A", "App:a", "app:a b"} {
		if name, ok := code.App(); ok || name != "" {
			t.Errorf("%q counts as the app's own %q", code, name)
		}
	}
}
