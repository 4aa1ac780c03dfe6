package openapi

import "strconv"

// operation is one method of one endpoint, for the document and for the page.
// Texts are in English; the page has them in other languages.
type operation struct {
	Method, Path, ID     string
	Name                 string // of the endpoint, as OPTIONS gives it
	Summary, Description string
	Private              bool // needs a session
	Unsafe               bool // needs a CSRF token, if there is a session
	Body                 *body
	Query                []parameter
	Answers              []answer
}

// body is what an operation reads.
type body struct {
	Schema  string // in components
	Fields  []property
	Example object
}

// property is a member of an object.
type property struct {
	Name, Description   string
	Format              string // of OpenAPI, "" for plain text
	Required, WriteOnly bool
	MinLength           int
	MaxLength           int
}

type parameter struct {
	Name, Description string
	Values            []string
}

// answer is what an operation says.
type answer struct {
	Status      int
	Description string
	Schema      string // in components
	Example     object
	Cookies     bool // sets them
	Retry       bool // says when to come back
	Other       bool // media type text/html without content
}

// Code is the status as text.
func (a answer) Code() string { return strconv.Itoa(a.Status) }

func detail(text string) object { return object{{"detail", text}} }

var userExample = object{{"id", 1}, {"username", "ada"}, {"email", "ada@example.com"}}

// The answers that several operations have.
var (
	malformed   = answer{Status: 400, Description: "The body can't be read, or fields are wrong: for each of them what is wrong.", Schema: "Refusal", Example: object{{"username", []string{"This field is required."}}}}
	garbled     = answer{Status: 400, Description: "The body can't be read. It is only looked at for a CSRF token.", Schema: "Error", Example: detail("JSON parse error - the text ends too early")}
	badHost     = answer{Status: 400, Description: "The request asks for a host that this server does not answer to.", Schema: "Error", Example: detail("Bad Request (400)")}
	forged      = answer{Status: 403, Description: "The CSRF token is missing or wrong, or the request comes from an origin that is not trusted.", Schema: "Error", Example: detail("CSRF Failed: CSRF token missing.")}
	noFormat    = answer{Status: 404, Description: "There is no such format.", Schema: "Error", Example: detail("Not found.")}
	tooMany     = answer{Status: 429, Description: "There were too many attempts. Retry-After tells for how many seconds to wait.", Schema: "Error", Example: detail("Request was throttled. Expected available in 12 seconds."), Retry: true}
	unreadable  = answer{Status: 415, Description: "The media type of the body is none that is read.", Schema: "Error", Example: detail("Unsupported media type \"text/plain\" in request.")}
	tooLarge    = answer{Status: 413, Description: "The body is larger than 1 MiB.", Schema: "Error", Example: detail("Request body too large.")}
	unwritable  = answer{Status: 406, Description: "The Accept header names nothing that can be written.", Schema: "Error", Example: detail("Could not satisfy the request Accept header.")}
	failed      = answer{Status: 500, Description: "The server failed. Its log says why.", Schema: "Error", Example: detail("A server error occurred.")}
	unavailable = answer{Status: 503, Description: "The server is too busy or can't reach its database. Nothing was acknowledged; try again.", Schema: "Error", Example: detail("Service temporarily unavailable, try again later."), Retry: true}
)

