package guard

import (
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/django"
	"github.com/postern-auth/postern/internal/ratelog"
)

// The reasons that Settings.Refused is called with.
const (
	RefusedHost           = "host"            // a host that is not allowed
	RefusedOperationsHost = "operations_host" // the same, for what operators read
	RefusedOrigin         = "origin"          // an Origin that is not trusted
	RefusedReferer        = "referer"         // a Referer that is not trusted
	RefusedCSRF           = "csrf"            // a CSRF cookie or token that is missing or wrong
	RefusedCrossSite      = "cross_site"      // by the browser's fetch metadata
	RefusedForwarded      = "forwarded"       // a proxy's header that is there twice
	RefusedCORS           = "cors"            // answered, but the browser keeps the answer from the page
	RefusedThrottled      = "throttled"       // too many attempts
	RefusedBodies         = "bodies"          // no memory is left for the body
)

// Refusals are all of them.
var Refusals = []string{
	RefusedHost, RefusedOperationsHost, RefusedOrigin, RefusedReferer, RefusedCSRF, RefusedCrossSite,
	RefusedForwarded, RefusedCORS, RefusedThrottled, RefusedBodies,
}

const (
	// refusalEvery is how often the same refusal is logged.
	refusalEvery = time.Minute
	// maxLogged is how much of a client's value is logged, in bytes.
	maxLogged = 256
	// fixHeader tells a developer what the log says, if Settings.Explain.
	fixHeader = "X-Postern-Fix"
)

// refusal is what is logged of a refused request.
type refusal struct {
	reason  string
	message string
	name    string // of the attribute that holds value, "" for none
	value   string // as the client sent it
	fix     string // what to do if the request should be answered
}

// refusals limits the lines of each reason on its own: a flood of one kind
// does not hide the others.
type refusals map[string]*ratelog.Limiter

func newRefusals(now func() time.Time) refusals {
	all := make(refusals, len(Refusals))
	for _, reason := range Refusals {
		all[reason] = ratelog.New(refusalEvery, now)
	}
	return all
}

// refuse counts a refusal and logs it, each value at most once a minute.
func (x *Exchange) refuse(r refusal) {
	set := &x.guard.set
	if set.Refused != nil {
		set.Refused(r.reason)
	}
	if set.Explain && r.fix != "" {
		x.Header()[fixHeader] = []string{r.fix}
	}
	shown := clip(siteOf(r.value), maxLogged)
	ok, skipped := x.guard.refusals[r.reason].Allow(shown + "\x00" + r.fix)
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("request_id", x.ID()), slog.String("path", clip(x.Request.URL.Path, 128))}
	if r.name != "" {
		attrs = append(attrs, slog.String(r.name, shown))
	}
	if x.Address.IsValid() {
		attrs = append(attrs, slog.String("address", x.Address.String()))
	}
	if r.fix != "" {
		attrs = append(attrs, slog.String("fix", r.fix))
	}
	if skipped > 0 {
		attrs = append(attrs, slog.Int("not_logged", skipped))
	}
	set.Log.LogAttrs(x.Request.Context(), slog.LevelWarn, r.message, attrs...)
}

// siteOf leaves out of an origin or a URL what may be secret: a password, and
// the path with its query.
func siteOf(value string) string {
	scheme, rest, isURL := strings.Cut(value, "://")
	if !isURL {
		scheme, rest = "", value
	} else {
		scheme += "://"
		if end := strings.IndexAny(rest, "/?#\\"); end >= 0 {
			rest = rest[:end]
		}
	}
	return scheme + rest[strings.LastIndexByte(rest, '@')+1:]
}

// explained appends the fix to the text of an answer, for a developer.
func (x *Exchange) explained(text, fix string) string {
	if !x.guard.set.Explain || fix == "" {
		return text
	}
	return strings.TrimSuffix(text, ".") + ". To allow it, " + fix + "."
}

