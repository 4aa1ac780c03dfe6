package admin

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/password"
)

// pageLength is how many rows a list shows.
const pageLength = 50

// userList is what the page of users shows.
type userList struct {
	Rows       []userRow
	Partial    bool // more may follow, though this page is not full
	Narrowed   bool
	Query      url.Values // as sent
	Columns    []column
	Switches   []field // yes, no, any
	Algorithms []string
	Total      string // how many there are
	Groups     []choice
	Filtered   bool
	Open       bool // the filters are in use

	First, Next, Previous string // URLs, "" for none
	CanAdd, CanChange     bool
	CanEnd, CanDelete     bool
	Kept                  kept // for the links to users
	Problem               string
}

type userRow struct {
	auth.User
	Name, Hasher string
}

// column is a head of the table; a click sorts by it.
type column struct {
	Text, URL string
	Sorted    string // "ascending", "descending" or ""
}

var userSorts = []struct {
	name, text string
	sort       auth.UserSort
}{
	{"username", "Username", auth.ByUsername},
	{"email", "E-mail address", auth.ByEmail},
	{"date_joined", "Joined", auth.ByJoined},
	{"last_login", "Last login", auth.ByLastLogin},
}

// algorithms are the hashes to filter by: Django's names.
var algorithms = []string{
	"argon2", "pbkdf2_sha256", "pbkdf2_sha1", "bcrypt_sha256", "bcrypt", "scrypt", "md5", "!",
}

func (a *Admin) users(v *visit) error { return a.showUsers(v, http.StatusOK, "") }

func (a *Admin) showUsers(v *visit, status int, problem string) error {
	ctx := v.Request.Context()
	query := v.query()
	list := readUserList(query)
	page, err := v.steward.Users(ctx, list)
	if err != nil {
		return err
	}
	list.Place = ""
	count, err := v.steward.CountUsers(ctx, list)
	if err != nil {
		return err
	}
	groups, err := a.groupChoices(v)
	if err != nil {
		return err
	}
	shown := &userList{
		Total: v.total(count), Algorithms: algorithms, Partial: page.Partial, Narrowed: page.Narrowed, Query: query, Groups: groups, Problem: problem,
		Open:   slices.ContainsFunc(userFilters, func(name string) bool { return query.Get(name) != "" }),
		First:  with(query, "place", ""),
		CanAdd: v.steward.Can("auth.add_user"), CanChange: v.steward.Can("auth.change_user"), CanEnd: v.steward.Can("sessions.delete_session"),
		CanDelete: v.steward.Can("auth.delete_user"), Kept: keep(query),
	}
	shown.Filtered = shown.Open || query.Get("q") != ""
	if page.Next != "" {
		shown.Next = with(query, "place", page.Next)
	}
	if page.Previous != "" {
		shown.Previous = with(query, "place", page.Previous)
	}
	for _, one := range []field{{Name: "active", Label: "Active"}, {Name: "staff", Label: "Staff"}, {Name: "superuser", Label: "Superuser"}} {
		one.Value = query.Get(one.Name)
		shown.Switches = append(shown.Switches, one)
	}
	for i := range page.Users {
		u := page.Users[i]
		shown.Rows = append(shown.Rows, userRow{User: u, Name: strings.TrimSpace(u.FirstName + " " + u.LastName), Hasher: password.Describe(u.Password)})
	}
	for _, s := range userSorts {
		shown.Columns = append(shown.Columns, sortable(query, s.name, s.text))
	}
	return a.show(v, status, "users", "Users", shown)
}

// userFilters are the parameters behind "Filters".
var userFilters = []string{"active", "staff", "superuser", "joined_from", "joined_to", "login_from", "login_to", "never", "algorithm", "group"}

func readUserList(q url.Values) auth.UserList {
	l := auth.UserList{
		Search: q.Get("q"), Active: yesNo(q.Get("active")), Staff: yesNo(q.Get("staff")), Superuser: yesNo(q.Get("superuser")),
		JoinedFrom: day(q.Get("joined_from"), 0), JoinedTo: day(q.Get("joined_to"), 1),
		LastLoginFrom: day(q.Get("login_from"), 0), LastLoginTo: day(q.Get("login_to"), 1),
		NeverLoggedIn: q.Get("never") != "",
		Sort:          auth.ByUsername, Place: q.Get("place"), Limit: pageLength,
	}
	if slices.Contains(algorithms, q.Get("algorithm")) {
		l.Algorithm = q.Get("algorithm")
	}
	l.Group, _ = strconv.ParseInt(q.Get("group"), 10, 64) // what is no number is no filter
	name, descending := strings.CutPrefix(q.Get("sort"), "-")
	for _, s := range userSorts {
		if s.name == name {
			l.Sort, l.Descending = s.sort, descending
		}
	}
	return l
}

