package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// asUTF16 is a text as Windows' editors save it as "Unicode".
func asUTF16(s string) string {
	var b strings.Builder
	for _, unit := range append([]uint16{0xfeff}, utf16.Encode([]rune(s))...) {
		b.WriteByte(byte(unit))
		b.WriteByte(byte(unit >> 8))
	}
	return b.String()
}

func TestConfigFile_ByteOrderMarkAndCarriageReturns(t *testing.T) {
	const content = "session_limit = 7\r\nallowed_hosts = [\"example.com\"]\r\n"
	r := resolveWith(t, nil, nil, byteOrderMark+content)
	if r.err() != nil || r.config.Session.Limit != 7 || len(r.config.AllowedHosts) != 1 || r.config.AllowedHosts[0] != "example.com" {
		t.Errorf("%+v %q, %v", r.config.Session, r.config.AllowedHosts, r.err())
	}
	if err := resolveWith(t, nil, nil, asUTF16(content)).err(); err == nil || !strings.Contains(err.Error(), "UTF-8") {
		t.Errorf("UTF-16: %v", err)
	}
}

func TestSecretKeyFile_ByteOrderMarkAndCarriageReturns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for content, want := range map[string]string{
		byteOrderMark + testSecret + "\r\n": "", testSecret + "\r\n": "", byteOrderMark + "\r\n": "is empty", asUTF16(testSecret): "UTF-8", "\xff" + testSecret: "UTF-8",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r := resolveWith(t, []string{"--secret-key-file", path}, nil, "")
		switch err := r.err(); {
		case want == "" && (err != nil || r.config.SecretKey != testSecret):
			t.Errorf("%q: key %q, %v", content, r.config.SecretKey, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

func TestEnvironmentFile_ByteOrderMarkAndCarriageReturns(t *testing.T) {
	r := resolveWith(t, nil, []string{byteOrderMark + "POSTERN_SESSION_LIMIT=7\r", "POSTERN_SECRET_KEY=" + testSecret + "\r", "POSTERN_ALLOWED_HOSTS=example.com\r"}, "")
	if r.err() != nil || r.config.Session.Limit != 7 || r.config.SecretKey != testSecret || r.config.AllowedHosts[0] != "example.com" {
		t.Errorf("%d %q %q, %v", r.config.Session.Limit, r.config.SecretKey, r.config.AllowedHosts, r.err())
	}
}

// TestServe_WarnsAtItsStart starts a server whose key, key file and hosts are
// weak.
func TestServe_WarnsAtItsStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.WriteFile(path, []byte("django-insecure-"+testSecret), 0o644); err != nil {
		t.Fatal(err)
	}
	command := serveCommand(t, dir, "--addr", "127.0.0.1:0", "--drain-delay", "0", "--allowed-hosts", "*", "--secret-key-file", path)
	command.Env = append(command.Env, "POSTERN_SECRET_KEY=")
	log := startCommand(t, command).log.String()
	for _, id := range []string{"postern.W002", "postern.W005", "postern.W090"} {
		if !strings.Contains(log, `"id":"`+id+`"`) {
			t.Errorf("the log lacks %s", id)
		}
	}
	mustNotSing(t, log, "log")
	if strings.Contains(log, testSecret) {
		t.Error("the key is shown")
	}
}
