package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// lastSpans is how long a stop waits for the last spans to be taken.
const lastSpans = 3 * time.Second

// trace has the server make traces and send them away, when one of
// OpenTelemetry's own variables names an endpoint
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). The variables
// are read by its library, but for those that choose what it has no choice
// of. The function returned sends what is left.
func (r *resolved) trace(ctx context.Context, env map[string]string, log *slog.Logger) (end func(), err error) {
	if !wantsTraces(env) {
		return func() {}, nil
	}
	hide := hiderOfTracing(env)
	otel.SetLogger(logr.FromSlogHandler(quietHandler{log.Handler()}))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.LogAttrs(ctx, slog.LevelWarn, "traces were not sent; look at the collector and the OTEL_… variables", slog.String("error", hide.Replace(err.Error())))
	}))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, errors.New("set up tracing: " + hide.Replace(err.Error()))
	}
	service, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "postern"), attribute.String("service.version", thisBuild().Version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, errors.New("set up tracing: " + hide.Replace(err.Error()))
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(service))
	r.config.TracerProvider = provider
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.LogAttrs(ctx, slog.LevelWarn, "the last traces are lost", slog.String("error", hide.Replace(err.Error())))
		}
	}, nil
}

func wantsTraces(env map[string]string) bool {
	if strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") || env["OTEL_TRACES_EXPORTER"] == "none" {
		return false
	}
	return env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" || env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != ""
}
