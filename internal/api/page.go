package api

// Page is an answer on its way to a person who opened an endpoint in a browser.
type Page struct {
	Path, Name string // of the endpoint
	Status     int
	Body       any // as drf.Render takes it
	Indent     int // spaces for each level, as the client asks for them
	// Username and Staff are of who is logged in once the request has been
	// acted on; "" for nobody.
	Username string
	Staff    bool
	// Sent returns what a form had in a field, "" for none.
	Sent func(field string) string
	// Secret is that of the session's CSRF tokens, "" without a session.
	Secret string
}

func (a *API) page(e *exchange, status int, body any) error {
	p := &Page{
		Path: e.endpoint.path, Name: e.endpoint.name,
		Status: status, Body: body, Indent: e.accepted.Indent,
		Sent: e.data.FormValue,
	}
	switch {
	case e.opened != nil:
		p.Username, p.Staff, p.Secret = e.opened.User.Username, e.opened.User.IsStaff, e.opened.Session.CSRFSecret
	case e.known != nil:
		p.Username, p.Staff, p.Secret = e.known.Username, e.known.IsStaff, e.known.CSRFSecret
	}
	return a.Page(e.Exchange, p)
}
