package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Whatever the machine refuses is told with a code and a next step.
func TestWhatTheMachineRefusesHasANextStep(t *testing.T) {
	_, missing := os.ReadFile(filepath.Join(t.TempDir(), "no", "file"))
	_, folder := lite.Open(t.TempDir(), lite.Options{})
	for _, c := range []struct {
		err  error
		code tidemark.Code
	}{
		{&fs.PathError{Op: "write", Path: "shop.db", Err: syscall.ENOSPC}, tidemark.CodeFull},
		{&fs.PathError{Op: "open", Path: "shop.db", Err: syscall.EROFS}, tidemark.CodeReadOnly},
		{fmt.Errorf("clone: %w", fs.ErrPermission), tidemark.CodeReadOnly},
		{folder, tidemark.CodeReadOnly},
		{unreadable("shop.db", folder), tidemark.CodeReadOnly},
		{missing, tidemark.CodeNotFound},
	} {
		f := newShell(t.Context()).failure(c.err)
		if f.Code != c.code || f.Hint == "" || f.Exit != exitError {
			t.Errorf("%v: code %s, hint %q, exit %d", c.err, f.Code, f.Hint, f.Exit)
		}
	}
	if f := newShell(t.Context()).failure(errors.New("odd")); f.Code != tidemark.CodeInternal {
		t.Errorf("code %s", f.Code)
	}
}
