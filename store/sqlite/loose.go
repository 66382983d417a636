package sqlite

// loose says which constraints are off for a moment on the writing connection.
// These are settings of the connection, which no ROLLBACK takes back.
type loose struct {
	checks bool // CHECK
	keys   bool // foreign keys and their actions
}

// loosely runs fn with some constraints off, in addition to those that are.
func (s *Store) loosely(l loose, fn func() error) error {
	before := s.loose
	if err := s.loosen(loose{before.checks || l.checks, before.keys || l.keys}); err != nil {
		return err
	}
	err := fn()
	if lerr := s.loosen(before); err == nil {
		err = lerr
	}
	return err
}

// loosen makes the settings what l says. After an error, such as an interrupt,
// s.loose still says what they are, and the end of the group sets them right.
func (s *Store) loosen(l loose) error {
	if l.keys != s.loose.keys {
		if err := s.db.SetForeignKeys(!l.keys); err != nil {
			return err
		}
		s.loose.keys = l.keys
	}
	if l.checks == s.loose.checks {
		return nil
	}
	sql := "PRAGMA ignore_check_constraints = OFF"
	if l.checks {
		sql = "PRAGMA ignore_check_constraints = ON"
	}
	err := s.db.Run(sql)
	if err == nil {
		s.loose.checks = l.checks
	}
	return err
}
