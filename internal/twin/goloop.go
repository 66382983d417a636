package twin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func (d *goDevice) step(now int64, ev event) (stepped, error) {
	d.now = now
	e, err := d.event(ev)
	if err != nil {
		return stepped{}, err
	}
	effects, err := d.loop.Step(now, e)
	out := stepped{State: d.loop.State().String()}
	if err != nil {
		if out.Fault = string(tidemark.CodeOf(err)); out.Fault == "" {
			out.Fault = "moved"
		}
	}
	for _, e := range effects {
		out.Effects = append(out.Effects, d.effect(e))
	}
	return out, nil
}

func (d *goDevice) event(ev event) (replica.Event, error) {
	switch ev.Type {
	case "start":
		return replica.Start{}, nil
	case "connected":
		d.short = nil
		if d.brief {
			d.short = &wire.Shorthand{}
		}
		return replica.Connected{}, nil
	case "received":
		m, err := wire.DecodeDown([]byte(ev.Text))
		if err != nil {
			return replica.Received{}, nil
		}
		if d.short != nil {
			d.short.ReadDown(m)
		}
		return replica.Received{Msg: m}, nil
	case "disconnected":
		return replica.Disconnected{}, nil
	case "local":
		return replica.Local{}, nil
	case "tick":
		return replica.Tick{}, nil
	case "rewant":
		return replica.Rewant{}, nil
	case "verify":
		return replica.Verify{}, nil
	case "hangup":
		return replica.Hangup{}, nil
	}
	return nil, fmt.Errorf("no event %q", ev.Type)
}

func (d *goDevice) effect(e replica.Effect) effect {
	switch e := e.(type) {
	case replica.Dial:
		return effect{Do: "dial"}
	case replica.Close:
		return effect{Do: "close"}
	case replica.SetTimer:
		return effect{Do: "timer", After: e.After.Milliseconds()}
	case replica.Send:
		out := effect{Do: "send"}
		for _, m := range e.Msgs {
			if d.short != nil {
				m = d.short.Up(m)
			}
			out.Texts = append(out.Texts, string(wire.AppendUp(nil, m)))
		}
		return out
	case replica.Notify:
		return effect{Do: "note", Note: describe(e.Note)}
	}
	return effect{Do: fmt.Sprintf("%T", e)}
}

// describe spells news in one line. Of errors only the code is compared: the
// sentences of SQLite are not the same in every version.
func describe(n replica.Note) string {
	var b strings.Builder
	b.WriteString(n.State.String())
	if n.Err != nil {
		fmt.Fprintf(&b, ", error %s", n.Err.Code)
	}
	if n.Sealed > 0 {
		fmt.Fprintf(&b, ", sealed %d", n.Sealed)
	}
	if v := n.Verify; v != nil {
		fmt.Fprintf(&b, ", verified seq %d tables %d rows %d differed %d saved %d", v.Seq, v.Tables, v.Rows, v.Differed, v.Saved)
	}
	if a := n.Applied; a != nil {
		fmt.Fprintf(&b, ", applied to %d, tables %v", a.Seq, a.Tables)
		for _, o := range a.Settled {
			fmt.Fprintf(&b, ", settled %d %s %s at %d", o.N, o.Kind, o.Code, o.Seq)
		}
		for _, p := range a.Suspended {
			fmt.Fprintf(&b, ", suspended %d by %s, %d bytes", p.N, p.Cause, p.Bytes)
		}
		for _, n := range a.Resumed {
			fmt.Fprintf(&b, ", resumed %d", n)
		}
		if a.Repair != "" {
			fmt.Fprintf(&b, ", to repair: %s", a.Repair)
		}
		for _, s := range a.Scopes {
			fmt.Fprintf(&b, ", %s %s of %d rows, unwanted %v", s.Scope, s.State, s.Rows, s.Unwanted)
		}
		for _, t := range slices.Sorted(maps.Keys(a.Left)) {
			fmt.Fprintf(&b, ", %d left %d", a.Left[t], t)
		}
		fmt.Fprintf(&b, ", schema %v, %d skipped, %d rows, staged %v", a.Schema, len(a.Skipped), a.Rows, a.Staged)
	}
	return b.String()
}
