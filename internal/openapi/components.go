package openapi

// commonHeaders are the headers that any answer may have.
var commonHeaders = []string{
	"Allow", "Vary", "Cache-Control", "Content-Language", "Content-Security-Policy", "ETag", "X-Request-Id", "X-Frame-Options", "X-Content-Type-Options",
	"Referrer-Policy", "Cross-Origin-Opener-Policy", "Strict-Transport-Security",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age", "X-Postern-Fix",
}

var headerTexts = map[string]string{
	"Allow":                            "The methods of the endpoint.",
	"Vary":                             "What the answer depends on.",
	"Cache-Control":                    "no-store for what belongs to a session.",
	"Content-Language":                 "The language of a page.",
	"Content-Security-Policy":          "What a page may load: nothing but this server's own files; for other answers, nothing.",
	"ETag":                             "The version of this document.",
	"X-Request-Id":                     "What the server's log calls this request; with errors of the server.",
	"X-Frame-Options":                  "Whether a page may be framed.",
	"X-Content-Type-Options":           "nosniff.",
	"Referrer-Policy":                  "What following requests tell of this one.",
	"Cross-Origin-Opener-Policy":       "same-origin.",
	"Strict-Transport-Security":        "For how long browsers are to use https only, if that is set.",
	"Access-Control-Allow-Origin":      "The origin that may read the answer, if it is allowed.",
	"Access-Control-Allow-Credentials": "Whether that origin may send cookies.",
	"Access-Control-Allow-Headers":     "The headers that the origin may send.",
	"Access-Control-Allow-Methods":     "The methods that the origin may use.",
	"Access-Control-Expose-Headers":    "The headers that the origin may read.",
	"Access-Control-Max-Age":           "For how many seconds a preflight's answer may be kept.",
	"X-Postern-Fix":                    "Which setting would allow the host or origin; from postern dev only.",
	"Set-Cookie":                       "The session cookie and the CSRF cookie, new, mended or deleted.",
	"Retry-After":                      "The seconds to wait before trying again.",
}

func (o *Options) components() object {
	var headers object
	for _, name := range append(append([]string{}, commonHeaders...), "Set-Cookie", "Retry-After") {
		schema := object{{"type", "string"}}
		if name == "Retry-After" {
			schema = object{{"type", "integer"}, {"minimum", 1}}
		}
		headers = append(headers, member{name, object{{"description", headerTexts[name]}, {"schema", schema}}})
	}
	return object{
		{"schemas", o.schemas()},
		{"headers", headers},
		{"securitySchemes", object{
			{"session", object{{"type", "apiKey"}, {"in", "cookie"}, {"name", o.SessionCookie}, {"description", "The session, as a registration or a login begins it. Scripts can't read it."}}},
			{"csrf", object{{"type", "apiKey"}, {"in", "header"}, {"name", "X-CSRFToken"}, {"description", "The value of the cookie " + o.CSRFCookie + ", or csrf_token of a login's answer; forms may send it as the field csrfmiddlewaretoken."}}},
		}},
	}
}

func (o *Options) schemas() object {
	text, texts := object{{"type", "string"}}, object{{"type", "array"}, {"items", object{{"type", "string"}}}}
	schemas := object{
		{"User", closed(
			member{"id", object{{"type", "integer"}, {"minimum", 1}, {"description", "Never changes."}}},
			member{"username", object{{"type", "string"}, {"maxLength", 150}}},
			member{"email", object{{"type", "string"}, {"maxLength", 254}, {"description", "Empty when there is none."}}},
		)},
		{"Login", closed(
			member{"message", text}, member{"user", ref("schemas", "User")},
			member{"csrf_token", object{{"type", "string"}, {"minLength", 64}, {"maxLength", 64}, {"description", "To be sent in the header X-CSRFToken."}}},
		)},
		{"Message", closed(member{"message", text})},
		{"Error", closed(member{"detail", object{{"type", "string"}, {"description", "What is wrong, for people."}}})},
		{"FieldErrors", object{
			{"type", "object"}, {"description", "For each field what is wrong with it; non_field_errors for the whole."}, {"minProperties", 1}, {"additionalProperties", texts},
		}},
		{"Refusal", object{{"anyOf", []object{ref("schemas", "FieldErrors"), ref("schemas", "Error")}}}},
		{"Metadata", closed(
			member{"name", text}, member{"description", text}, member{"renders", texts}, member{"parses", texts},
		)},
	}
	for _, op := range o.operations() {
		if op.Body != nil {
			schemas = append(schemas, member{op.Body.Schema, op.Body.schema()})
		}
	}
	return schemas
}

// closed is an object with these members and no other.
func closed(members ...member) object {
	var names []string
	for _, m := range members {
		names = append(names, m.name)
	}
	return object{{"type", "object"}, {"properties", object(members)}, {"required", names}, {"additionalProperties", false}}
}

func (b *body) schema() object {
	var properties object
	var required []string
	for _, f := range b.Fields {
		schema := object{{"type", "string"}, {"description", f.Description}}
		if f.Format != "" {
			schema = append(schema, member{"format", f.Format})
		}
		if f.WriteOnly {
			schema = append(schema, member{"writeOnly", true})
		}
		if f.MinLength > 0 {
			schema = append(schema, member{"minLength", f.MinLength})
		}
		if f.MaxLength > 0 {
			schema = append(schema, member{"maxLength", f.MaxLength})
		}
		properties = append(properties, member{f.Name, schema})
		if f.Required {
			required = append(required, f.Name)
		}
	}
	return object{{"type", "object"}, {"properties", properties}, {"required", required}}
}
