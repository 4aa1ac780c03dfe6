package pgstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postern-auth/postern/internal/auth"
)

// SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	codeForeignKey    = "23503"
	codeUnique        = "23505"
	codeSerialization = "40001"
	codeDeadlock      = "40P01"
	codeReadOnly      = "25006"
	codeLocked        = "55P03"
	codeBadText       = "22021"
	codeUnsupported   = "0A000"
	// untranslatable_character: the database's encoding lacks a character.
	codeUnstorable = "22P05"
)

// code is the SQLSTATE of a server's error, "" if it is none.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// isRepeatable reports whether a transaction that failed so would do
// something else if it were run again.
func isRepeatable(err error) bool {
	c := code(err)
	return c == codeSerialization || c == codeDeadlock
}

// isCreationRace reports whether another process may have made the same thing
// at the same moment, so that it is there at the next attempt.
func isCreationRace(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "42710", "42P07", "42P06", codeUnique, codeSerialization, codeDeadlock: // duplicate object, table and schema
		return true
	case "XX000": // internal_error
		return strings.Contains(e.Message, "tuple concurrently")
	}
	return false
}

// isConnectionLost reports whether the connection was to blame, so that
// another one may do better.
func isConnectionLost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	switch code(err) {
	case "57P01", "57P02", "57P03": // admin_shutdown, crash_shutdown, cannot_connect_now
		return true
	case "":
	default:
		return false
	}
	var network net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &network) || pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

// classify wraps err in auth.ErrUnavailable if the database, the way to it or
// the caller's deadline is to blame, and not the statement.
func classify(err error) error {
	if err == nil || isNoRow(err) {
		return err
	}
	if c := code(err); c != "" {
		switch c[:2] {
		case "08", "28", "3D", "53", "57", "58", "40", "55", "XX": // connection, role, database, resources, operator, system, rollback, locks, internal
			return unavailable(err)
		}
		switch c {
		case codeReadOnly, "25P03", // a demoted primary, idle_in_transaction_session_timeout
			"42501", "42P01": // rights that were taken away, a table that is being restored
			return unavailable(err)
		}
		return err
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok || isConnectionLost(err) || pgconn.Timeout(err) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "closed pool") {
		return unavailable(err)
	}
	return err
}

// unavailable wraps err in auth.ErrUnavailable, once; nil stays nil.
func unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
}

// explain says what an error at the opening means for the operator. pgx
// leaves the password out of its errors.
func explain(name string, err error) error {
	return explainWith(name, "check host, port and sslmode, and that the server runs and takes writes", err)
}

// explainWith has another way out for a server that can't be reached or used.
func explainWith(name, otherwise string, err error) error {
	var way string
	switch code(err) {
	case "28P01", "28000":
		way = "check user and password, and pg_hba.conf"
	case "3D000":
		way = "create it with: createdb"
	case "08P01":
		way = "if a pooler stands between, add the parameter pooler=transaction"
	case "42704", "22023": // undefined_object, invalid_parameter_value
		way = "a parameter of the URL, or its value, is not known to the server: correct it or leave it out"
	case "53300":
		way = "raise max_connections, or put a pooler such as PgBouncer in between"
	case "":
		way = otherwise
	}
	if way == "" {
		return fmt.Errorf("open database %s: %w", name, err)
	}
	return fmt.Errorf("open database %s: %s (%w)", name, way, err)
}
