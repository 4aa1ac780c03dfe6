package openapi

import (
	"slices"
	"strings"
)

// document writes the whole of it.
func (o *Options) document() object {
	return object{
		{"openapi", "3.1.1"},
		{"info", object{
			{"title", "Postern"},
			{"summary", "Session authentication for web applications"},
			{"description", description},
			{"version", o.Version},
			{"license", object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []object{{{"url", "/"}, {"description", "This server"}}}},
		{"tags", []object{
			{{"name", "session"}, {"description", "Register, log in, log out."}},
			{{"name", "user"}, {"description", "What a session is good for."}},
			{{"name", "documentation"}, {"description", "This document."}},
		}},
		{"paths", o.paths()},
		{"components", o.components()},
	}
}

const description = "A session begins with a registration or a login: the answer sets two cookies. The session cookie is for the server alone; " +
	"the CSRF cookie is for the client's scripts, which send its value, or the csrf_token of a login's answer, in the header X-CSRFToken " +
	"with each POST while they are logged in.\n\n" +
	"A login needs no token, so that a client can begin with nothing, but must not come from an origin that is not trusted."

func (o *Options) paths() object {
	var paths object
	for _, op := range o.operations() {
		item := object{{strings.ToLower(op.Method), o.operation(&op)}}
		if op.Method == "GET" {
			head := op
			head.ID, head.Summary = op.ID+"Head", op.Summary+" (headers only)"
			item = append(item, member{"head", o.operation(&head)})
		}
		item = append(item, member{"options", o.options(&op)})
		paths = append(paths, member{op.Path, item})
	}
	return append(paths, member{Path, object{{"get", o.itself("schema")}, {"head", o.itself("schemaHead")}}})
}

func (o *Options) operation(op *operation) object {
	tag := "session"
	if op.Method == "GET" {
		tag = "user"
	}
	written := object{
		{"operationId", op.ID}, {"tags", []string{tag}}, {"summary", op.Summary}, {"description", op.Description},
		{"parameters", o.parameters(op)},
	}
	if op.Body != nil {
		content := object{}
		for _, mediaType := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"} {
			content = append(content, member{mediaType, object{{"schema", ref("schemas", op.Body.Schema)}, {"example", op.Body.Example}}})
		}
		written = append(written, member{"requestBody", object{{"required", true}, {"content", content}}})
	}
	var security []object
	if op.Private {
		session := object{{"session", []string{}}}
		if op.Unsafe {
			session = append(session, member{"csrf", []string{}})
		}
		security = []object{session}
	} else {
		security = []object{{}}
	}
	return append(written, member{"security", security}, member{"responses", o.responses(op.Answers)})
}

func (o *Options) parameters(op *operation) []object {
	var list []object
	for _, p := range op.Query {
		list = append(list, object{
			{"name", p.Name}, {"in", "query"}, {"required", false}, {"description", p.Description},
			{"schema", object{{"type", "string"}, {"enum", p.Values}}},
		})
	}
	if op.Unsafe && !op.Private {
		list = append(list, object{
			{"name", "X-CSRFToken"}, {"in", "header"}, {"required", false},
			{"description", "The CSRF token, needed if the client has a session already."}, {"schema", object{{"type", "string"}}},
		})
	}
	return list
}

// options is what the method OPTIONS of an endpoint answers: its metadata, or
// a browser's preflight.
func (o *Options) options(op *operation) object {
	answers := []answer{{Status: 200, Description: "What the endpoint reads and writes; or, to a browser that asks on behalf of another origin, nothing but headers.", Schema: "Metadata", Other: true, Cookies: true, Example: object{
		{"name", op.Name}, {"description", ""}, {"renders", o.renders()},
		{"parses", []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}},
	}}}
	if op.Private {
		answers = append(answers, answer{Status: o.UnauthenticatedStatus, Description: "There is no session, or it is over.", Schema: "Error", Example: detail("Authentication credentials were not provided.")})
	}
	answers = append(answers, badHost, noFormat, unwritable, failed, unavailable)
	return object{
		{"operationId", op.ID + "Options"}, {"tags", []string{"documentation"}}, {"summary", "What " + op.Path + " reads and writes"},
		{"security", []object{{}}}, {"responses", o.responses(answers)},
	}
}

func (o *Options) renders() []string {
	if o.Browsable {
		return []string{"application/json", "text/html"}
	}
	return []string{"application/json"}
}

// itself is the operation that gives this document.
func (o *Options) itself(id string) object {
	schema := object{{"type", "object"}}
	return object{
		{"operationId", id}, {"tags", []string{"documentation"}}, {"summary", "This document"},
		{"parameters", []object{{
			{"name", "format"}, {"in", "query"}, {"required", false}, {"description", "JSON if it is left out."},
			{"schema", object{{"type", "string"}, {"enum", []string{"json", "yaml"}}}},
		}}},
		{"security", []object{{}}},
		{"responses", object{
			{"200", object{
				{"description", "This document."}, {"headers", o.headers(&answer{})},
				{"content", object{{MediaTypeJSON, object{{"schema", schema}}}, {MediaTypeYAML, object{{"schema", object{{"type", []string{"object", "string"}}}}}}}},
			}},
			{"304", object{{"description", "The document is the one that the client has."}, {"headers", o.headers(&answer{})}}},
			{"404", o.response(&noFormat)},
		}},
	}
}

func (o *Options) responses(answers []answer) object {
	var list object
	sorted := slices.Clone(answers)
	slices.SortStableFunc(sorted, func(a, b answer) int { return a.Status - b.Status })
	for i := range sorted {
		a := &sorted[i]
		if last := len(list) - 1; last >= 0 && list[last].name == a.Code() {
			continue // the first says enough
		}
		list = append(list, member{a.Code(), o.response(a)})
	}
	list = append(list, member{"431", object{
		{"description", "The headers of the request are too large."}, {"content", object{{"text/plain", object{{"schema", object{{"type", "string"}}}}}}},
	}})
	return append(list, member{"405", o.response(&answer{
		Status: 405, Description: "The endpoint has no such method. Allow names those that it has.", Schema: "Error", Example: detail(`Method "PUT" not allowed.`),
	})})
}

func (o *Options) response(a *answer) object {
	content := object{{"application/json", object{{"schema", ref("schemas", a.Schema)}, {"example", a.Example}}}}
	if o.Browsable || a.Other {
		content = append(content, member{"text/html", object{{"schema", object{{"type", "string"}, {"description", "The same as a page for people."}}}}})
	}
	return object{{"description", a.Description}, {"headers", o.headers(a)}, {"content", content}}
}

// headers are those that an answer may have.
func (o *Options) headers(a *answer) object {
	var list object
	for _, name := range append(slices.Clone(commonHeaders), o.moreHeaders(a)...) {
		list = append(list, member{name, ref("headers", name)})
	}
	return list
}

func (o *Options) moreHeaders(a *answer) (names []string) {
	// A cookie that is no good any more is deleted with any answer.
	names = append(names, "Set-Cookie")
	if a.Retry {
		names = append(names, "Retry-After")
	}
	return names
}

func ref(kind, name string) object { return object{{"$ref", "#/components/" + kind + "/" + name}} }
