package replica

import "github.com/tidemarkdb/tidemark/internal/wire"

// scopes takes over which scopes the session has from here on.
func scopes(l *Loop, now int64, ev Event) error {
	m := ev.(Received).Msg.(*wire.Scopes)
	news, err := l.e.TakeScopes(m.List, now)
	if err != nil {
		return err
	}
	l.staging = false // chunks that were staged are void
	if err := l.rescoped(news, m.Ask); err != nil {
		return err
	}
	return l.decide(now, true)
}

// rescoped follows a list of scopes that were wanted as of ask; news is nil
// where none came or went.
func (l *Loop) rescoped(news *Applied, ask int64) error {
	l.heard = ask
	if err := l.e.answered(ask); err != nil {
		return err
	}
	return l.reached(news)
}

// reached follows a change of what this copy holds, if there was one.
func (l *Loop) reached(news *Applied) error {
	var err error
	if l.filling, err = l.e.filling(); err != nil || news == nil {
		return err
	}
	l.progressed()
	l.unsent = true // what went was sealed first
	if l.check != nil && (news.Schema || len(news.Scopes) > 0) {
		l.check = nil // it compared other tables or scopes; begin anew
		l.wanted = true
	}
	l.notify(Note{Applied: news})
	return nil
}

// moving reports whether scopes or chunks are on their way.
func (l *Loop) moving() bool { return l.staging || l.filling || l.heard < l.told }

// rewant tells the server what is wanted, if that is not what it was told.
func (l *Loop) rewant() error {
	n, err := l.e.wanted()
	if err != nil || n == l.told {
		return err
	}
	only, want, err := l.e.Wants()
	if err != nil {
		return err
	}
	l.told = n
	l.send(&wire.Subscribe{Only: only, Want: want, Ask: n})
	return nil
}

// resubscribe looks whether something else is wanted.
func resubscribe(l *Loop, now int64, _ Event) error {
	if err := l.rewant(); err != nil {
		return err
	}
	return l.decide(now, false)
}
