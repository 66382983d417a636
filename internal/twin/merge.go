package twin

import (
	"errors"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/merge"
	"github.com/tidemarkdb/tidemark/internal/sim"
)

// mergeFunctions are the simulator's, of which one does not like gamma: a
// function of an app's can fail.
func mergeFunctions() map[string]merge.Func {
	of := sim.MergeFunctions()
	longer := of["longer"]
	of["longer"] = func(base, theirs, mine tidemark.Value) (tidemark.Value, error) {
		if strings.Contains(mine.Str(), "gamma") {
			return tidemark.Null, errors.New("no gamma")
		}
		return longer(base, theirs, mine)
	}
	return of
}
