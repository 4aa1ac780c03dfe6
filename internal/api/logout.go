package api

import (
	"net/http"

	"github.com/postern-auth/postern/internal/drf"
)

func (a *API) serveLogout(e *exchange) error {
	if err := a.Realm.Logout(e.acting(), e.known.SessionID); err != nil {
		return err
	}
	delete(e.Header(), "Set-Cookie") // of a renewal or a mended CSRF cookie
	e.DeleteSessionCookie()
	e.known = nil
	return a.reply(e, http.StatusOK, drf.Object{{Name: "message", Value: "Logout successful"}})
}
