package hub

import (
	"encoding/binary"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// foreign sequences what other programs did to the server's file, as a
// changeset of the replica `file`. What breaks a constraint is undone and kept.
func (g *group) foreign() error {
	work, err := g.tx.Foreign()
	if err != nil {
		return err
	}
	g.commit.net = newNet(g.tx.Schema())
	if work.Moved != nil {
		if g.commit.Schema, err = schemaMessage(g.tx, g.tx.Schema().Hash); err != nil {
			return err
		}
		g.allConcerned() // grants may be declared another way
	}
	if work.Refused != nil {
		if err := g.undo(work.Changes, work.Refused); err != nil {
			return err
		}
		work.Changes = nil
	}
	if len(work.Changes) == 0 && work.Moved == nil {
		return nil
	}
	g.commit.Foreign = len(work.Changes)
	return g.appendForeign(work.Changes)
}

// appendForeign gives changes that the tables hold already the next seq.
func (g *group) appendForeign(changes []tidemark.Change) error {
	if err := g.sequence(changes); err != nil {
		return err
	}
	g.advance(changes)
	return nil
}

// sequence appends changes as a changeset of the file.
func (g *group) sequence(changes []tidemark.Change) error {
	name, err := g.foreignName(changes)
	if err != nil {
		return err
	}
	if err := g.textEffects(name, g.head, changes); err != nil {
		return err
	}
	if err := g.saveTimes(changes, g.madeByHand); err != nil {
		return err
	}
	return g.append(name, "", changes)
}

func (g *group) undo(changes []tidemark.Change, why *tidemark.Error) error {
	name, err := g.foreignName(changes)
	if err != nil {
		return err
	}
	o := g.rejected(name, why)
	if err := g.tx.Undo(changes); err != nil {
		return err
	}
	g.commit.Rejected = append(g.commit.Rejected, o)
	return g.tx.SaveRejectedForeign(changes, o)
}

// foreignName numbers the changesets of the file. The place in the log takes
// the part of the salt.
func (g *group) foreignName(changes []tidemark.Change) (tidemark.Name, error) {
	r, err := g.replica(tidemark.FileReplica)
	if err != nil {
		return tidemark.Name{}, err
	}
	r.LastN++
	var salt tidemark.Salt
	binary.BigEndian.PutUint64(salt[:], uint64(g.head))
	hash := wire.HashOf(salt, wire.AppendChanges(nil, changes, true))
	return tidemark.Name{Replica: tidemark.FileReplica, N: r.LastN, Hash: hash}, nil
}

// append gives effects the next seq, in the store only: advance counts them.
func (g *group) append(name tidemark.Name, author string, effects []tidemark.Change) error {
	err := g.tx.Append(tidemark.LogEntry{
		Seq: g.head + 1, Name: name, Author: author, At: g.now,
		Schema: g.tx.Schema().Hash, Effects: effects,
	})
	if err != nil {
		return err
	}
	g.leaseUsed(effects)
	return nil
}

// advance follows what was appended once no savepoint can undo it.
func (g *group) advance(effects []tidemark.Change) {
	g.head++
	g.textsStand()
	g.commit.net.add(effects)
	g.concerned()
}
