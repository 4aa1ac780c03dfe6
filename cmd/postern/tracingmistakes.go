package main

import (
	"context"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-auth/postern"
)

// Variables of OpenTelemetry that may hold credentials.
var (
	tracingEndpoints = []string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"}
	tracingHeaders   = []string{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"}
	proxies          = []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"}
)

// tracingMistakes are the mistakes in OpenTelemetry's variables with which
// its library would send nothing, or something else than was asked for. The
// library logs such a value whole; these errors show none that may hold a
// credential.
func tracingMistakes(env map[string]string) []error {
	var m []error
	add := func(name, value, problem string) {
		m = append(m, &postern.ConfigError{Setting: name, Value: value, Problem: problem})
	}
	if name, value := firstSet(env, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"); value != "" && value != "http/protobuf" {
		add(name, value, `must be "http/protobuf", the one protocol spoken here (port 4318 of most collectors)`)
	}
	for _, name := range tracingEndpoints {
		if problem := endpointProblem(strings.TrimSpace(env[name])); problem != "" {
			add(name, "", problem)
		}
	}
	for _, name := range tracingHeaders {
		if problem := tracingHeadersProblem(strings.TrimSpace(env[name])); problem != "" {
			add(name, "", problem)
		}
	}
	return m
}

// firstSet is the first of those variables that is not empty.
func firstSet(env map[string]string, names ...string) (name, value string) {
	for _, name := range names {
		if env[name] != "" {
			return name, env[name]
		}
	}
	return "", ""
}

// endpointProblem says why no traces arrive at an endpoint. The library leaves
// out user, password and query.
func endpointProblem(endpoint string) string {
	if endpoint == "" {
		return ""
	}
	const form = `write "http://HOST:4318" or "https://HOST:4318"`
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "is not the URL of a collector; " + form
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "has credentials or parameters, which are not sent; " + form + `, and put credentials into OTEL_EXPORTER_OTLP_HEADERS, such as "authorization=Basic%20…"`
	}
	return ""
}

// tracingHeadersProblem says why the library would leave out a header.
func tracingHeadersProblem(headers string) string {
	if headers == "" {
		return ""
	}
	for header := range strings.SplitSeq(headers, ",") {
		name, value, found := strings.Cut(header, "=")
		name = strings.TrimSpace(name)
		decoded, err := url.PathUnescape(value)
		if !found || name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) }) ||
			err != nil || strings.ContainsAny(decoded, "\r\n\x00") {
			return "is not a list of headers; write NAME=VALUE,NAME=VALUE without quotation marks, with %20 for a space, %2C for a comma and %25 for a percent sign"
		}
	}
	return ""
}

// hiderOfTracing replaces what no error may quote: the values of headers, and
// the addresses of proxies, which may hold a password.
func hiderOfTracing(env map[string]string) *strings.Replacer {
	const shortest = 4 // of a secret; what is shorter is all over a message
	var hidden []string
	hide := func(text string) {
		if len(text) >= shortest {
			hidden = append(hidden, text, "…")
		}
	}
	for _, name := range tracingHeaders {
		for header := range strings.SplitSeq(env[name], ",") {
			_, value, _ := strings.Cut(header, "=")
			decoded, _ := url.PathUnescape(value)
			for _, form := range []string{value, decoded} {
				form = strings.TrimSpace(form)
				hide(form)
				if _, credential, found := strings.Cut(form, " "); found { // "Bearer TOKEN"
					hide(credential)
				}
			}
		}
	}
	for _, name := range proxies {
		hide(env[name])
	}
	return strings.NewReplacer(hidden...)
}

// quietHandler leaves out of the log of OpenTelemetry's library the values
// that it read from the environment.
type quietHandler struct{ slog.Handler }

func (h quietHandler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if !slices.Contains([]string{"input", "value", "key", "url", "file"}, a.Key) {
			clean.AddAttrs(a)
		}
		return true
	})
	return h.Handler.Handle(ctx, clean)
}

func (h quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{h.Handler.WithAttrs(attrs)}
}

func (h quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{h.Handler.WithGroup(name)}
}
