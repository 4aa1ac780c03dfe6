package postern_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/postern-auth/postern/internal/pages/browsertest"
)

func TestTheBrowsableAPIWalksTheContractByClicking(t *testing.T) {
	t.Parallel()
	srv, base := startServer(t, testConfig(t))
	p := browsertest.Start(t).Person(t, base)

	if status := p.Open("/api/user/"); status != http.StatusForbidden {
		t.Errorf("anonymous: %d", status)
	}
	p.WaitText("Authentication credentials were not provided.")
	p.Inspect("api-anonymous")

	p.Follow(`.side a[href="/api/register/"]`)
	p.Fill("#field-username", "ada")
	p.Fill("#field-email", "ada@example.com")
	p.Fill("#field-password", "12345678")
	p.Fill("#field-password2", "something-else")
	if status := p.Follow("form[data-form=fields] button"); status != http.StatusBadRequest {
		t.Errorf("passwords that differ: %d", status)
	}
	if got := p.Text("#wrong-password"); got != "Passwords do not match." {
		t.Errorf("at the field stands %q", got)
	}
	if got := browsertest.Eval[string](p, `document.querySelector('#field-email').value`); got != "ada@example.com" {
		t.Errorf("what was typed is gone: the field has %q", got)
	}
	if got := browsertest.Eval[string](p, `document.querySelector('#field-password').value`); got != "" {
		t.Error("the page repeats the password")
	}
	p.Inspect("api-refused")
	p.Fill("#field-password", goodPassword)
	p.Fill("#field-password2", goodPassword)
	if status := p.Follow("form[data-form=fields] button"); status != http.StatusCreated {
		t.Errorf("register: %d", status)
	}
	p.WaitText(`"username": "ada"`)
	if got := p.Text(".who"); !strings.Contains(got, "ada") {
		t.Errorf("at the top stands %q", got)
	}
	p.Inspect("api-registered")

	p.Follow(`.side a[href="/api/protected/"]`)
	p.WaitText("Hello, ada! You are authenticated.")
	p.Click(`[data-method=OPTIONS]`)
	p.WaitText(`"description": ""`)
	if strings.Contains(p.Text("main"), "session"+"id=") && !strings.Contains(p.Text("main"), "sessionid=…") {
		t.Error("the page shows the session's key")
	}
	p.Follow(`#log-out`)
	p.WaitText("Logout successful")
	if !p.Has("#log-in") || p.Has("#log-out") {
		t.Error("the page still shows someone as logged in")
	}

	p.Follow(`.side a[href="/api/protected/"]`)
	p.Follow("#log-in")
	p.Fill("#raw-body", `{"username": "ada", "password": "wrong"}`)
	p.Click("form[data-form=raw] button")
	p.WaitText("Invalid credentials")
	p.Fill("#raw-body", `{"username": "ada", "password": `)
	p.Click("form[data-form=raw] button")
	p.WaitText("JSON parse error")
	p.Fill("#raw-body", `{"username": "ada", "password": "`+goodPassword+`"}`)
	p.Click("form[data-form=raw] button")
	p.WaitText("Login successful")
	p.Follow("main .notice a")
	if got := p.Path(); got != "/api/protected/" {
		t.Errorf("the login leads to %s", got)
	}

	// A session that ends elsewhere: the page says so.
	if n, err := srv.RevokeSessions(t.Context(), "ada"); err != nil || n != 1 {
		t.Fatalf("%d sessions revoked, %v", n, err)
	}
	if status := p.Follow(".head a.button.main"); status != http.StatusForbidden {
		t.Errorf("after the end of the session: %d", status)
	}
}

func TestAFormOfAPageNeedsItsToken(t *testing.T) {
	_, base := startServer(t, testConfig(t))
	c := newClient(t, base)
	c.register("ada")
	r, err := http.NewRequest("POST", base+"/api/logout/", strings.NewReader("csrfmiddlewaretoken="+strings.Repeat("a", 64)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	answer, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusForbidden || !strings.Contains(string(body), "CSRF Failed") {
		t.Errorf("a foreign form: %d %s", answer.StatusCode, body)
	}
}

func TestWithoutPagesAnswersAreJSONOnly(t *testing.T) {
	config := testConfig(t)
	config.NoBrowsableAPI = true
	_, base := startServer(t, config)
	for _, tt := range []struct {
		path, accept string
		status       int
	}{
		{"/api/user/", "text/html", http.StatusNotAcceptable},
		{"/api/user/", "text/html, */*;q=0.8", http.StatusForbidden},
		{"/api/user/?format=api", "*/*", http.StatusNotFound},
		{"/api/assets/", "*/*", http.StatusNotFound},
	} {
		r, err := http.NewRequest("GET", base+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", tt.accept)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != tt.status || answer.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s with Accept %s: %d %s", tt.path, tt.accept, answer.StatusCode, answer.Header.Get("Content-Type"))
		}
	}
}
