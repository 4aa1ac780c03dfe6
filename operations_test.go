package postern_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/postern-auth/postern"
)

// watched is a server with an admin address.
func watched(t *testing.T, c postern.Config) (srv *postern.Server, base, admin string) {
	t.Helper()
	srv = openServer(t, c)
	bases, _ := listenAs(t, srv, postern.Listen{AdminAddr: "127.0.0.1:0"})
	return srv, bases[0], bases[1]
}

// get returns status, header and body, for another Host if it is not "".
func get(t *testing.T, url, host string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

// figures are the metrics of a scrape: `name{label="value",…}` and the number;
// of a histogram, the number of its observations.
type figures map[string]float64

func scrape(t *testing.T, admin string) figures {
	t.Helper()
	status, _, body := get(t, admin+"/-/metrics", "")
	if status != http.StatusOK {
		t.Fatalf("GET /-/metrics: %d %s", status, body)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	f := figures{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			f[name+labelsOf(m)] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return f
}

func labelsOf(m *dto.Metric) string {
	var labels []string
	for _, l := range m.GetLabel() {
		labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
	}
	if labels == nil {
		return ""
	}
	return "{" + strings.Join(labels, ",") + "}"
}

func (f figures) expect(t *testing.T, name string, want float64) {
	t.Helper()
	if got := f[name]; got != want {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

func requestsOf(method, route string, status int) string {
	return fmt.Sprintf("postern_http_requests_total{method=%q,route=%q,status=\"%d\"}", method, route, status)
}

func TestMetricsTellTheTruth(t *testing.T) {
	c := testConfig(t)
	c.Throttle = postern.Throttle{LoginAccount: postern.Rate{Attempts: 5, Per: time.Hour}}
	_, base, admin := watched(t, c)
	client := newClient(t, base)
	client.register("ann")
	for _, test := range []struct{ password string }{{goodPassword}, {"wrong"}, {"wrong"}, {"wrong"}, {goodPassword}, {"throttled"}, {"throttled"}} {
		newClient(t, base).login("ann", test.password) // all of one device
	}
	client.do("POST", "/api/login/", map[string]string{"username": "ann"})
	client.do("POST", "/api/login/", map[string]string{"username": "ann", "password": "x"}, "X-CSRFToken", "forged")
	client.do("POST", "/api/login/", "{", "Content-Type", "text/csv")
	for range 4 {
		client.isIn(true)
	}
	newClient(t, base).isIn(false)
	client.do("GET", "/api/nowhere/", nil)

	f := scrape(t, admin)
	for name, want := range map[string]float64{
		`postern_logins_total{outcome="success"}`:                                2,
		`postern_logins_total{outcome="invalid"}`:                                4, // three passwords, one body without
		`postern_logins_total{outcome="throttled"}`:                              2,
		`postern_logins_total{outcome="refused"}`:                                1,
		`postern_logins_total{outcome="malformed"}`:                              1,
		`postern_logins_total{outcome="error"}`:                                  0,
		`postern_registrations_total{outcome="success"}`:                         1,
		requestsOf("POST", "/api/register/", 201):                                1,
		requestsOf("POST", "/api/login/", 200):                                   2,
		requestsOf("POST", "/api/login/", 401):                                   3,
		requestsOf("POST", "/api/login/", 400):                                   1,
		requestsOf("POST", "/api/login/", 403):                                   1,
		requestsOf("POST", "/api/login/", 415):                                   1,
		requestsOf("POST", "/api/login/", 429):                                   2,
		requestsOf("GET", "/api/user/", 200):                                     4,
		requestsOf("GET", "/api/user/", 403):                                     1,
		requestsOf("GET", "other", 404):                                          1,
		`postern_http_request_duration_seconds{method="GET",route="/api/user/"}`: 5,
		`postern_gate_wait_seconds`:                                              6, // a registration, five passwords
	} {
		f.expect(t, name, want)
	}
	if f[`postern_database_duration_seconds{operation="commit"}`] < 3 || f[`postern_database_duration_seconds{operation="read"}`] < 6 {
		t.Error("the database is not observed")
	}
	if hits, misses := f["postern_recall_hits_total"], f["postern_recall_misses_total"]; hits+misses < 5 {
		t.Errorf("%v hits and %v misses, want a check for each request with a cookie", hits, misses)
	}
	awaitFigure(t, admin, "postern_sessions", 3)
}

// awaitFigure scrapes until a figure is right.
func awaitFigure(t *testing.T, admin, name string, want float64) {
	t.Helper()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		got := scrape(t, admin)[name]
		if got == want {
			return
		}
		if time.Now().After(patience) {
			t.Fatalf("%s stays %v, want %v", name, got, want)
		}
	}
}

// TestABusyGateShowsInTheMetrics compares what clients were answered with
// what was counted.
func TestABusyGateShowsInTheMetrics(t *testing.T) {
	c := testConfig(t)
	c.Passwords = postern.Passwords{Workers: 1, Queue: 1, QueueWait: time.Millisecond, Argon2Time: 4, Argon2MemoryKiB: 8192}
	_, base, admin := watched(t, c)
	newClient(t, base).register("ann")
	var answers [600]atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			client := newClient(t, base)
			for range 4 {
				status, _ := client.login("ann", "wrong-password")
				answers[status].Add(1)
			}
		})
	}
	clients.Wait()
	busy := float64(answers[http.StatusServiceUnavailable].Load())
	if busy == 0 {
		t.Fatal("the gate was never busy")
	}
	f := scrape(t, admin)
	f.expect(t, `postern_logins_total{outcome="busy"}`, busy)
	f.expect(t, requestsOf("POST", "/api/login/", 503), busy)
	f.expect(t, `postern_logins_total{outcome="invalid"}`, 32-busy)
}

// TestWhatClientsSendMakesNoSeries tries paths, methods, hosts and users.
func TestWhatClientsSendMakesNoSeries(t *testing.T) {
	srv, _, admin := watched(t, testConfig(t))
	handler := srv.Handler()
	send := func(i int) {
		body := fmt.Sprintf(`{"username":"user%d","password":"x"}`, i)
		for _, r := range []*http.Request{
			httptest.NewRequest("POST", "http://127.0.0.1/api/login/", strings.NewReader(body)),
			httptest.NewRequest("GET", fmt.Sprintf("http://127.0.0.1/%d/?q=%d", i, i), nil),
			httptest.NewRequest(fmt.Sprintf("X%d", i), "http://127.0.0.1/api/user/", nil),
			httptest.NewRequest("GET", fmt.Sprintf("http://host%d/api/user/", i), nil),
			httptest.NewRequest("GET", fmt.Sprintf("http://127.0.0.1/-/%d", i), nil),
		} {
			r.Header.Set("Content-Type", "application/json")
			handler.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	send(0)
	scrape(t, admin) // a scrape counts itself, the next time
	awaitFigure(t, admin, "postern_sessions", 0)
	before := scrape(t, admin)
	for i := range 1000 {
		send(1 + i)
	}
	after := scrape(t, admin)
	for name := range after {
		if _, known := before[name]; !known && !strings.HasPrefix(name, "go_") {
			t.Errorf("a new series: %s", name)
		}
	}
	after.expect(t, `postern_logins_total{outcome="invalid"}`, 1001)
}

func TestProbesAnswerWhateverTheHost(t *testing.T) {
	c := testConfig(t)
	c.AllowedHosts = []string{"example.com"}
	c.Security.SSLRedirect = true
	_, base, admin := watched(t, c)
	for _, where := range []string{base, admin} {
		for path, want := range map[string]string{"/-/live": `{"status":"live"}`, "/-/ready": `{"status":"ready"}`} {
			status, header, body := get(t, where+path, "10.0.0.7:8000")
			if status != http.StatusOK || strings.TrimSpace(body) != want {
				t.Errorf("%s: %d %s, want 200 %s", path, status, body, want)
			}
			for name, want := range map[string]string{
				"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Content-Type": "application/json",
			} {
				if got := header.Get(name); got != want {
					t.Errorf("%s: %s is %q, want %q", path, name, got, want)
				}
			}
		}
	}
	if status, _, _ := get(t, base+"/api/user/", "10.0.0.7:8000"); status != http.StatusBadRequest {
		t.Errorf("the API answers %d to a foreign host, want 400", status)
	}
}

func TestProbesOnlyRead(t *testing.T) {
	_, base, admin := watched(t, testConfig(t))
	for _, url := range []string{base + "/-/live", base + "/-/ready", admin + "/debug/pprof/"} {
		response, err := http.Post(url, "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d, Allow %q", url, response.StatusCode, response.Header.Get("Allow"))
		}
	}
}

func TestReadinessIsRedWithoutADatabase(t *testing.T) {
	var log bytes.Buffer
	c := testConfig(t)
	c.Log = textLogger(&log)
	srv, err := postern.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	var w *httptest.ResponseRecorder
	eventually(t, "the server is unready", func() bool { // what was found just before stands for a second
		w = httptest.NewRecorder()
		srv.OperationsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/-/ready", nil))
		return w.Code == http.StatusServiceUnavailable
	})
	var report struct {
		Status string
		Checks map[string]string
	}
	if err := json.Unmarshal(w.Body.Bytes(), &report); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if report.Status != "unready" || report.Checks["database"] != "failing" {
		t.Errorf("%d %s, want 503, unready because the database fails", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), "sqlite") || strings.Contains(w.Body.String(), "/") {
		t.Errorf("the answer tells too much: %s", w.Body)
	}
	if !strings.Contains(log.String(), "not ready") {
		t.Errorf("the log does not tell: %s", &log)
	}
	w = httptest.NewRecorder()
	srv.OperationsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/-/live", nil))
	if w.Code != http.StatusOK {
		t.Errorf("without a database the server is no longer alive: %d", w.Code)
	}
}

func TestMetricsAndProfilesAreNotForEveryone(t *testing.T) {
	for _, test := range []struct {
		name          string
		listen        postern.Listen
		main, onAdmin int // what GET /-/metrics is answered with
	}{
		{"by default", postern.Listen{}, 404, 0},
		{"asked for", postern.Listen{Metrics: true}, 200, 0},
		{"with an admin address", postern.Listen{AdminAddr: "127.0.0.1:0"}, 404, 200},
		{"asked for, with an admin address", postern.Listen{AdminAddr: "127.0.0.1:0", Metrics: true}, 404, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			bases, _ := listenAs(t, openServer(t, testConfig(t)), test.listen)
			if status, _, _ := get(t, bases[0]+"/-/metrics", ""); status != test.main {
				t.Errorf("metrics on the main address: %d, want %d", status, test.main)
			}
			for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/-/debug/pprof/"} {
				if status, _, _ := get(t, bases[0]+path, ""); status != http.StatusNotFound {
					t.Errorf("%s on the main address: %d, want 404", path, status)
				}
			}
			if test.onAdmin == 0 {
				return
			}
			if status, _, _ := get(t, bases[1]+"/-/metrics", ""); status != test.onAdmin {
				t.Errorf("metrics on the admin address: %d, want %d", status, test.onAdmin)
			}
			if status, _, _ := get(t, bases[1]+"/api/user/", ""); status != http.StatusNotFound {
				t.Errorf("the API on the admin address: %d, want 404", status)
			}
		})
	}
}