// add is the fix that adds a value to a setting.
func add(value, setting string) string {
	return "add " + strconv.QuoteToASCII(clip(value, maxLogged)) + " to " + setting
}

// refusedHost is the refusal of a host that is not allowed.
func (x *Exchange) refusedHost() refusal {
	r := refusal{reason: RefusedHost, message: "request refused: host not allowed", name: "host", value: x.Host}
	if r.fix = x.proxyFix(func(host string) bool { return django.ValidHost(host, x.guard.set.AllowedHosts) }); r.fix != "" {
		return r
	}
	if domain, _ := django.SplitDomainPort(x.Host); domain != "" {
		r.fix = add(domain, "POSTERN_ALLOWED_HOSTS")
	}
	return r
}

// refusedOrigin is the refusal of an origin that the setting would allow; ""
// if none would.
func (x *Exchange) refusedOrigin(reason, message, origin, setting string) refusal {
	r := refusal{reason: reason, message: message, name: "origin", value: origin}
	u, err := django.Urlsplit(origin)
	if err != nil || u.Scheme == "" || u.Netloc == "" || strings.ContainsAny(u.Netloc, "*@, ") {
		return r // nothing that a setting could name, such as "null"
	}
	if u.Netloc == x.Host && u.Scheme == "https" && !x.Secure {
		r.fix = x.schemeFix()
		return r
	}
	if r.fix = x.proxyFix(func(host string) bool { return host == u.Netloc }); r.fix == "" && setting != "" {
		r.fix = add(u.Scheme+"://"+u.Netloc, setting)
	}
	return r
}

// proxyFix is what to do if the peer sends an X-Forwarded-Host that would
// have been right but is not believed; "" otherwise.
func (x *Exchange) proxyFix(right func(host string) bool) string {
	sent := x.Request.Header["X-Forwarded-Host"]
	peer, trusted := x.peer()
	if trusted || len(sent) == 0 || !right(sent[0]) {
		return ""
	}
	return add(peer, "POSTERN_TRUSTED_PROXIES") + " if it is your proxy: its X-Forwarded-Host is not believed"
}

// schemeFix is what to do if a browser speaks https and this server does not
// know it.
func (x *Exchange) schemeFix() string {
	const unknown = ": the browser speaks https and this server sees http"
	peer, trusted := x.peer()
	if trusted {
		return "have the proxy " + strconv.QuoteToASCII(peer) + " set X-Forwarded-Proto to https" + unknown
	}
	return add(peer, "POSTERN_TRUSTED_PROXIES") + " if it is your proxy, and have it set X-Forwarded-Proto" + unknown
}

// peer is who is connected, as POSTERN_TRUSTED_PROXIES names it, and whether
// it is believed.
func (x *Exchange) peer() (name string, trusted bool) {
	address, unix := peerOf(x.Request.RemoteAddr)
	if unix {
		return "unix", x.guard.set.TrustUnix
	}
	return address.String(), x.guard.trusted(address)
}

// client is whom attempts and bodies count for, "" if it has no address.
func (x *Exchange) client() string {
	if !x.Address.IsValid() {
		return ""
	}
	return AddressKey(x.Address)
}

// refusedBody is the refusal of one body too many.
func (x *Exchange) refusedBody() refusal {
	return refusal{
		reason: RefusedBodies, message: "request refused: too many request bodies at once, of this client or of all", name: "client", value: x.client(),
		fix: "if the address is a proxy's, add it to POSTERN_TRUSTED_PROXIES",
	}
}

// refusedAttempt is the refusal of one attempt too many.
func (x *Exchange) refusedAttempt() refusal {
	return refusal{
		reason: RefusedThrottled, message: "too many attempts", name: "client", value: x.client(),
		fix: "if these are your own clients, raise POSTERN_THROTTLE_LOGIN, POSTERN_THROTTLE_LOGIN_ACCOUNT or POSTERN_THROTTLE_REGISTER; if the address is a proxy's, add it to POSTERN_TRUSTED_PROXIES",
	}
}
