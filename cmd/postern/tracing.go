package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/postern-auth/postern"
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
	if err := checkProtocol(env); err != nil {
		return nil, err
	}
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		log.LogAttrs(ctx, slog.LevelWarn, "tracing", slog.Any("error", err))
	}))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("set up tracing: %w", err)
	}
	service, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "postern"), attribute.String("service.version", thisBuild().Version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("set up tracing: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(service))
	r.config.TracerProvider = provider
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSpans)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			log.LogAttrs(ctx, slog.LevelWarn, "the last traces are lost", slog.Any("error", err))
		}
	}, nil
}

func wantsTraces(env map[string]string) bool {
	if strings.EqualFold(env["OTEL_SDK_DISABLED"], "true") || env["OTEL_TRACES_EXPORTER"] == "none" {
		return false
	}
	return env["OTEL_EXPORTER_OTLP_ENDPOINT"] != "" || env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] != ""
}

// checkProtocol refuses what would send nothing, or something else than asked.
func checkProtocol(env map[string]string) error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		switch value := env[name]; value {
		case "":
			continue
		case "http/protobuf":
			return nil
		default:
			return &postern.ConfigError{Setting: name, Value: value, Problem: `must be "http/protobuf", the one protocol spoken here (port 4318 of most collectors)`}
		}
	}
	return nil
}
