// Package postern is session authentication for web applications: users,
// passwords, session cookies and CSRF tokens, wire-compatible with a Django
// REST framework backend and at home in Django's own tables.
//
// A program mounts it like this:
//
//	srv, err := postern.Open(ctx, postern.Config{ … })
//	mux.Handle("/api/", srv.Handler())
//	mux.Handle("/admin/", srv.Handler())
//	mux.Handle("/", srv.RequireUser(pages))
//
// and asks [UserFrom] who is there. The command in cmd/postern is built on
// this package alone.
package postern
