package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/redact"
)

// maxFile is the largest file of settings or of a secret, in bytes.
const maxFile = 1 << 20

// readConfigFile reads the TOML file: a flat table whose keys are the names of
// settings in lower case. "" is no file.
func (r *resolved) readConfigFile(path string) map[string]given {
	if path == "" {
		return nil
	}
	values, problems := parseConfigFile(path)
	for _, problem := range problems {
		r.mistakes = append(r.mistakes, &postern.ConfigError{Setting: path, Problem: problem})
	}
	return values
}

func parseConfigFile(path string) (values map[string]given, problems []string) {
	content, err := readSmall(path)
	if err != nil {
		return nil, []string{"can't be read: " + err.Error()}
	}
	var tree map[string]any
	if err := toml.Unmarshal(content, &tree); err != nil {
		return nil, []string{tomlProblem(err)}
	}
	values = map[string]given{}
	for _, key := range sortedKeys(tree) {
		if !isKey(key) {
			problems = append(problems, fmt.Sprintf("%q is not a setting%s", redact.Text(key), suggestion(key, keys())))
			continue
		}
		value, err := fromTOML(tree[key])
		if err != nil {
			problems = append(problems, key+": "+err.Error())
			continue
		}
		values[key] = value
	}
	return values, problems
}

// tomlProblem says where the file is not TOML. It does not quote the file,
// which may hold the secret key.
func tomlProblem(err error) string {
	var syntax *toml.DecodeError
	if !errors.As(err, &syntax) {
		return "is not TOML"
	}
	row, column := syntax.Position()
	return fmt.Sprintf("is not TOML at line %d, column %d", row, column)
}

func fromTOML(value any) (given, error) {
	items, isArray := value.([]any)
	if !isArray {
		text, err := scalarFromTOML(value)
		return given{text: text}, err
	}
	g := given{array: true}
	for _, item := range items {
		text, err := scalarFromTOML(item)
		if err != nil {
			return given{}, err
		}
		g.items = append(g.items, text)
	}
	return g, nil
}

func scalarFromTOML(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	}
	return "", errors.New("must be a string, a whole number, true or false, or a list of them")
}

func keys() []string {
	names := make([]string, len(table))
	for i := range table {
		names[i] = table[i].key()
	}
	return names
}

func isKey(key string) bool { return slices.Contains(keys(), key) }

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// readSecretKeyFile takes the secret key from its file.
func (r *resolved) readSecretKeyFile() {
	path := r.secretKeyFile
	if path == "" {
		return
	}
	if mayBeKey(path) {
		r.reject("SECRET_KEY_FILE", "", "names no file that is there, and is not shown because it may be the key itself; give the path of a file that holds the key")
		r.failed["SECRET_KEY"] = true
		return
	}
	if r.isSet("SECRET_KEY") {
		r.reject("SECRET_KEY_FILE", path, r.label("SECRET_KEY")+" is set too; set one of the two")
		return
	}
	content, err := readSmall(path)
	key := strings.TrimSpace(string(content))
	switch {
	case err != nil:
		r.reject("SECRET_KEY_FILE", path, "can't be read: "+err.Error())
		r.failed["SECRET_KEY"] = true
	case key == "":
		r.reject("SECRET_KEY_FILE", path, "is empty; fill it with: openssl rand -base64 48")
		r.failed["SECRET_KEY"] = true
	}
	r.config.SecretKey = key
}

// mayBeKey reports whether somebody may have put the key where the path of its
// file belongs: it is long enough, and no folder of that name is there. A key
// in base64 may begin with a slash.
func mayBeKey(path string) bool {
	dir := filepath.Dir(path)
	return len(path) >= 32 && !exists(path) && (dir == "." || dir == string(filepath.Separator) || !exists(dir))
}

// readSmall reads a file that can't fill the memory. Its error does not
// repeat the path.
func readSmall(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, withoutPath(err)
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("larger than %d bytes", maxFile)
	}
	return withoutMark(content)
}

// withoutMark takes the byte-order mark off a file of UTF-8, which editors on
// Windows put there. A file of another encoding is refused.
func withoutMark(content []byte) ([]byte, error) {
	content, _ = bytes.CutPrefix(content, []byte(byteOrderMark))
	if !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0 {
		return nil, errors.New("not UTF-8; save it as UTF-8 (in PowerShell: Set-Content -Encoding utf8)")
	}
	return content, nil
}

const byteOrderMark = "\ufeff"

func withoutPath(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
