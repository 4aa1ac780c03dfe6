package api

import (
	"net/http"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/drf"
)

func (a *API) serveUser(e *exchange) error {
	e.Quiet = true
	if e.accepted == (drf.Accepted{}) && e.known.Answer != "" {
		e.Header()["Content-Type"] = applicationJSON
		e.AnswerText(http.StatusOK, e.known.Answer)
		return nil
	}
	return a.reply(e, http.StatusOK, userBody(&auth.User{ID: e.known.UserID, Username: e.known.Username, Email: e.known.Email}))
}