func TestProfilesAreOfTheFormOfPprof(t *testing.T) {
	_, _, admin := watched(t, testConfig(t))
	for path, want := range map[string]int{
		"":                     200,
		"heap?gc=1":            200,
		"goroutine":            200,
		"goroutine?debug=2":    200,
		"profile?seconds=0.05": 200,
		"trace?seconds=0.05":   200,
		"profile?seconds=3600": 400,
		"profile?seconds=x":    400,
		"nothing":              404,
	} {
		status, _, body := get(t, admin+"/debug/pprof/"+path, "")
		if status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		packed := strings.HasPrefix(path, "heap") || strings.HasPrefix(path, "profile") || path == "goroutine"
		if want == 200 && packed && !strings.HasPrefix(body, "\x1f\x8b") {
			t.Errorf("%s is not a packed profile", path)
		}
	}
}

func TestImportingThePackageOpensNoProfiles(t *testing.T) {
	for _, path := range []string{"/debug/pprof/", "/debug/requests", "/metrics"} {
		if _, pattern := http.DefaultServeMux.Handler(httptest.NewRequest("GET", path, nil)); pattern != "" {
			t.Errorf("http.DefaultServeMux answers %s", pattern)
		}
	}
}

// TestAStopIsAnnouncedBeforeItHappens holds a connection and a stop's delay.
func TestAStopIsAnnouncedBeforeItHappens(t *testing.T) {
	srv := openServer(t, testConfig(t))
	bases, stop := listenAs(t, srv, postern.Listen{AdminAddr: "127.0.0.1:0", DrainDelay: 5 * time.Second})
	client := newClient(t, bases[0])
	client.register("ann")
	stop()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		status, _, body := get(t, bases[0]+"/-/ready", "")
		if status == http.StatusServiceUnavailable {
			if !strings.Contains(body, `"status":"draining"`) || !strings.Contains(body, `"database":"ok"`) {
				t.Errorf("the probe says %s, want draining with a good database", body)
			}
			break
		}
		if time.Now().After(patience) {
			t.Fatal("readiness stays green")
		}
	}
	client.isIn(true)
	if status, _, _ := get(t, bases[0]+"/-/live", ""); status != http.StatusOK {
		t.Errorf("a server that stops is no longer alive: %d", status)
	}
}

func TestConnectionsEndWithTheirNextAnswerOnceAStopIsComing(t *testing.T) {
	bases, stop := listenAs(t, openServer(t, testConfig(t)), postern.Listen{DrainDelay: 5 * time.Second})
	for _, path := range []string{"/api/user/", "/-/live", "/nowhere"} {
		if _, closes := ask(t, bases[0]+path); closes {
			t.Errorf("%s closes the connection of a server that goes on", path)
		}
	}
	stop()
	for patience := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if status, _ := ask(t, bases[0]+"/-/ready"); status == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(patience) {
			t.Fatal("readiness stays green")
		}
	}
	for _, path := range []string{"/api/user/", "/-/live", "/nowhere"} {
		if _, closes := ask(t, bases[0]+path); !closes {
			t.Errorf("%s leaves the connection of a server that stops open", path)
		}
	}
}

// ask returns the status, and whether the answer closes its connection.
func ask(t *testing.T, url string) (status int, closes bool) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode, response.Close
}
