package api

import "net/http"

func (a *API) serveUser(e *exchange) error {
	e.Quiet = true
	return e.reply(http.StatusOK, userBody(&e.identity.User))
}
