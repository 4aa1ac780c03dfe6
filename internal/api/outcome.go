package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/password"
)

// What may come of an attempt to log in or to register.
const (
	outcomeSuccess   = "success"
	outcomeInvalid   = "invalid"   // wrong name or password, or a field that is refused
	outcomeThrottled = "throttled" // too many attempts
	outcomeBusy      = "busy"      // too many passwords to hash, or bodies in flight
	outcomeRefused   = "refused"   // by the checks of CSRF token and origin
	outcomeMalformed = "malformed" // a body that can't be read
	outcomeAbandoned = "abandoned" // the client hung up
	outcomeError     = "error"     // our fault, or the database's
)

// outcomeOf names what an act returned.
func outcomeOf(ctx context.Context, err error) string {
	var (
		known  *drf.Error
		fields invalid
	)
	_, csrf := guard.IsCSRFError(err)
	switch {
	case err == nil:
		return outcomeSuccess
	case errors.Is(err, errInvalidCredentials), errors.As(err, &fields):
		return outcomeInvalid
	case errors.As(err, &known) && known.Status == http.StatusTooManyRequests:
		return outcomeThrottled
	case errors.As(err, &known) && known.Status < http.StatusInternalServerError:
		return outcomeMalformed
	case csrf:
		return outcomeRefused
	case errors.Is(err, password.ErrBusy), errors.Is(err, errTooManyBodies):
		return outcomeBusy
	case ctx.Err() != nil:
		return outcomeAbandoned
	}
	return outcomeError
}
