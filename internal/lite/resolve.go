package lite

import "path/filepath"

// Resolve follows symbolic links to where a file is. SQLite puts its journals
// beside that place, and so must lock files be there: a file that is opened
// under two names is one file. A path that leads nowhere stays as it is.
func Resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}
