package main

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// traces is a collector of OTLP over HTTP.
type traces struct {
	*httptest.Server
	mu       sync.Mutex
	raw      bytes.Buffer
	services []string
	spans    []*tracepb.Span
}

func startCollector(t *testing.T) *traces {
	c := &traces{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &request)
		}
		if err != nil || r.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		c.take(body, &request)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *traces) take(body []byte, request *collector.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, resource := range request.GetResourceSpans() {
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				c.services = append(c.services, a.GetValue().GetStringValue())
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			c.spans = append(c.spans, scope.GetSpans()...)
		}
	}
}

// named returns the span of that name; with under, the one below it.
func (c *traces) named(t *testing.T, name string, under *tracepb.Span) *tracepb.Span {
	t.Helper()
	for _, s := range c.spans {
		if s.GetName() == name && (under == nil || bytes.Equal(s.GetParentSpanId(), under.GetSpanId())) {
			return s
		}
	}
	t.Fatalf("no span %q below %q", name, under.GetName())
	return nil
}

const (
	callersTrace = "0af7651916cd43dd8448eb211c80319c"
	callersSpan  = "b7ad6b7169203331"
)

// TestTracesGoToTheCollector logs in with a caller's traceparent and looks at
// what has arrived after the stop.
func TestTracesGoToTheCollector(t *testing.T) {
	c := startCollector(t)
	command := serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0", "--drain-delay", "0")
	command.Env = append(command.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+c.URL, "OTEL_SERVICE_NAME=front-door")
	s := startCommand(t, command)
	for path, body := range map[string]string{
		"/api/register/": `{"username":"annabel-the-traced","password":"tr0ub4dor-x9","password2":"tr0ub4dor-x9"}`,
		"/api/login/":    `{"username":"annabel-the-traced","password":"tr0ub4dor-x9"}`,
		"/secret-path/":  `{}`,
	} {
		r, err := http.NewRequest(http.MethodPost, "http://"+s.address+path+"?q=secret-query", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Traceparent", "00-"+callersTrace+"-"+callersSpan+"-01")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	s.signal(syscall.SIGTERM)
	if err := s.end(); err != nil {
		t.Fatalf("after SIGTERM: %v", err)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	registration := c.named(t, "POST /api/register/", nil)
	if hex.EncodeToString(registration.GetTraceId()) != callersTrace || hex.EncodeToString(registration.GetParentSpanId()) != callersSpan {
		t.Error("the request is not below the caller's span")
	}
	if registration.GetKind() != tracepb.Span_SPAN_KIND_SERVER {
		t.Errorf("its kind is %s", registration.GetKind())
	}
	got := map[string]string{}
	for _, a := range registration.GetAttributes() {
		got[a.GetKey()] = strings.TrimSpace(a.GetValue().String())
	}
	for key, want := range map[string]string{
		"http.request.method": `"POST"`, "http.route": `"/api/register/"`, "http.response.status_code": "201", "url.scheme": `"http"`,
	} {
		if !strings.Contains(got[key], want) {
			t.Errorf("%s is %s, want %s", key, got[key], want)
		}
	}
	for _, step := range []string{"read user", "wait to hash", "hash", "commit session"} {
		c.named(t, step, registration)
	}
	c.named(t, "POST", nil) // a path that nobody has
	if c.services[0] != "front-door" {
		t.Errorf("the service is %q, want what OTEL_SERVICE_NAME says", c.services[0])
	}
	for _, secret := range []string{"tr0ub4dor", "annabel-the-traced", "secret-path", "secret-query", "sessionid", "127.0.0.1"} {
		if bytes.Contains(c.raw.Bytes(), []byte(secret)) {
			t.Errorf("the traces hold %q", secret)
		}
	}
}

func TestWithoutAnEndpointNothingIsTraced(t *testing.T) {
	for _, test := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{}, false},
		{map[string]string{"OTEL_SERVICE_NAME": "x"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, false},
	} {
		if got := wantsTraces(test.env); got != test.want {
			t.Errorf("%v: %v, want %v", test.env, got, test.want)
		}
	}
}

func TestAProtocolThatIsNotSpokenStopsTheStart(t *testing.T) {
	command := serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0")
	command.Env = append(command.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL=grpc")
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || !strings.Contains(string(output), `OTEL_EXPORTER_OTLP_PROTOCOL="grpc"`) {
		t.Errorf("%v, want exit code 2 and a line:\n%s", err, output)
	}
}

// TestAnUnreachableCollectorIsNoReasonToFail: the server answers, and stops
// well.
func TestAnUnreachableCollectorIsNoReasonToFail(t *testing.T) {
	command := serveCommand(t, t.TempDir(), "--addr", "127.0.0.1:0", "--drain-delay", "0")
	command.Env = append(command.Env, "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1")
	s := startCommand(t, command)
	if status := statusOf(t, "http://"+s.address+"/-/ready"); status != http.StatusOK {
		t.Errorf("status %d, want 200", status)
	}
	s.signal(syscall.SIGTERM)
	if err := s.end(); err != nil {
		t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
}
