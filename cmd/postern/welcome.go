package main

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/postern-auth/postern/internal/redact"
)

const docsURL = "https://github.com/postern-auth/postern/tree/main/docs"

// welcome is what a person at a terminal reads when the server is up.
type welcome struct {
	title   string
	warning string
	// weaknesses logs those of the settings that are told at every start.
	weaknesses bool
}

func (p *program) welcome(w welcome, r *resolved, addrs []net.Addr) {
	if !term.IsTerminal(int(p.stdout.Fd())) {
		return
	}
	create := "postern createsuperuser"
	if r.config.Database != defaultDatabase {
		create += " --database " + redact.URL(r.config.Database)
	}
	var rows [][]string
	if last := len(addrs) - 1; r.listen.AdminAddr != "" {
		rows = append(rows, []string{"  operators", urls(addrs[last:], false)[0]})
		addrs = addrs[:last]
	}
	rows = slices.Insert(rows, 0, []string{"  address", strings.Join(urls(addrs, r.listen.TLSCert != ""), "  ")})
	rows = append(rows,
		[]string{"  database", redact.URL(r.config.Database)},
		[]string{"  superuser", create},
		[]string{"  docs", docsURL},
	)
	if w.warning != "" {
		rows = append(rows, []string{"  warnings", w.warning})
	}
	fmt.Fprintf(p.stdout, "\nPostern %s, %s\n\n", thisBuild().Version, w.title)
	_ = columns(p.stdout, rows...)
	fmt.Fprint(p.stdout, "\nStop with Ctrl-C.\n\n")
}

// urls is where a browser finds the listeners.
func urls(addrs []net.Addr, tls bool) []string {
	list := make([]string, len(addrs))
	for i, addr := range addrs {
		switch {
		case addr.Network() == "unix":
			list[i] = "unix:" + addr.String()
		case tls:
			list[i] = "https://" + addr.String() + "/"
		default:
			list[i] = "http://" + addr.String() + "/"
		}
	}
	return list
}
