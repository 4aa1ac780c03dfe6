package postern

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/postern-auth/postern/internal/django"
)

// validHostPattern reports whether a Host header can match an entry of
// POSTERN_ALLOWED_HOSTS.
func validHostPattern(host string) bool {
	if host == "*" {
		return true
	}
	name := strings.TrimPrefix(host, ".")
	domain, port := django.SplitDomainPort(name)
	return domain != "" && port == "" && !strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".")
}

// bareHost guesses what somebody meant who wrote a URL, a port, a wildcard,
// quotation marks or a name with other than ASCII letters where a host is to
// stand; "" if there is nothing to guess.
func bareHost(s string) string {
	s = strings.Trim(s, ` "'`)
	if _, rest, ok := strings.Cut(s, "://"); ok {
		s = rest
	}
	if end := strings.IndexAny(s, "/?#"); end >= 0 {
		s = s[:end]
	}
	s = strings.TrimSuffix(s[strings.LastIndexByte(s, '@')+1:], ".")
	if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
		return "[" + s + "]"
	}
	if colon := strings.LastIndexByte(s, ':'); colon >= 0 && !strings.HasSuffix(s, "]") {
		s = s[:colon]
	}
	s = strings.TrimPrefix(s, "*")
	dot := ""
	if strings.HasPrefix(s, ".") {
		dot, s = ".", s[1:]
	}
	if ascii, err := idna.Lookup.ToASCII(s); err == nil {
		s = ascii
	}
	if s == "" || s[0] == '.' || !validHostPattern(s) {
		return ""
	}
	return dot + s
}

// orWrite ends a problem with what would match.
func orWrite(problem, instead string) string {
	if instead == "" {
		return problem
	}
	return fmt.Sprintf("%s; write %q", problem, instead)
}

// originProblem says why no browser sends an Origin that matches, "" if one
// may. wildcard allows "https://*.example.com".
func originProblem(origin string, wildcard bool) string {
	plain := origin
	if wildcard {
		plain = strings.Replace(origin, "://*.", "://", 1)
	}
	if validOrigin(plain) {
		return ""
	}
	problem := "is not an origin as browsers send it: scheme, host in lower case, and a port unless it is the scheme's own"
	switch {
	case origin == "*" && !wildcard:
		return "is not an origin; for every origin, without cookies, set POSTERN_CORS_ALLOW_ALL_ORIGINS"
	case strings.Contains(plain, "*") && !wildcard:
		return "is not an origin: wildcards match nothing here; use POSTERN_CORS_ALLOWED_ORIGIN_REGEXES"
	case origin == "null" && wildcard:
		return "is not an origin that can be trusted: every sandboxed page sends it; leave it out"
	}
	return orWrite(problem, bareOrigin(origin, wildcard))
}