func yesNo(sent string) *bool {
	yes := sent == "yes"
	if !yes && sent != "no" {
		return nil
	}
	return &yes
}

// day reads a date, in UTC, moved by so many days; the zero time for what is no date.
func day(sent string, days int) time.Time {
	t, err := time.Parse(time.DateOnly, sent)
	if err != nil {
		return time.Time{}
	}
	return t.AddDate(0, 0, days)
}

// with is the query with one parameter changed ("" leaves it out), as a URL.
// A change of anything but the place begins at the first page.
func with(query url.Values, name, value string) string {
	changed := make(url.Values)
	for key, values := range query {
		if key != name && key != "place" && key != "done" && len(values) > 0 && values[0] != "" {
			changed[key] = values[:1]
		}
	}
	if value != "" {
		changed.Set(name, value)
	}
	return "?" + changed.Encode()
}

// total writes a count as people of the viewer's language do.
func (v *visit) total(c auth.Count) string {
	if c.More {
		return v.language.Number(c.N) + "+"
	}
	return v.language.Number(c.N)
}

func sortable(query url.Values, name, text string) column {
	c := column{Text: text, URL: with(query, "sort", name)}
	sort := query.Get("sort")
	if sort == "" {
		sort = "username"
	}
	switch sort {
	case name:
		c.Sorted, c.URL = "ascending", with(query, "sort", "-"+name)
	case "-" + name:
		c.Sorted = "descending"
	}
	return c
}

// bulk acts on the users that were ticked.
func (a *Admin) bulk(v *visit) error {
	ids, ok := v.ids("user")
	if !ok {
		return a.showUsers(v, http.StatusUnprocessableEntity, notOffered)
	}
	query := v.query()
	list := Root + "auth/user/" + with(query, "place", query.Get("place"))
	if len(ids) == 0 {
		return v.done(list, "nothing")
	}
	ctx := a.actor(v)
	var err error
	did := ""
	switch v.form.Get("action") {
	case "activate":
		did = "activated"
		_, err = v.steward.SetActive(ctx, ids, true)
	case "deactivate":
		did = "deactivated"
		_, err = v.steward.SetActive(ctx, ids, false)
	case "delete":
		return a.deleteUsers(v, list, ids)
	case "end":
		did = "ended"
		_, err = v.steward.EndSessionsOf(ctx, ids)
	default:
		return v.done(list, "nothing")
	}
	if problem := a.ruleBroken(v, err); problem != "" {
		return a.showUsers(v, http.StatusConflict, problem)
	}
	if errors.Is(err, auth.ErrNoUser) {
		return a.showUsers(v, http.StatusUnprocessableEntity, notOffered)
	}
	if err != nil {
		if did == "ended" {
			return v.endingFailed(err)
		}
		return err
	}
	return v.done(list, did)
}

// endingFailed is an error of ending the sessions of users. When it is the
// store's, some may have ended before it.
func (v *visit) endingFailed(err error) error {
	if !errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return &unfinished{v.language.Text("Some of the sessions may not have ended, because their store could not be reached. End them again in a moment."), err}
}

// ruleBroken is the function of that name; it notes when somebody was refused
// for want of a permission.
func (a *Admin) ruleBroken(v *visit, err error) string {
	if isDenied(err) {
		a.denied(v)
	}
	return ruleBroken(err)
}

// ruleBroken says in words which rule forbids an act, "" if none does.
func ruleBroken(err error) string {
	for _, rule := range []struct {
		err  error
		text string
	}{
		{auth.ErrOwnAccount, "Nobody changes the rights or the state of their own account. Ask another superuser."},
		{auth.ErrLastSuperuser, "This is the last active superuser. Make another one first."},
		{auth.ErrSuperuser, "Only a superuser may do this to a superuser. Nothing was changed."},
		{auth.ErrRights, "Only a superuser may change what others may do. Nothing was changed."},
		{auth.ErrUserInUse, "Rows of other tables still refer to this user. Deactivate it instead."},
		{auth.ErrTooMany, "These are too many at once. Nothing was changed."},
	} {
		if errors.Is(err, rule.err) {
			return rule.text
		}
	}
	return ""
}
