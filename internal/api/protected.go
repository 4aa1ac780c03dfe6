package api

import (
	"net/http"

	"github.com/postern-auth/postern/internal/drf"
)

func (a *API) serveProtected(e *exchange) error {
	e.Quiet = true
	return a.reply(e, http.StatusOK, drf.Object{
		{Name: "message", Value: "Hello, " + e.known.Username + "! You are authenticated."},
	})
}
