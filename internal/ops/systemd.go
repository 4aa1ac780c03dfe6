package ops

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Systemd tells systemd how the service is, by sd_notify(3). Where nobody
// listens (NOTIFY_SOCKET is not set), it does nothing. The zero value works.
type Systemd struct{ Log *slog.Logger }

// Ready says that the start is over; Stopping, that the stop has begun.
func (s Systemd) Ready(ctx context.Context)    { s.notify(ctx, daemon.SdNotifyReady) }
func (s Systemd) Stopping(ctx context.Context) { s.notify(ctx, daemon.SdNotifyStopping) }

// notify can't do more about a failure than say so.
func (s Systemd) notify(ctx context.Context, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "systemd not notified", slog.String("state", state), slog.Any("error", err))
	}
}

// Watchdog gives systemd a sign of life, twice as often as the unit's
// WatchdogSec= asks for, as long as the service is healthy; until ctx ends.
// Without WatchdogSec= it returns at once.
func (s Systemd) Watchdog(ctx context.Context, healthy func(context.Context) error) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "no signs of life for systemd's watchdog", slog.Any("error", err))
	}
	if interval <= 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		if err := healthy(ctx); err == nil {
			s.notify(ctx, daemon.SdNotifyWatchdog)
		} else if ctx.Err() == nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "no sign of life for systemd's watchdog", slog.Any("error", err))
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