// operations are all of them, in the order in which one uses them.
func (o *Options) operations() []operation {
	unauthenticated := answer{Status: o.UnauthenticatedStatus, Description: "There is no session, or it is over.", Schema: "Error", Example: detail("Authentication credentials were not provided.")}
	noSession := answer{Status: o.UnauthenticatedStatus, Description: "There is no session, or the CSRF token is missing or wrong.", Schema: "Error", Example: detail("Authentication credentials were not provided.")}
	user := property{Name: "username", Description: "Letters, digits and @ . + - _ only.", Required: true, MinLength: 1, MaxLength: 150}
	list := []operation{
		{
			Method: "POST", Path: "/api/register/", ID: "register", Name: "Register Api", Unsafe: true, Summary: "Register",
			Description: "Makes a new user and logs it in. The answer sets the session cookie and the CSRF cookie.",
			Body: &body{
				Schema: "Registration",
				Fields: []property{
					user,
					{Name: "email", Description: "E-mail address; may be left out.", MaxLength: 254},
					{Name: "password", Description: "At least as long as the server asks, not common, not only digits, not like the name.", Format: "password", Required: true, WriteOnly: true, MinLength: 1},
					{Name: "password2", Description: "The same password once more.", Format: "password", Required: true, WriteOnly: true, MinLength: 1},
				},
				Example: object{{"username", "ada"}, {"email", "ada@example.com"}, {"password", "tr0ub4dor-x9"}, {"password2", "tr0ub4dor-x9"}},
			},
			Answers: []answer{
				{Status: 201, Description: "The user was made and is logged in.", Schema: "User", Example: userExample, Cookies: true},
				malformed, forged, tooLarge, unreadable, tooMany, unavailable,
			},
		},
		{
			Method: "POST", Path: "/api/login/", ID: "login", Name: "Login Api", Unsafe: true, Summary: "Log in",
			Description: "Logs a user in by name and password. The answer sets the session cookie and the CSRF cookie.",
			Body: &body{
				Schema: "Credentials",
				Fields: []property{
					{Name: "username", Description: "Username", Required: true, MinLength: 1},
					{Name: "password", Description: "Password", Format: "password", Required: true, WriteOnly: true, MinLength: 1},
				},
				Example: object{{"username", "ada"}, {"password", "tr0ub4dor-x9"}},
			},
			Answers: []answer{
				{Status: 200, Description: "The user is logged in.", Schema: "Login", Cookies: true, Example: object{
					{"message", "Login successful"}, {"user", userExample}, {"csrf_token", "d3eZjFy4Q0xV5c2m8WbKsR1tPnLhGaTq6uYoJiEfNwXkBrCvSzMlHpDgAyUeOiQj"},
				}},
				malformed,
				{Status: 401, Description: "The name, the password, or both are wrong, or the account is not active.", Schema: "Error", Example: detail("Invalid credentials")},
				forged, tooLarge, unreadable, tooMany, unavailable,
			},
		},
		{
			Method: "POST", Path: "/api/logout/", ID: "logout", Name: "Logout Api", Private: true, Unsafe: true, Summary: "Log out",
			Description: "Ends the session of the request, at once and on every node.",
			Answers: []answer{
				{Status: 200, Description: "The session has ended. The answer deletes the session cookie.", Schema: "Message", Example: object{{"message", "Logout successful"}}, Cookies: true},
				garbled, noSession, tooLarge, unreadable, unavailable,
			},
		},
		{
			Method: "GET", Path: "/api/user/", ID: "user", Name: "User Status Api", Private: true, Summary: "Who is logged in",
			Description: "Tells who is logged in.",
			Answers: []answer{
				{Status: 200, Description: "Who is logged in.", Schema: "User", Example: userExample, Cookies: true},
				badHost, unauthenticated, unavailable,
			},
		},
		{
			Method: "GET", Path: "/api/protected/", ID: "protected", Name: "Protected Api", Private: true, Summary: "A page for members",
			Description: "Greets the user who is logged in, and nobody else.",
			Answers: []answer{
				{Status: 200, Description: "A greeting.", Schema: "Message", Example: object{{"message", "Hello, ada! You are authenticated."}}, Cookies: true},
				badHost, unauthenticated, unavailable,
			},
		},
	}
	for i := range list {
		one := &list[i]
		one.Query = []parameter{{Name: "format", Description: "The form of the answer, before the Accept header.", Values: o.formats()}}
		if one.Unsafe && !one.Private && o.UnauthenticatedStatus == 401 {
			// the same status for both: nothing to add
		} else if one.Private && one.Unsafe && o.UnauthenticatedStatus != 403 {
			one.Answers = append(one.Answers, forged)
		}
		one.Answers = append(one.Answers, noFormat, unwritable, failed)
	}
	return list
}

func (o *Options) formats() []string {
	if o.Browsable {
		return []string{"json", "api"}
	}
	return []string{"json"}
}
