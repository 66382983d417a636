// Code generated from spec/errors.json by internal/gen; DO NOT EDIT.

package tidemark

// Code is a stable error code; spec/errors.json says what each means and what to do.
type Code string

// Codes of rejected changesets. Some of them also answer a session or a request.
const (
	CodeForbidden   Code = "forbidden"
	CodeNotFound    Code = "not_found"
	CodeUnique      Code = "unique"
	CodeForeignKey  Code = "foreign_key"
	CodeCheck       Code = "check"
	CodeNotNull     Code = "not_null"
	CodeStale       Code = "stale"
	CodeDependsOn   Code = "depends_on"
	CodeSchema      Code = "schema"
	CodeTooLarge    Code = "too_large"
	CodeRateLimited Code = "rate_limited"
	CodeConflict    Code = "conflict"
	CodeRaised      Code = "raised"
	CodeType        Code = "type"
	CodeInternal    Code = "internal"
	CodeUncaptured  Code = "uncaptured"
	CodeRecovered   Code = "recovered"
)

// Codes of refusals that end or delay a session. None of these is an outcome.
const (
	CodeFork            Code = "fork"
	CodeGap             Code = "gap"
	CodeIncarnation     Code = "incarnation"
	CodeRestored        Code = "restored"
	CodeWrongSpace      Code = "wrong_space"
	CodeUnauthenticated Code = "unauthenticated"
	CodeProtocol        Code = "protocol"
	CodeShutdown        Code = "shutdown"
)

// Codes of operations on files and of requests. None of these is an outcome.
const (
	CodeNotSQLite    Code = "not_sqlite"
	CodeEncrypted    Code = "encrypted"
	CodeReadOnly     Code = "read_only"
	CodeNewerFormat  Code = "newer_format"
	CodeWrongRole    Code = "wrong_role"
	CodeNotAdopted   Code = "not_adopted"
	CodeViolations   Code = "violations"
	CodePending      Code = "pending"
	CodeFileReplaced Code = "file_replaced"
	CodeBusy         Code = "busy"
	CodeOffline      Code = "offline"
	CodeExists       Code = "exists"
	CodeNoSpace      Code = "no_space"
	CodeFull         Code = "disk_full"
	CodeCorrupt      Code = "corrupt"
	CodeUsage        Code = "usage"
)
