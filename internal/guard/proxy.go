package guard

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/django"
)

// resolveProxy finds out who asks, by which scheme and for which host. Only a
// trusted proxy is believed about it.
func (g *Guard) resolveProxy(x *Exchange) {
	r := x.Request
	x.Host = r.Host
	x.Secure = r.TLS != nil
	peer, unix := peerOf(r.RemoteAddr)
	x.Address = peer
	if unix && g.set.TrustUnix || g.trusted(peer) {
		g.believeProxy(x)
	}
	x.HostAllowed = g.allowsHost(x.Host)
}

// allowsHost remembers the last host that was allowed: it is mostly the same.
func (g *Guard) allowsHost(host string) bool {
	if last := g.lastHost.Load(); last != nil && *last == host {
		return true
	}
	allowed := django.ValidHost(host, g.set.AllowedHosts)
	if allowed && len(host) <= maxHost {
		kept := strings.Clone(host)
		g.lastHost.Store(&kept)
	}
	return allowed
}

// OperationsHost reports whether operators may ask for a host: an IP address,
// this machine, or one of the allowed hosts other than "*".
func OperationsHost(host string, allowed []string) bool {
	domain, _ := django.SplitDomainPort(host)
	if _, err := netip.ParseAddr(strings.Trim(domain, "[]")); err == nil {
		return true
	}
	if domain == "localhost" || strings.HasSuffix(domain, ".localhost") {
		return true
	}
	return django.ValidHost(host, slices.DeleteFunc(slices.Clone(allowed), func(a string) bool { return a == "*" }))
}

func (x *Exchange) refuseOperations() {
	host := x.Request.Host
	r := refusal{reason: RefusedOperationsHost, message: "request to the operations address refused: host not allowed", name: "host", value: host}
	if domain, _ := django.SplitDomainPort(host); domain != "" {
		r.fix = "ask by IP address, or " + add(domain, "POSTERN_ALLOWED_HOSTS")
	}
	x.refuse(r)
	x.badRequest(r.fix)
}

// maxHost is the longest host that is remembered: a domain name and a port.
const maxHost = 253 + len(":65535")

func (g *Guard) believeProxy(x *Exchange) {
	h := x.Request.Header
	if sent := h["X-Forwarded-Proto"]; len(sent) > 0 {
		proto, ok := single(sent)
		first, _, _ := strings.Cut(proto, ",")
		if x.Secure = strings.EqualFold(strings.TrimSpace(first), "https"); !ok {
			x.repeated = "X-Forwarded-Proto"
		}
	}
	if host, ok := single(h["X-Forwarded-Host"]); !ok {
		x.repeated = "X-Forwarded-Host"
	} else if host != "" {
		x.Host = host
	}
	if id, ok := single(h["X-Request-Id"]); ok && id != "" && requestID.MatchString(id) {
		x.id = id
	}
	if forwarded := h["X-Forwarded-For"]; len(forwarded) > 0 {
		x.Address = g.client(forwarded, x.Address)
	}
}

// client walks X-Forwarded-For from its end, where the nearest proxy wrote,
// to the first address that is not a trusted proxy's. What stands before it
// anyone may have written.
func (g *Guard) client(forwarded []string, peer netip.Addr) netip.Addr {
	for i := len(forwarded) - 1; i >= 0; i-- {
		rest := forwarded[i]
		for rest != "" {
			var last string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, last = rest[:at], rest[at+1:]
			} else {
				rest, last = "", rest
			}
			address, ok := parseAddress(strings.TrimSpace(last))
			if !ok {
				return peer
			}
			if peer = address; !g.trusted(address) {
				return address
			}
		}
	}
	return peer
}

func (g *Guard) trusted(a netip.Addr) bool {
	for _, p := range g.set.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// peerOf reads http.Request.RemoteAddr; the peers of a unix socket have no address.
func peerOf(remote string) (_ netip.Addr, unix bool) {
	if remote == "" || remote == "@" || remote[0] == '/' || remote[0] == '@' {
		return netip.Addr{}, true
	}
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		return ap.Addr().Unmap().WithZone(""), false
	}
	return netip.Addr{}, false
}

// parseAddress reads an address with or without a port.
func parseAddress(s string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

// Origin is the scheme and host that the client asked, as browsers write origins.
func (x *Exchange) Origin() string {
	if x.Secure {
		return "https://" + x.Host
	}
	return "http://" + x.Host
}
