package admin

import (
	"strconv"
	"strings"
)

// route is one page. A method without a handler is not allowed.
type route struct {
	pattern    string // under Root; {id} is a number
	section    string
	permission string // that the viewer needs; "" for any staff
	open       bool   // to who is not logged in
	attempt    bool   // a POST is an attempt to log in
	get, post  func(*Admin, *visit) error
}

// routes are all pages, at the paths of Django's admin where it has them.
var routes = []*route{
	{pattern: "", section: "dashboard", get: (*Admin).dashboard},
	{pattern: "login/", open: true, attempt: true, get: (*Admin).loginPage, post: (*Admin).login},
	{pattern: "logout/", open: true, post: (*Admin).logout},
	{pattern: "password_change/", get: (*Admin).ownPasswordPage, post: (*Admin).ownPassword},

	{pattern: "auth/", get: (*Admin).toOverview},
	{pattern: "auth/user/", section: "users", permission: "auth.view_user", get: (*Admin).users, post: (*Admin).bulk},
	{pattern: "auth/user/add/", section: "users", permission: "auth.add_user", get: (*Admin).addUserPage, post: (*Admin).addUser},
	{pattern: "auth/user/{id}/", permission: "auth.view_user", get: (*Admin).toPage},
	{pattern: "auth/user/{id}/change/", section: "users", permission: "auth.view_user", get: (*Admin).userPage, post: (*Admin).changeUser},
	{pattern: "auth/user/{id}/password/", section: "users", permission: "auth.change_user", get: (*Admin).passwordPage, post: (*Admin).setPassword},
	{pattern: "auth/user/{id}/delete/", section: "users", permission: "auth.delete_user", get: (*Admin).deleteUserPage, post: (*Admin).deleteUser},
	{pattern: "auth/user/{id}/history/", section: "users", permission: "admin.view_logentry", get: (*Admin).userHistory},
	{pattern: "auth/user/{id}/sessions/", section: "users", permission: "sessions.delete_session", post: (*Admin).endUserSessions},

	{pattern: "auth/group/", section: "groups", permission: "auth.view_group", get: (*Admin).groups, post: (*Admin).bulkGroups},
	{pattern: "auth/group/add/", section: "groups", permission: "auth.add_group", get: (*Admin).groupPage, post: (*Admin).saveGroup},
	{pattern: "auth/group/{id}/", permission: "auth.view_group", get: (*Admin).toPage},
	{pattern: "auth/group/{id}/change/", section: "groups", permission: "auth.view_group", get: (*Admin).groupPage, post: (*Admin).saveGroup},
	{pattern: "auth/group/{id}/delete/", section: "groups", permission: "auth.delete_group", get: (*Admin).deleteGroupPage, post: (*Admin).deleteGroup},
	{pattern: "auth/group/{id}/history/", section: "groups", permission: "admin.view_logentry", get: (*Admin).groupHistory},

	{pattern: "sessions/session/", section: "sessions", permission: "sessions.view_session", get: (*Admin).sessions, post: (*Admin).endSessions},

	{pattern: "audit/", section: "audit", permission: "admin.view_logentry", get: (*Admin).audit},
	{pattern: "audit/export/", section: "audit", permission: "admin.view_logentry", post: (*Admin).exportAudit},
}

// Routes are the patterns of all pages' paths.
func Routes() []string {
	patterns := make([]string, len(routes))
	for i, r := range routes {
		patterns[i] = Root + r.pattern
	}
	return patterns
}

// find returns the route of a path under Root and the number in it.
func find(path string) (found *route, id int64, ok bool) {
	for _, r := range routes {
		if id, ok := r.match(path); ok {
			return r, id, true
		}
	}
	return nil, 0, false
}

func (r *route) match(path string) (id int64, ok bool) {
	before, after, numbered := strings.Cut(r.pattern, "{id}")
	if !numbered {
		return 0, path == r.pattern
	}
	rest, ok := strings.CutPrefix(path, before)
	if !ok {
		return 0, false
	}
	number, ok := strings.CutSuffix(rest, after)
	if !ok || len(number) > 19 || strings.HasPrefix(number, "0") || strings.ContainsAny(number, "+-") {
		return 0, false
	}
	id, err := strconv.ParseInt(number, 10, 64)
	return id, err == nil && id > 0
}
