package main

import "github.com/tidemarkdb/tidemark"

// Exit codes, as `tidemark help exit-codes` explains them.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitRejected    = 3
	exitOffline     = 4
	exitDiffers     = 5
	exitRefused     = 6
	exitInterrupted = 130
)

const exitCodes = `Exit codes of every command:

  0    done; for sync: everything is settled
  1    an error, told on standard error with what to do next
  2    the command line is wrong, or tidemark.yaml
  3    done, but something was rejected and is kept: see tidemark rejected FILE
  4    the server could not be reached, another process holds the copy, or not
       everything was settled in time; nothing is lost, the same command goes on
  5    verify or doctor found differences or damage (verify has repaired what it found)
  6    refused, because a person must decide: rows that break their own
       constraints, pending changesets, a copied file, another server, a token
       that is missing, not good any more or of somebody else; of clone and
       scopes: done, but a scope that was named is not granted; of rejected
       retry all: done, but what deletes rows that only the server has is left
  130  ended by Ctrl-C

With --json a command prints one JSON document on standard output (sync --watch:
one per line). When it fails before it has a result, the document is

  {"error": {"code": "...", "message": "...", "hint": "...", "exit": 1}}

and the codes are those of spec/errors.json.
`

// ending is a result that needs an exit code of its own. With an empty msg
// nothing more is said.
type ending struct {
	exit int
	code tidemark.Code
	msg  string
	hint string
}

func (e *ending) Error() string { return e.msg }

func exitOf(code tidemark.Code) int {
	switch code {
	case tidemark.CodeUsage:
		return exitUsage
	case tidemark.CodeOffline, tidemark.CodeShutdown, tidemark.CodeRateLimited:
		return exitOffline
	case tidemark.CodeViolations, tidemark.CodePending, tidemark.CodeFork, tidemark.CodeIncarnation,
		tidemark.CodeRestored, tidemark.CodeWrongSpace, tidemark.CodeFileReplaced, tidemark.CodeUnauthenticated, tidemark.CodeForbidden:
		return exitRefused
	}
	return exitError
}

// hints are for errors that bring none of their own.
var hints = map[tidemark.Code]string{
	tidemark.CodeOffline:         "nothing is lost: run the command again when the server can be reached",
	tidemark.CodeShutdown:        "nothing is lost: run the command again when the server is back",
	tidemark.CodeBusy:            "another program holds a lock on the file; end its transaction and try again",
	tidemark.CodeFull:            "look whether the disk is full, make room and run the command again",
	tidemark.CodeReadOnly:        "look at the rights of the file and its folder, and whether the disk can be written at all",
	tidemark.CodeNotFound:        "check the path, and that its folder is there",
	tidemark.CodeNotAdopted:      "serve the file with tidemark serve, or make a copy with tidemark clone",
	tidemark.CodeNotSQLite:       "give the path of an SQLite database",
	tidemark.CodeUnauthenticated: "bring a token: --token-file FILE, or TIDEMARK_TOKEN in the environment; nothing is lost",
	tidemark.CodeNoSpace:         "look up the space's name in the server's address list, e.g. http://HOST:7420/NAME",
	tidemark.CodeCorrupt:         "restore the file from a backup, or clone it anew",
}

func usageError(msg, hint string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Msg: msg, Hint: hint}
}
