// Package tracing makes spans of requests, and below them of the wait at the
// gate, of hashing, and of reads and commits. It needs OpenTelemetry's
// interfaces only; where spans go is decided by who makes the provider. It is
// not in the way of a request when there is none.
//
// Spans hold a route, a method and a status: no path, query, header, address,
// name or key.
package tracing

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

const scope = "github.com/postern-auth/postern"

// Tracer makes spans. Safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

// New returns a tracer, whose spans are of version.
func New(p trace.TracerProvider, version string) *Tracer {
	return &Tracer{p.Tracer(scope, trace.WithInstrumentationVersion(version))}
}

// Request begins the span of a request, below the one that the request's
// traceparent names (https://www.w3.org/TR/trace-context/), and returns the
// request that carries it.
func (t *Tracer) Request(r *http.Request) (*http.Request, trace.Span) {
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := t.tracer.Start(ctx, "HTTP", trace.WithSpanKind(trace.SpanKindServer))
	return r.WithContext(ctx), span
}

// Answered ends the span of a request. An empty route is one that nobody has.
// Names are those of the semantic conventions for HTTP.
func Answered(span trace.Span, route, method string, status int, https bool) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	shown := known(method)
	name := shown
	if shown == "_OTHER" {
		name = "HTTP"
	}
	scheme := "http"
	if https {
		scheme = "https"
	}
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", shown), attribute.String("url.scheme", scheme),
	}
	if route != "" {
		name += " " + route
		attributes = append(attributes, attribute.String("http.route", route))
	}
	if status != 0 {
		attributes = append(attributes, attribute.Int("http.response.status_code", status))
	}
	span.SetName(name)
	span.SetAttributes(attributes...)
	if status == 0 || status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
}

// known is the method, if HTTP has it.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
}

// Step begins a span of an act within a request, and returns what ends it.
// Outside of a trace it does nothing.
func (t *Tracer) Step(ctx context.Context, name string) (end func()) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return func() {}
	}
	_, span := t.tracer.Start(ctx, name)
	return func() { span.End() }
}
