package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// describe says what was measured where. Nothing in it names the machine.
func describe(ctx context.Context, program string, now time.Time) []fact {
	facts := []fact{
		{"date", now.UTC().Format(time.DateOnly)},
		{"commit", commit(ctx)},
		{"processor", fmt.Sprintf("%s, %d cores", processor(), processors)},
		{"memory", memory()},
		{"system", fmt.Sprintf("%s %s", runtime.GOOS, kernel())},
	}
	if load, ok := loadAverage(); ok {
		facts = append(facts, fact{"load before the run", busyness(load)})
	}
	if built, err := buildinfo.ReadFile(program); err == nil {
		facts = append(facts, fact{"Go", strings.TrimPrefix(built.GoVersion, "go")})
	}
	return facts
}

// loadAverage is how many processes wanted to run in the last minute.
func loadAverage() (float64, bool) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, false
	}
	first, _, _ := strings.Cut(string(text), " ")
	load, err := strconv.ParseFloat(first, 64)
	return load, err == nil
}

// busyness warns of a load that spoils the figures.
func busyness(load float64) string {
	if load > float64(processors)/2 {
		return fmt.Sprintf("%.1f: the processors were busy, so mind the spread", load)
	}
	return fmt.Sprintf("%.1f", load)
}

const unknown = "unknown"

// commit is what the working folder has checked out. The results of the
// benchmarks themselves do not count as changes.
func commit(ctx context.Context) string {
	name, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return unknown
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)docs/benchmarks.*").Output()
	if err != nil || len(changes) > 0 {
		return strings.TrimSpace(string(name)) + " with changes"
	}
	return strings.TrimSpace(string(name))
}

func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// memory is how much the machine has, part of which keeps the databases' pages.
func memory() string {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return unknown
	}
	var kib float64
	if _, err := fmt.Sscanf(string(text), "MemTotal: %f kB", &kib); err != nil {
		return unknown
	}
	return fmt.Sprintf("%.0f GB", kib*1024/1e9)
}

// kernel is the kernel's version without what its builder appended.
func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return unknown
	}
	version, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-")
	return version
}
