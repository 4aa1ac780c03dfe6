package postern_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/postern-auth/postern"
)

// A program with a mux of its own and a page that only users see.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "postern-example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	srv, err := postern.Open(ctx, postern.Config{
		Database:     "sqlite:" + filepath.Join(dir, "app.sqlite3"),
		SecretKey:    "in production: os.Getenv, or a file only you can read",
		AllowedHosts: []string{"127.0.0.1"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	mux := http.NewServeMux()
	mux.Handle("/api/", srv.Handler())
	mux.Handle("/admin/", srv.Handler())
	mux.Handle("/", srv.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _ := postern.UserFrom(r.Context())
		fmt.Fprintf(w, "Hello, %s", user.Username)
	})))

	// What a browser would do:
	server := httptest.NewServer(mux)
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}

	show := func(response *http.Response, err error) {
		if err != nil {
			log.Fatal(err)
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		fmt.Println(response.StatusCode, strings.TrimSpace(string(body)))
	}
	show(browser.Get(server.URL + "/"))
	show(browser.PostForm(server.URL+"/api/register/", url.Values{
		"username": {"ada"}, "password": {"difference-engine"}, "password2": {"difference-engine"},
	}))
	show(browser.Get(server.URL + "/"))
	// Output:
	// 403 {"detail":"Authentication credentials were not provided."}
	// 201 {"id":1,"username":"ada","email":""}
	// 200 Hello, ada
}

// An operator's tool beside a running server.
func ExampleOpenDirectory() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "postern-example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	config := postern.Config{Database: "sqlite:" + filepath.Join(dir, "app.sqlite3")}

	if _, err := postern.Migrate(ctx, config); err != nil {
		log.Fatal(err)
	}
	directory, err := postern.OpenDirectory(ctx, config)
	if err != nil {
		log.Fatal(err)
	}
	defer directory.Close()

	user, err := directory.CreateUser(ctx, postern.NewUser{
		Username: "ada", Email: "ada@EXAMPLE.com", Password: "difference-engine", IsStaff: true, IsSuperuser: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(user.ID, user.Username, user.Email, user.PasswordHasher)
	// Output:
	// 1 ada ada@example.com argon2id m=19456 t=2 p=1
}

// What an operator should know before a program goes into production.
func ExampleConfig_Weaknesses() {
	config := postern.Config{
		Database:     "sqlite:app.sqlite3",
		SecretKey:    "mW3q8Zt0yLr5uKx1vBn7cJd2fGh4sAe6pTi9oYwR",
		AllowedHosts: []string{"*"},
		Cookie:       postern.SessionCookie{Name: "__Host-sessionid", Secure: postern.SecureAlways},
		Security:     postern.Security{HSTSSeconds: 3600, HSTSIncludeSubdomains: true},
	}
	for _, w := range config.Weaknesses() {
		if !w.Advice {
			fmt.Println(w)
		}
	}
	// Output:
	// postern.W005 POSTERN_ALLOWED_HOSTS="*": any Host header is believed, in redirects and as an origin of our own; name the hosts, such as "auth.example.com"
	// postern.W021 POSTERN_SECURE_HSTS_SECONDS="3600": browsers forget it before the next visit; 31536000, a year
}

// A program's own listener for its operators, beside the one for everybody.
func ExampleServer_OperationsHandler() {
	dir, err := os.MkdirTemp("", "postern-example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	srv, err := postern.Open(context.Background(), postern.Config{
		Database:     "sqlite:" + filepath.Join(dir, "app.sqlite3"),
		SecretKey:    "in production: os.Getenv, or a file only you can read",
		AllowedHosts: []string{"example.com"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer srv.Close()

	operators := httptest.NewServer(srv.OperationsHandler())
	defer operators.Close()
	for _, path := range []string{"/-/live", "/-/ready"} {
		answer, err := http.Get(operators.URL + path)
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		fmt.Println(answer.StatusCode, strings.TrimSpace(string(body)))
	}
	// Output:
	// 200 {"status":"live"}
	// 200 {"status":"ready"}
}
