package redisstore

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-auth/postern/internal/redisstore/redistest"
)

const rightsPassword = "s3cr3t-of-the-t3st"

// leastRights is the command that docs/redis.md tells operators to give, with
// a password.
func leastRights(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "\n## The least rights\n")
	_, after, _ = strings.Cut(after, "```\n")
	block, _, found := strings.Cut(after, "```")
	if !found || !strings.HasPrefix(block, "ACL SETUSER ") {
		t.Fatal("docs/redis.md has no ACL SETUSER under The least rights")
	}
	return strings.Fields(strings.Replace(block, ">PASSWORD", ">"+rightsPassword, 1))
}

// withRights is the URL of a server for the user postern.
func withRights(url string) string {
	return strings.Replace(url, "redis://", "redis://postern:"+rightsPassword+"@", 1)
}

// testNothingIsDenied hears news, counts attempts, and then looks into the
// server's own log for what it denied.
func testNothingIsDenied(t *testing.T, server *redistest.Server, url string) {
	t.Helper()
	n := new(node)
	s := openAt(t, url, openUsers(t, nil), n.options())
	n.awaitBeat(t)
	if _, err := s.Take(t.Context(), "key", time.Second, time.Second); err != nil {
		t.Error(err)
	}
	for _, command := range deniedCommand.FindAllString(server.Do(t, "acl", "log"), -1) {
		t.Errorf("the server denied %s", command)
	}
}

// deniedCommand is a part of the log's words about the client.
var deniedCommand = regexp.MustCompile(`\bcmd=\S+`)

// TestAMissingRightIsNamed at the start, without the password.
func TestAMissingRightIsNamed(t *testing.T) {
	server := redistest.Start(t)
	rights := leastRights(t)
	for _, missing := range []string{"+role", "+evalsha", "+hgetall", "+subscribe", "+publish", "&postern:*", "~postern:*", "+time", "+hset", "+scan", "+unsubscribe"} {
		t.Run(missing, func(t *testing.T) {
			server.Do(t, "acl", "deluser", "postern")
			server.Do(t, slices.DeleteFunc(slices.Clone(rights), func(word string) bool { return word == missing })...)
			s, err := Open(t.Context(), withRights(server.URL()), openUsers(t, nil), Options{})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			for _, word := range []string{"docs/redis.md", "NOPERM"} {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v: does not say %s", err, word)
				}
			}
			if strings.Contains(err.Error(), rightsPassword) {
				t.Errorf("%v: holds the password", err)
			}
		})
	}
}
