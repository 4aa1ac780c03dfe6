package main

import (
	"math"
	"strings"
	"testing"
	"testing/fstest"
)

const mib = 1 << 20

// systemOf is what a system says of its memory: files and their contents.
func systemOf(files ...string) fstest.MapFS {
	system := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:        8388608 kB\nMemFree:         1 kB\n")}}
	for i := 0; i < len(files); i += 2 {
		system[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return system
}

func TestMemoryLimit_Surroundings(t *testing.T) {
	const machine = 8192 * mib
	for _, test := range []struct {
		name   string
		system fstest.MapFS
		hashes int64
		want   int64
		source string
	}{
		{"the machine", systemOf(), 0, machine / 4 * 3, "the machine's memory of 8192 MiB"},
		{"less the hashes", systemOf(), 38 * mib, machine/4*3 - 38*mib, "the machine's memory"},
		{"nothing is known", fstest.MapFS{}, 0, 0, "neither"},
		{"meminfo is not what it should be", fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: many kB\n")}}, 0, 0, "neither"},
		{"version 2, its own namespace", systemOf("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "536870912\n"), 38 * mib, 512*mib/10*9 - 38*mib, "the container's limit of 512 MiB"},
		{"version 2, a unit of systemd", systemOf("proc/self/cgroup", "0::/system.slice/postern.service\n", "sys/fs/cgroup/system.slice/postern.service/memory.max", "1073741824\n"), 0, 1024 * mib / 10 * 9, "the container's limit of 1024 MiB"},
		{"version 2, the limit of a group above", systemOf("proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/memory.max", "536870912\n"), 0, 512 * mib / 10 * 9, "the container's"},
		{"version 2, throttled before the limit", systemOf("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "1073741824\n", "sys/fs/cgroup/memory.high", "536870912\n"), 0, 512 * mib / 10 * 9, "the container's"},
		{"version 2, the path of another namespace", systemOf("proc/self/cgroup", "0::/../../docker/abc\n", "sys/fs/cgroup/memory.max", "536870912\n"), 0, 512 * mib / 10 * 9, "the container's"},
		{"version 2, no limit", systemOf("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "max\n"), 0, machine / 4 * 3, "the machine's"},
		{"version 1", systemOf("proc/self/cgroup", "12:pids:/docker/abc\n9:cpu,memory:/docker/abc\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"), 0, 512 * mib / 10 * 9, "the container's"},
		{"version 1, no limit", systemOf("proc/self/cgroup", "9:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"), 0, machine / 4 * 3, "the machine's"},
		{"a limit above the machine's memory", systemOf("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "17179869184\n"), 0, machine / 4 * 3, "the machine's"},
		{"hashes leave half of a small container", systemOf("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "104857600\n"), 4096 * mib, 100 * mib / 10 * 9 / 2, "the container's"},
	} {
		got := chooseMemoryLimit(memoryLimit{}, "", math.MaxInt64, test.hashes, test.system)
		if diff := got.bytes - test.want; diff < -16 || diff > 16 || !strings.HasPrefix(got.source, test.source) {
			t.Errorf("%s: %d from %s, want %d from %s", test.name, got.bytes, got.source, test.want, test.source)
		}
	}
}

func TestMemoryLimit_WhatCounts(t *testing.T) {
	fixed := memoryLimit{fixed: true, bytes: 300 * mib}
	for _, test := range []struct {
		name       string
		set        memoryLimit
		goMemLimit string
		runtime    int64
		want       chosenLimit
	}{
		{"the setting before GOMEMLIMIT", fixed, "400MiB", 400 * mib, chosenLimit{300 * mib, "POSTERN_MEMORY_LIMIT"}},
		{"off", memoryLimit{fixed: true}, "400MiB", 400 * mib, chosenLimit{0, "POSTERN_MEMORY_LIMIT"}},
		{"GOMEMLIMIT before the machine", memoryLimit{}, "400MiB", 400 * mib, chosenLimit{400 * mib, "GOMEMLIMIT"}},
		{"GOMEMLIMIT is off", memoryLimit{}, "off", math.MaxInt64, chosenLimit{0, "GOMEMLIMIT"}},
	} {
		if got := chooseMemoryLimit(test.set, test.goMemLimit, test.runtime, 38*mib, systemOf()); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestMemoryLimit_Sizes(t *testing.T) {
	for text, want := range map[string]memoryLimit{
		"auto": {}, "AUTO": {}, "off": {fixed: true},
		"512MiB": {true, 512 * mib}, "512mib": {true, 512 * mib}, "512 MiB": {true, 512 * mib}, "512Mi": {true, 512 * mib},
		"2GiB": {true, 2048 * mib}, "1Ti": {true, 1 << 40}, "300MB": {true, 300e6}, "536870912": {true, 512 * mib}, "536870912B": {true, 512 * mib},
		"65536KiB": {true, 64 * mib},
	} {
		if got, err := parseMemoryLimit(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                     "must be auto, off or a size",
		"lots":                 "must be auto, off or a size",
		"MiB":                  "must be auto, off or a size",
		"-1MiB":                "must be auto, off or a size",
		"1.5GiB":               "must be auto, off or a size",
		"90%":                  "must be auto, off or a size",
		"512M":                 "must be auto, off or a size",
		"0":                    "must be at least 64MiB",
		"63MiB":                "must be at least 64MiB",
		"512":                  "must be at least 64MiB",
		"9999999TiB":           "is more than any machine has",
		"99999999999999999999": "is more than any machine has",
	} {
		if got, err := parseMemoryLimit(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %s", text, got, err, want)
		}
	}
}
