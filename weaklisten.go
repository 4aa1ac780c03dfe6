package postern

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// listening is a configuration and where it is listened with it.
type listening struct {
	Listen
	config *Config
}

// weakListens is every rule about listening. Numbers are never used again.
var weakListens = []weakRule[*listening]{
	{number: 80, setting: "ADDR", why: "passwords and sessions cross the network in the clear",
		wayOut: "POSTERN_TLS_CERT and POSTERN_TLS_KEY, or listen on 127.0.0.1 behind a proxy that POSTERN_TRUSTED_PROXIES names",
		values: func(l *listening) []string {
			return when(l.Addr != "" && !isLoopback(l.Addr) && !l.hasTLS() && !l.hasProxy(), l.Addr)
		}},
	{number: 81, setting: "SESSION_COOKIE_SECURE", why: "without TLS or a trusted proxy no request counts as https, and the cookie is never Secure",
		wayOut: "true, or name the proxy in POSTERN_TRUSTED_PROXIES",
		values: func(l *listening) []string {
			return when(l.neverSecure(l.config.Cookie.Secure), l.config.Cookie.Secure)
		}},
	{number: 82, setting: "CSRF_COOKIE_SECURE", why: "without TLS or a trusted proxy no request counts as https, and the cookie is never Secure",
		wayOut: "true, or name the proxy in POSTERN_TRUSTED_PROXIES",
		values: func(l *listening) []string {
			return when(l.neverSecure(l.config.CSRF.Cookie.Secure), l.config.CSRF.Cookie.Secure)
		}},
	{number: 83, setting: "SECURE_SSL_REDIRECT", advice: true, why: "who asks over http is answered over http",
		wayOut: "true; if the proxy redirects, silence this",
		values: func(l *listening) []string {
			return when(!l.config.Security.SSLRedirect && !l.hasTLS() && l.hasProxy(), false)
		}},
	{number: 84, setting: "UNIX_SOCKET_MODE", why: "every user of the machine may connect, and is believed like a proxy",
		wayOut: "0660, with the proxy in the group of the socket",
		values: func(l *listening) []string {
			return when(l.UnixSocket != "" && l.SocketMode&0o002 != 0 && l.config.TrustUnixPeers, fmt.Sprintf("%04o", l.SocketMode.Perm()))
		}},
	{number: 85, setting: "ADMIN_ADDR", why: "metrics and profiles of the process are there for everyone who reaches the address",
		wayOut: "127.0.0.1:PORT, or an address that only your own machines reach; then silence this",
		values: func(l *listening) []string {
			return when(l.AdminAddr != "" && !isLoopback(l.AdminAddr), l.AdminAddr)
		}},
	{number: 86, setting: "METRICS", why: "everyone who reaches the main address reads how many log in and fail",
		wayOut: "false, and POSTERN_ADMIN_ADDR=127.0.0.1:PORT; if a proxy keeps /-/metrics to itself, silence this",
		values: func(l *listening) []string {
			return when(l.Metrics && l.AdminAddr == "" && (l.hasProxy() || !isLoopback(l.Addr)), true)
		}},
	{number: 87, setting: "SECURE_SSL_REDIRECT", advice: true, atStart: true, why: "every request is redirected, also one that came over https: nothing tells this server so",
		wayOut: "name the proxy that ends TLS in POSTERN_TRUSTED_PROXIES, or set POSTERN_TLS_CERT and POSTERN_TLS_KEY",
		values: func(l *listening) []string {
			return when(l.config.Security.SSLRedirect && !l.hasTLS() && !l.hasProxy() && !l.config.TrustUnixPeers, true)
		}},
	{number: 88, setting: "SESSION_COOKIE_SECURE", advice: true, atStart: true, why: "browsers keep the cookie over https only, and nothing tells this server of https: it refuses the Origin of every login",
		wayOut: "name the proxy that ends TLS in POSTERN_TRUSTED_PROXIES, or the site in POSTERN_CSRF_TRUSTED_ORIGINS, such as https://example.com",
		values: func(l *listening) []string {
			trusted := slices.ContainsFunc(l.config.CSRF.TrustedOrigins, func(o string) bool { return strings.HasPrefix(o, "https://") })
			return when(l.config.Cookie.Secure == SecureAlways && !l.hasTLS() && !l.hasProxy() && !l.config.TrustUnixPeers && !trusted, l.config.Cookie.Secure)
		}},
}

func (l *listening) hasTLS() bool { return l.TLSCert != "" }

func (l *listening) hasProxy() bool {
	return len(l.config.TrustedProxies) > 0 || l.UnixSocket != "" && l.config.TrustUnixPeers
}

func (l *listening) neverSecure(mode SecureMode) bool {
	return mode == SecureAuto && !l.hasTLS() && !l.hasProxy()
}

// isLoopback reports whether only this machine can reach "host:port".
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || strings.TrimSuffix(host, ".") == "localhost"
}