// bareOrigin guesses what somebody meant whose origin can't match.
func bareOrigin(s string, wildcard bool) string {
	s = strings.Trim(s, ` "'`)
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok {
		scheme, rest = "https", s
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	host := strings.TrimPrefix(bareHost(rest), ".")
	if host == "" {
		return ""
	}
	star := ""
	if wildcard && (strings.HasPrefix(rest, "*.") || strings.HasPrefix(rest, ".")) { // ".example.com": older Djangos' notation
		star = "*."
	}
	if !ok && isThisMachine(host) {
		scheme = "http"
	}
	origin := strings.ToLower(scheme) + "://" + star + strings.ToLower(host)
	if port := originPort.FindString(rest); port != "" && port != defaultPorts[strings.ToLower(scheme)] {
		origin += port
	}
	if !validOrigin(strings.Replace(origin, "://*.", "://", 1)) {
		return ""
	}
	return origin
}

// isThisMachine reports whether a host is this machine, where front ends are
// developed without https.
func isThisMachine(host string) bool {
	name := strings.ToLower(host)
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && ip.IsLoopback()
}

var (
	originPort   = regexp.MustCompile(`:[0-9]+$`)
	defaultPorts = map[string]string{"http": ":80", "https": ":443"}
)

// validOrigin reports whether s is an origin in the form in which browsers
// send it (https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin).
func validOrigin(s string) bool {
	u, err := django.Urlsplit(s)
	if err != nil || u.Scheme == "" || u.Netloc == "" || u.Path != "" || u.Query != "" || u.Fragment != "" || s != u.Scheme+"://"+u.Netloc || u.Netloc[0] == '.' {
		return false
	}
	for i := range len(u.Netloc) {
		if c := u.Netloc[i]; c <= ' ' || c >= 0x7f || 'A' <= c && c <= 'Z' || strings.IndexByte(`*@"'\<>,;`, c) >= 0 {
			return false
		}
	}
	port := originPort.FindString(u.Netloc)
	if port == "" && strings.Contains(u.Netloc[strings.LastIndexByte(u.Netloc, ']')+1:], ":") {
		return false
	}
	return port == "" || port != defaultPorts[u.Scheme]
}

// domainProblem says why browsers drop a cookie of that domain, "" if they
// keep it at one host at least where this server is visited.
func (c *Config) domainProblem(domain string) string {
	name := strings.ToLower(strings.TrimPrefix(domain, "."))
	_, err := netip.ParseAddr(name)
	isAddress := err == nil
	host, port := django.SplitDomainPort(strings.ReplaceAll(name, "_", "-"))
	switch {
	case domain == "":
		return ""
	case name == "none" || name == "null":
		return "is not a domain; leave the setting out for cookies of the host only"
	case host == "" || port != "" || strings.ContainsAny(name, ":[") || strings.HasSuffix(name, "."):
		return orWrite("is not a domain, so browsers drop the cookie: a domain is written in ASCII, without scheme, port, path, wildcard and quotation marks", strings.TrimPrefix(bareHost(domain), "."))
	case isAddress && domain[0] == '.':
		return "is an address, which has no subdomains: browsers drop the cookie; leave the setting out"
	}
	visited := c.visitedHosts()
	if suffix, listed := publicsuffix.PublicSuffix(name); suffix == name && !isAddress && !slices.Contains(visited, name) &&
		(listed || !slices.ContainsFunc(visited, func(h string) bool { return h == "*" || h == "."+name })) {
		return "is a public suffix, under which others have their domains: browsers drop the cookie; name your own domain, or leave the setting out"
	}
	if slices.ContainsFunc(visited, func(h string) bool { return mayBeIn(h, name) }) {
		return ""
	}
	return fmt.Sprintf("is the domain of none of the hosts of this server (%s), so browsers drop the cookie; name a domain that they are in, or leave the setting out", strings.Join(visited, ", "))
}

// visitedHosts are the hosts, as patterns, at which browsers may see this
// server: those allowed, and those of trusted origins, for a proxy may send
// another Host on.
func (c *Config) visitedHosts() []string {
	var hosts []string
	for _, h := range c.AllowedHosts {
		if validHostPattern(h) { // what is none may hold a password
			hosts = append(hosts, strings.ToLower(h))
		}
	}
	for _, o := range c.CSRF.TrustedOrigins {
		if u, err := django.Urlsplit(o); err == nil && originProblem(o, true) == "" {
			hosts = append(hosts, strings.TrimPrefix(originPort.ReplaceAllString(u.Netloc, ""), "*"))
		}
	}
	return hosts
}

// mayBeIn reports whether a host that matches the pattern may be the domain or
// one of its subdomains.
func mayBeIn(pattern, domain string) bool {
	name := strings.TrimPrefix(pattern, ".")
	return pattern == "*" || name == domain || strings.HasSuffix(name, "."+domain) || pattern != name && strings.HasSuffix(domain, pattern)
}

// isUntrusted reports whether the scripts of an origin may call, but not act.
func (c *Config) isUntrusted(origin string) bool {
	u, err := django.Urlsplit(origin)
	if err != nil || u.Netloc == "" || slices.Contains(c.CSRF.TrustedOrigins, origin) || django.ValidHost(u.Netloc, c.AllowedHosts) && originPort.FindString(u.Netloc) == "" {
		return false
	}
	return !slices.ContainsFunc(c.CSRF.TrustedOrigins, func(trusted string) bool {
		scheme, suffix, wild := strings.Cut(trusted, "://*")
		return wild && scheme == u.Scheme && django.IsSameDomain(u.Netloc, suffix)
	})
}

// isCrossSite reports whether an origin shares its registrable domain with
// none of the allowed hosts.
func (c *Config) isCrossSite(origin string) bool {
	u, err := django.Urlsplit(origin)
	if err != nil || u.Netloc == "" || slices.Contains(c.AllowedHosts, "*") {
		return false
	}
	own := site(originPort.ReplaceAllString(u.Netloc, ""))
	return !slices.ContainsFunc(c.AllowedHosts, func(h string) bool { return site(strings.TrimPrefix(h, ".")) == own })
}

// site is the registrable domain of a host, or the host itself.
func site(host string) string {
	host = strings.ToLower(host)
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		if _, err := netip.ParseAddr(host); err != nil {
			return domain
		}
	}
	return host
}
