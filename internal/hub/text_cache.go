package hub

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// Bounds on the bridges that a hub keeps. What is not kept is made again.
const (
	maxBridges      = 4096
	maxBridgeWeight = 1 << 20
	maxBridgesTotal = 64 << 20
)

// cellID names a cell of a space.
type cellID struct {
	rowID
	col int
}

// bridgeKey names a bridge: the cell, and the replica by its name now and by
// the one under which it sealed.
type bridgeKey struct {
	cell            cellID
	replica, sealed string
}

// bridges are those that chains of own edits may go on with, as of the last
// durable commit.
type bridges struct {
	list   map[bridgeKey]*bridge
	weight int
}

func (k *bridges) put(key bridgeKey, b *bridge) {
	k.drop(key)
	w := b.weight()
	if w > maxBridgeWeight {
		return
	}
	if len(k.list) >= maxBridges || k.weight+w > maxBridgesTotal {
		k.list, k.weight = nil, 0
	}
	if k.list == nil {
		k.list = map[bridgeKey]*bridge{}
	}
	k.list[key], k.weight = b, k.weight+w
}

func (k *bridges) drop(key bridgeKey) {
	if b := k.list[key]; b != nil {
		k.weight -= b.weight()
		delete(k.list, key)
	}
}

// groupTexts is what a group did to text cells.
type groupTexts struct {
	bridges map[bridgeKey]*bridge // of changesets that stand; nil: dropped
	order   []bridgeKey

	// Of the changeset that is judged.
	name  tidemark.Name
	sent  map[cellID]*sentText
	fresh []freshBridge
}

type freshBridge struct {
	key bridgeKey
	b   *bridge // nil: the one before it is void
}

// sentText is an edit of the changeset that is judged.
type sentText struct {
	name          tidemark.Name // as it was sealed
	seen          tidemark.Seq
	body          string
	before, value tidemark.Value
	done          splice.Patch // nil: the value was replaced as a whole
	table, col    int
	key, to       []tidemark.Value // the row's key, and the one to which it moves
	bridged       bool             // its author still misses what others did
	bridge        bridgeKey
}

// begin forgets what an earlier changeset, which a savepoint undid, left.
func (x *groupTexts) begin(name tidemark.Name) {
	if name != x.name {
		x.restart()
		x.name = name
	}
}

// restart forgets what mergeText noted since textsStand: the changeset is judged anew.
func (x *groupTexts) restart() { x.name, x.sent, x.fresh = tidemark.Name{}, nil, nil }

// note keeps an edit until its effects are known.
func (x *groupTexts) note(m *textMeeting, b *bridge, s sentText) {
	if x.sent == nil {
		x.sent = map[cellID]*sentText{}
	}
	s.bridge = m.bridgeKey()
	x.sent[s.bridge.cell] = &s
	b.n, b.upto = sealedName(m.cs).N, m.g.head+1
	x.fresh = append(x.fresh, freshBridge{s.bridge, b})
}

// spoil drops the bridge behind an edit whose effect is not what it should be.
func (x *groupTexts) spoil(key bridgeKey) { x.fresh = append(x.fresh, freshBridge{key, nil}) }

// find returns a copy of the bridge that the author's changeset n left, or nil.
func (x *groupTexts) find(h *Hub, key bridgeKey, n int64) *bridge {
	b, known := x.bridges[key]
	if !known {
		b = h.bridges.list[key]
	}
	if b == nil || b.n != n {
		return nil
	}
	return b.copy()
}

// textsStand says that what mergeText and textEffects did since the last call
// is not undone by a savepoint any more.
func (g *group) textsStand() {
	x := &g.texts
	for _, f := range x.fresh {
		if x.bridges == nil {
			x.bridges = map[bridgeKey]*bridge{}
		}
		if _, known := x.bridges[f.key]; !known {
			x.order = append(x.order, f.key)
		}
		x.bridges[f.key] = f.b
	}
	x.restart()
}

// rememberTexts keeps the bridges of a durable group.
func (h *Hub) rememberTexts(g *group) {
	for _, key := range g.texts.order {
		if b := g.texts.bridges[key]; b != nil {
			h.bridges.put(key, b)
		} else {
			h.bridges.drop(key)
		}
	}
}

func (m *textMeeting) bridgeKey() bridgeKey {
	row := rowID{m.table.ID, m.table.KeyID(m.key)}
	return bridgeKey{cellID{row, m.col}, m.cs.Replica, sealedName(m.cs).Replica}
}
