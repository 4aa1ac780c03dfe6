package main

import (
	"net"
	"net/netip"
	"slices"

	"github.com/spf13/cobra"
)

// defaultDatabase is what dev and the administration take when none is set.
const defaultDatabase = "sqlite:postern.sqlite3"

// devPresets are the defaults of dev: the front end of a developer's machine
// on port 3000, as the model's walk-through has it.
var devPresets = map[string]string{
	"DATABASE_URL":          defaultDatabase,
	"ALLOWED_HOSTS":         "localhost,127.0.0.1,[::1],.localhost",
	"CORS_ALLOWED_ORIGINS":  "http://localhost:3000",
	"CSRF_TRUSTED_ORIGINS":  "http://localhost:3000",
	"THROTTLE":              "off",
	"SESSION_COOKIE_SECURE": "false",
	"CSRF_COOKIE_SECURE":    "false",
	"DRAIN_DELAY":           "0",
}

func (p *program) devCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dev [flags]",
		GroupID: groupServer,
		Short:   "Start the server, for development on this machine",
		Long: "Start the server, for development: on this machine only, with a database and a secret key\n" +
			"in the current folder. Weak passwords are accepted and logged.",
		Args: cobra.NoArgs,
	}
	b := p.bind(cmd, forServer, devPresets)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		r := b.resolve()
		r.forDevelopment()
		r.checkListening()
		r.validate()
		if err := r.err(); err != nil {
			return err
		}
		if err := r.useDevSecret(); err != nil {
			return err
		}
		return p.startServer(cmd.Context(), r, welcome{
			title:   "for development",
			warning: "weak passwords are accepted and only logged; postern serve refuses them",
		})
	}
	return cmd
}

// forDevelopment makes the rules of dev out of the settings.
func (r *resolved) forDevelopment() {
	r.config.Passwords.WarnOnly = true
	r.config.ExplainRefusals = true
	if r.config.CORS.AllowAllOrigins && !r.isSet("CORS_ALLOWED_ORIGINS") {
		r.config.CORS.AllowedOrigins = nil
	}
	if !r.failed["ADDR"] && !isLoopback(r.listen.Addr) {
		r.reject("ADDR", r.listen.Addr, `dev answers to this machine only: use 127.0.0.1, [::1] or localhost, or start "postern serve"`)
	}
	if r.listen.AdminAddr != "" && !isLoopback(r.listen.AdminAddr) {
		r.reject("ADMIN_ADDR", r.listen.AdminAddr, `dev answers to this machine only: use 127.0.0.1, [::1] or localhost, or start "postern serve"`)
	}
	if r.config.SecretKey == "" && !r.failed["SECRET_KEY"] {
		r.generated = true
	}
}

// isLoopback reports whether only this machine can reach "host:port".
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback() || slices.Contains([]string{"localhost", "localhost."}, host)
}
