package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Variables that are no settings.
const (
	envConfig            = "POSTERN_CONFIG"
	envSuperuserUsername = "POSTERN_SUPERUSER_USERNAME"
	envSuperuserEmail    = "POSTERN_SUPERUSER_EMAIL"
	envSuperuserPassword = "POSTERN_SUPERUSER_PASSWORD"
	envNewPassword       = "POSTERN_NEW_PASSWORD"
)

// environment reads NAME=value pairs; of a name that comes twice, the last
// counts. Files of variables that were written on Windows leave a byte-order
// mark before the first name, and a carriage return behind the values.
func environment(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		name, value, ok := strings.Cut(strings.TrimPrefix(pair, byteOrderMark), "=")
		if !ok || name == "" {
			continue
		}
		if strings.HasPrefix(name, envPrefix) {
			value = strings.TrimSuffix(value, "\r")
		}
		env[name] = value
	}
	return env
}

// getenv is the first of those variables that is not empty.
func (p *program) getenv(names ...string) string {
	env := environment(p.environ)
	for _, name := range names {
		if env[name] != "" {
			return env[name]
		}
	}
	return ""
}

func knownVariables() []string {
	names := []string{envConfig, envSuperuserUsername, envSuperuserEmail, envSuperuserPassword, envNewPassword}
	for i := range table {
		names = append(names, table[i].env())
	}
	return names
}

// warnUnknown names the variables that look like ours and are not.
func warnUnknown(w io.Writer, env map[string]string) {
	known := knownVariables()
	for _, name := range sortedKeys(env) {
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(known, name) {
			fmt.Fprintf(w, "postern: warning: %s is not a setting%s\n", name, suggestion(name, known))
		}
	}
}

// suggestion is "; did you mean …?" with the nearest of the known names, or
// "" when none is near.
func suggestion(name string, known []string) string {
	best, nearest := "", len(name)/4+2
	for _, k := range known {
		if d := distance(name, k); d < nearest {
			best, nearest = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is how many bytes must be put in, taken out or changed to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j]+1, row[j+1]+1, change)
		}
	}
	return row[len(b)]
}
