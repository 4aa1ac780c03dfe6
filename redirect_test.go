package postern_test

import (
	"net/http"
	"testing"
)

func TestSlashRedirect_UnsafeMethodsAreKept(t *testing.T) {
	t.Parallel()
	_, base := startServer(t, testConfig(t))
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, test := range []struct{ path, to string }{
		{"/api/login", "/api/login/"},
		{"/api%2Flogin", "/api/login/"},
		{"/api/register?format=json", "/api/register/?format=json"},
		{"/api/logout", "/api/logout/"},
		{"/api/user", "/api/user/"},
		{"/api/protected", "/api/protected/"},
		{"/api/schema?format=yaml", "/api/schema/?format=yaml"},
		{"/api/docs", "/api/docs/"},
		{"/admin", "/admin/"},
		{"/admin/login?next=/admin/audit/", "/admin/login/?next=/admin/audit/"},
		{"/admin/auth/user", "/admin/auth/user/"},
		{"/admin/auth/user/1/change", "/admin/auth/user/1/change/"},
	} {
		for method, status := range map[string]int{
			"GET": http.StatusMovedPermanently, "HEAD": http.StatusMovedPermanently,
			"POST": http.StatusPermanentRedirect, "PUT": http.StatusPermanentRedirect, "DELETE": http.StatusPermanentRedirect,
		} {
			r, err := http.NewRequest(method, base+test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if got := answer.Header.Get("Location"); answer.StatusCode != status || got != test.to {
				t.Errorf("%s %s: %d to %q, want %d to %q", method, test.path, answer.StatusCode, got, status, test.to)
			}
		}
	}
	for _, path := range []string{"/", "/api", "/api/nothing", "/admin/auth/nothing"} {
		answer, err := client.Post(base+path, "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusPermanentRedirect || answer.StatusCode == http.StatusMovedPermanently {
			t.Errorf("POST %s: %d to %q", path, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
}
