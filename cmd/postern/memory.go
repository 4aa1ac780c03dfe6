package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// leastMemoryLimit is the smallest limit that a server can work with.
const leastMemoryLimit = 64 << 20

// memoryLimit is what the setting MEMORY_LIMIT says.
type memoryLimit struct {
	fixed bool
	bytes int64 // when it is fixed; 0 for no limit
}

// chosenLimit is the memory that the garbage collector keeps the server under.
type chosenLimit struct {
	bytes  int64  // 0: no limit
	source string // what it was taken from, for people
}

// chooseMemoryLimit decides how much memory the Go runtime may take: what the
// setting says, or GOMEMLIMIT, or nine tenths of the container's limit, or
// three quarters of the machine's memory; of these two the memory of password
// hashes is taken off, which is not the runtime's.
func chooseMemoryLimit(set memoryLimit, goMemLimit string, runtimeLimit, hashes int64, system fs.FS) chosenLimit {
	switch {
	case set.fixed:
		return chosenLimit{set.bytes, envPrefix + "MEMORY_LIMIT"}
	case goMemLimit != "" && runtimeLimit == math.MaxInt64:
		return chosenLimit{0, "GOMEMLIMIT"}
	case goMemLimit != "":
		return chosenLimit{runtimeLimit, "GOMEMLIMIT"}
	}
	machine, container := machineMemory(system), containerMemory(system)
	switch {
	case container > 0 && (machine == 0 || container < machine):
		return chosenLimit{lessHashes(container/10*9, hashes), "the container's limit of " + mebibytes(container)}
	case machine > 0:
		return chosenLimit{lessHashes(machine/4*3, hashes), "the machine's memory of " + mebibytes(machine)}
	}
	return chosenLimit{0, "neither a container nor the machine says how much memory there is"}
}

// lessHashes takes the memory of hashes off, but no more than half.
func lessHashes(memory, hashes int64) int64 { return memory - min(hashes, memory/2) }

// String is the limit for a line of the log or of a report.
func (c chosenLimit) String() string {
	if c.bytes == 0 {
		return "none"
	}
	return mebibytes(c.bytes)
}

func mebibytes(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

// memoryLimit is what the settings and the surroundings of this run come to.
func (r *resolved) memoryLimit() chosenLimit {
	p := &r.config.Passwords
	workers := p.Workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	goMemLimit := environment(r.bound.program.environ)["GOMEMLIMIT"]
	return chooseMemoryLimit(r.memory, goMemLimit, debug.SetMemoryLimit(-1), int64(workers)*int64(p.Argon2MemoryKiB)<<10, os.DirFS("/"))
}

// limitMemory sets the limit and logs it. The heap floor, which counts for the
// runtime and takes no memory, comes on top.
func (r *resolved) limitMemory(ctx context.Context, log *slog.Logger) {
	chosen := r.memoryLimit()
	limit := int64(math.MaxInt64)
	if chosen.bytes > 0 && chosen.bytes < math.MaxInt64-heapFloor {
		limit = chosen.bytes + heapFloor
	}
	debug.SetMemoryLimit(limit)
	log.LogAttrs(ctx, slog.LevelInfo, "memory limit", slog.String("limit", chosen.String()), slog.String("from", chosen.source))
}

// machineMemory is the memory of the machine in bytes, 0 if nothing says so.
func machineMemory(system fs.FS) int64 {
	text, err := fs.ReadFile(system, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "MemTotal:" && words[2] == "kB" {
			kib, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil || kib < 0 || kib > math.MaxInt64>>10 {
				return 0
			}
			return kib << 10
		}
	}
	return 0
}

// containerMemory is the least limit of this process' control groups in
// bytes, 0 for none: cgroups(7), of both versions.
func containerMemory(system fs.FS) int64 {
	text, err := fs.ReadFile(system, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(0)
	consider := func(root, group string, files ...string) {
		// A container may see its own group as the root: then the path is that
		// of another namespace, and its folders are not there.
		for at := path.Clean("/" + group); ; at = path.Dir(at) {
			for _, file := range files {
				if n := groupLimit(system, path.Join(root, at, file)); n > 0 && (least == 0 || n < least) {
					least = n
				}
			}
			if at == "/" {
				return
			}
		}
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) != 3:
		case parts[0] == "0" && parts[1] == "":
			consider("sys/fs/cgroup", parts[2], "memory.max", "memory.high")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			consider("sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
	}
	return least
}

// groupLimit reads a limit in bytes; 0 for "max" and for none.
func groupLimit(system fs.FS, file string) int64 {
	text, err := fs.ReadFile(system, file)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// memoryUnits are the units of a size, as GOMEMLIMIT, Kubernetes and others
// write them.
var memoryUnits = map[string]int64{
	"": 1, "B": 1,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	"KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30, "TI": 1 << 40,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

// parseMemoryLimit takes "auto", "off" and sizes.
func parseMemoryLimit(s string) (memoryLimit, error) {
	switch strings.ToLower(s) {
	case "auto":
		return memoryLimit{}, nil
	case "off":
		return memoryLimit{fixed: true}, nil
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	unit, known := memoryUnits[strings.ToUpper(strings.TrimSpace(s[digits:]))]
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	switch {
	case err != nil && !errors.Is(err, strconv.ErrRange), !known:
		return memoryLimit{}, errors.New(`must be auto, off or a size, such as "512MiB" or "2GiB"`)
	case err != nil, n > math.MaxInt64/unit:
		return memoryLimit{}, errors.New("is more than any machine has")
	case n*unit < leastMemoryLimit:
		return memoryLimit{}, fmt.Errorf("must be at least %dMiB; off sets no limit", leastMemoryLimit>>20)
	}
	return memoryLimit{fixed: true, bytes: n * unit}, nil
}
