package openapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/pages"
)

// shown is an operation as the page shows it.
type shown struct {
	operation
	Sent    string // the example of a body
	Replies []reply
}

// reply is an answer and its example.
type reply struct {
	answer
	Text string
}

// content is what the page's template needs.
type content struct {
	*Options
	Operations []shown
}

func (o *Options) shown() (list []shown, err error) {
	for _, op := range o.operations() {
		one := shown{operation: op}
		if op.Body != nil {
			if one.Sent, err = indented(op.Body.Example); err != nil {
				return nil, err
			}
		}
		for _, a := range op.Answers {
			r := reply{answer: a}
			if r.Text, err = indented(a.Example); err != nil {
				return nil, err
			}
			one.Replies = append(one.Replies, r)
		}
		list = append(list, one)
	}
	return list, nil
}

func indented(o object) (string, error) {
	compact, err := marshal(o)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = json.Indent(&b, compact, "", "  ")
	return b.String(), err
}

// servePage shows the page, which is the same for everyone: who is logged in
// does not matter to it.
func (d *Description) servePage(x *guard.Exchange) error {
	operations, err := d.operations()
	if err != nil {
		return err
	}
	language := pages.LanguageOf(x.Request)
	return d.site.Show(x, http.StatusOK, "docs", &pages.Page{
		Title: language.Text("Documentation of the API"), Path: PagePath,
		Content: &content{Options: &d.options, Operations: operations},
	})
}
