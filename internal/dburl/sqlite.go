package dburl

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// SQLiteFile is the address of an SQLite database that was understood.
type SQLiteFile struct {
	Path string // relative to the working directory, or absolute
	// mustExist says that the address has mode=rw.
	mustExist bool
	// others are the files that the address may mean by other rules.
	others []otherFile
}

// otherFile is another reading of an address, and what to write for it.
type otherFile struct {
	path   string
	remedy string
}

// SQLite reads "sqlite:PATH", and with slashes as SQLAlchemy and
// dj-database-url have it: three stand before a relative path, four before an
// absolute one. A percent-encoded character is that character, and what
// follows a question mark are parameters. Its error quotes no part of an
// address that may hold a password.
func SQLite(raw string) (SQLiteFile, error) {
	if !IsSQLite(raw) {
		return SQLiteFile{}, CheckKind(raw)
	}
	if looksLikeServer.MatchString(raw) || hasPassword.MatchString(raw) {
		return SQLiteFile{}, errors.New("looks like the address of a server with a password; write sqlite:PATH for a file, with %40 for an @ and %3A for a : in its name, or " + postgresForm[len("write "):])
	}
	if strings.ContainsFunc(raw, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return SQLiteFile{}, errors.New("has control characters in it")
	}
	written := raw[len("sqlite:"):]
	path, query, _ := strings.Cut(written, "?")
	var f SQLiteFile
	if err := f.readPath(path); err != nil {
		return SQLiteFile{}, err
	}
	if err := f.readQuery(query); err != nil {
		return SQLiteFile{}, err
	}
	if query != "" {
		old := strings.TrimPrefix(written, "//")
		f.others = append(f.others, otherFile{old, "a file whose name holds the question mark and all that follows it is there, as earlier versions took it; rename that file, or write %3F for the question mark"})
	}
	return f, nil
}

var (
	looksLikeServer = regexp.MustCompile(`(?i)^sqlite:/{0,3}[^/?]*:.*@`)
	hasPassword     = regexp.MustCompile(`(?i)(password|passwd|pwd)\s*=`)
	drivePath       = regexp.MustCompile(`^/?[A-Za-z]:[\\/]`)
)

var errNoFile = errors.New(`names no file; write "sqlite:PATH": users and sessions must outlive the process`)

// readPath finds the file that the part before the parameters names.
func (f *SQLiteFile) readPath(path string) error {
	slashed := false
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if rest == "" {
			return errNoFile // "sqlite://" is a database in memory elsewhere
		}
		if rest[0] != '/' {
			return errors.New("has two slashes, behind which other programs expect a host; write sqlite:PATH, or three slashes before a relative path and four before an absolute one")
		}
		path, slashed = rest[1:], true
	}
	written := path
	if isDrive(path) {
		path = strings.TrimPrefix(path, "/")
	}
	path = unquote(path)
	if rest, ok := strings.CutPrefix(path, "file:"); ok {
		var err error
		if path, err = ofFileURI(rest); err != nil {
			return err
		}
		slashed = false
	}
	switch {
	case path == "" || strings.HasPrefix(path, ":memory:"):
		return errNoFile
	case strings.ContainsRune(path, 0):
		return errors.New("has a zero byte in it")
	case len(path) > 1 && strings.IndexByte(`"'`, path[0]) >= 0 && path[len(path)-1] == path[0]:
		return errors.New("has quotation marks around the path, which would be part of the file's name; take them off")
	case strings.HasSuffix(path, "/"):
		return errors.New("ends with a slash and names a folder; name the file in it")
	}
	f.Path = path
	if slashed && path[0] != '/' && !isDrive(path) {
		f.others = append(f.others, otherFile{"/" + path, "three slashes stand before a path that is relative to the working directory; write four, or sqlite:/PATH, for the absolute one"})
	}
	if path != written && strings.Contains(written, "%") {
		f.others = append(f.others, otherFile{written, "a file with that percent sign in its name is there; write %25 for the percent sign"})
	}
	return nil
}

// isDrive reports whether a path starts with a drive of Windows.
func isDrive(path string) bool { return runtime.GOOS == "windows" && drivePath.MatchString(path) }

// ofFileURI is the path in a URI of SQLite, file:PATH
// (https://www.sqlite.org/uri.html), without its scheme.
func ofFileURI(rest string) (string, error) {
	if path, ok := strings.CutPrefix(rest, "//"); ok {
		path = strings.TrimPrefix(path, "localhost")
		if !strings.HasPrefix(path, "/") {
			return "", errors.New("has file: with a host; write file:PATH or file:///PATH")
		}
		return path, nil
	}
	return rest, nil
}

// sqliteHarmless are parameters of Python's sqlite3, SQLAlchemy, Django and
// SQLite that ask for what is so anyway; of some only with these values.
var sqliteHarmless = map[string][]string{
	"timeout": nil, "check_same_thread": nil, "detect_types": nil, "isolation_level": nil, "cached_statements": nil, "autocommit": nil,
	"factory": nil, "uri": nil, "transaction_mode": nil, "conn_max_age": nil, "conn_health_checks": nil, "atomic_requests": nil, "psow": nil,
	"mode": {"rwc", "rw"}, "cache": {"private"}, "immutable": {"0"}, "nolock": {"0"},
	"_busy_timeout": nil, "_timeout": nil, "busy_timeout": nil, "connection_limit": nil,
	"_foreign_keys": {"1", "true", "on"}, "_fk": {"1", "true", "on"}, "_journal_mode": {"WAL", "wal"}, "_journal": {"WAL", "wal"},
	"journal_mode": {"WAL", "wal"}, "_synchronous": {"FULL", "full", "2"}, "_sync": {"FULL", "full", "2"}, "_txlock": nil,
}

// readQuery judges the parameters.
func (f *SQLiteFile) readQuery(query string) error {
	list, err := parameters(query)
	if err != nil || slices.ContainsFunc(list, func(p parameter) bool { return p.bare }) {
		return errors.New("has a question mark in it, and what follows is not NAME=VALUE; write %3F for a question mark in the name of the file")
	}
	for _, p := range list {
		values, known := sqliteHarmless[p.name]
		switch {
		case p.name == "mode" && p.value == "memory":
			return errNoFile
		case p.name == "mode" && p.value == "ro":
			return errors.New("has the parameter mode=ro; leave it out: sessions must be written")
		case !known || values != nil && !slices.Contains(values, p.value):
			return fmt.Errorf("has the parameter %s, which can't be honoured; leave it out, or write %%3F for a question mark in the name of the file", p.name)
		}
		f.mustExist = f.mustExist || p.name == "mode" && p.value == "rw"
	}
	return nil
}

// Check returns why the file must not be opened, or made: it isn't there while
// the file that another reading of the address names is. exists tells of files
// and folders.
func (f *SQLiteFile) Check(exists func(path string) bool) error {
	if exists(f.Path) {
		return nil
	}
	if f.mustExist {
		return errors.New("has the parameter mode=rw, and there is no such file; leave it out to make one")
	}
	folder := filepath.Dir(f.Path)
	for _, other := range f.others {
		if exists(other.path) || !exists(folder) && exists(filepath.Dir(other.path)) {
			return errors.New("names a file that is not there: " + other.remedy)
		}
	}
	return nil
}
