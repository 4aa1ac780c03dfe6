package admin

import "net/url"

// keptName is the parameter, of Django's name, in which the page of a user
// keeps the search, the filters and the page of the list that led to it.
const keptName = "_changelist_filters"

// kept is the query of a list, as it is kept; "" for a list as it begins.
type kept string

// maxKept is the longest query that is kept, in bytes: each row of a list
// repeats it.
const maxKept = 300

// keep keeps the query of a list, unless it is too long.
func keep(query url.Values) kept {
	q := with(query, "place", query.Get("place"))[1:]
	if len(q) > maxKept {
		return ""
	}
	return kept(q)
}

// kept is what the request keeps; whatever was sent is a query afterwards.
func (v *visit) kept() kept {
	query, err := url.ParseQuery(v.query().Get(keptName))
	if err != nil {
		return ""
	}
	return keep(query)
}

// Query goes behind the path of a page that keeps it.
func (k kept) Query() string {
	if k == "" {
		return ""
	}
	return "?" + keptName + "=" + url.QueryEscape(string(k))
}

// List goes behind the path of the list.
func (k kept) List() string {
	if k == "" {
		return ""
	}
	return "?" + string(k)
}

// saved leads on from a form that was saved: as Django's, to the list, to a
// form for another one, or back to the same.
func (v *visit) saved(list, page, did string) error {
	switch {
	case v.ticked("_addanother"):
		return v.done(Root+list+"add/", did)
	case v.ticked("_continue"):
		return v.done(page+v.kept().Query(), did)
	}
	return v.done(Root+list+v.kept().List(), did)
}
