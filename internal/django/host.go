package django

import "strings"

// SplitDomainPort splits the value of a Host header into its lower-case
// domain, without a trailing dot, and its port. The domain is "" if the value
// is not a host (django.http.request.split_domain_port).
func SplitDomainPort(host string) (domain, port string) {
	if !isASCII(host) { // or lower case would make "k" of the Kelvin sign
		return "", ""
	}
	domain, port, ok := cutPort(strings.ToLower(host))
	if !ok || domain == "" {
		return "", ""
	}
	return strings.TrimSuffix(domain, "."), port
}

// cutPort matches host_validation_re: a name of a-z0-9.- or an IPv6 literal,
// and a port of digits.
func cutPort(host string) (domain, port string, ok bool) {
	end := 0
	if strings.HasPrefix(host, "[") {
		end = strings.IndexByte(host, ']') + 1
		if end == 0 || !ipv6Literal(host[1:end-1]) {
			return "", "", false
		}
	} else {
		for end < len(host) && nameChar(host[end]) {
			end++
		}
	}
	domain, rest := host[:end], host[end:]
	if rest == "" {
		return domain, "", true
	}
	port = rest[1:]
	if rest[0] != ':' || port == "" || strings.Trim(port, "0123456789") != "" {
		return "", "", false
	}
	return domain, port, true
}

// ipv6Literal is [a-f0-9]*:[a-f0-9.:]+ .
func ipv6Literal(s string) bool {
	colon := strings.IndexByte(s, ':')
	if colon < 0 || colon == len(s)-1 {
		return false
	}
	return strings.Trim(s[:colon], "0123456789abcdef") == "" && strings.Trim(s[colon+1:], "0123456789abcdef.:") == ""
}

func nameChar(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '-'
}

// ValidHost reports whether the value of a Host header is well-formed and
// allowed: by "*", by its name, or by ".example.com" for it and its
// subdomains (django.http.request.validate_host).
func ValidHost(host string, allowed []string) bool {
	domain, _ := SplitDomainPort(host)
	if domain == "" {
		return false
	}
	for _, pattern := range allowed {
		if pattern == "*" || IsSameDomain(domain, pattern) {
			return true
		}
	}
	return false
}

// IsSameDomain reports whether host is pattern or, if pattern starts with a
// dot, that domain or a subdomain of it (django.utils.http.is_same_domain).
func IsSameDomain(host, pattern string) bool {
	if pattern == "" {
		return false
	}
	pattern = strings.ToLower(pattern)
	if pattern[0] == '.' && (strings.HasSuffix(host, pattern) || host == pattern[1:]) {
		return true
	}
	return pattern == host
}
