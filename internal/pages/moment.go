package pages

import (
	"html/template"
	"time"
)

// moment shows a time in UTC, exact to the second on hover; time.js shows it
// in the viewer's own zone. The zero time is an empty text.
func moment(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	exact := t.Format("2006-01-02 15:04:05 UTC")
	// Nothing here but digits and our own words: there is nothing to escape.
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `" title="` + exact + `">` + t.Format("2006-01-02 15:04") + " UTC</time>")
}
