package ops

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ProfilePath is where the profiles are.
const ProfilePath = "/debug/pprof/"

// The length of a CPU profile or an execution trace; the longest must end
// before the server gives up writing its answer.
const (
	defaultProfile = 30 * time.Second
	longestProfile = 50 * time.Second
)

// Profiles answers "go tool pprof" and "go tool trace". net/http/pprof does
// too, but whoever imports it opens its profiles on http.DefaultServeMux: a
// program that mounts this server must not find them on a listener of its own.
func Profiles(w http.ResponseWriter, r *http.Request) {
	if !isRead(w, r) {
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	switch name := strings.TrimPrefix(r.URL.Path, ProfilePath); name {
	case "":
		listProfiles(w)
	case "profile":
		record(w, r, "profile", func() error { return pprof.StartCPUProfile(w) }, pprof.StopCPUProfile)
	case "trace":
		record(w, r, "trace", func() error { return trace.Start(w) }, trace.Stop)
	default:
		snapshot(w, r, name)
	}
}

// listProfiles names what there is, in plain text.
func listProfiles(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	names := []string{"profile", "trace"}
	for _, p := range pprof.Profiles() {
		names = append(names, p.Name())
	}
	slices.Sort(names)
	fmt.Fprintln(w, strings.Join(names, "\n"))
}

// record answers what is written between start and stop.
func record(w http.ResponseWriter, r *http.Request, name string, start func() error, stop func()) {
	length := defaultProfile
	if text := r.FormValue("seconds"); text != "" {
		seconds, err := strconv.ParseFloat(text, 64)
		if err != nil || seconds <= 0 || seconds > longestProfile.Seconds() {
			http.Error(w, fmt.Sprintf("seconds must be more than 0 and at most %g", longestProfile.Seconds()), http.StatusBadRequest)
			return
		}
		length = time.Duration(seconds * float64(time.Second))
	}
	attach(w, name)
	if err := start(); err != nil {
		w.Header().Del("Content-Disposition")
		http.Error(w, "another profile of the kind is being made", http.StatusConflict)
		return
	}
	defer stop()
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// snapshot answers a profile of what has been up to now; "debug" asks for
// text, "gc" for a collection of garbage before.
func snapshot(w http.ResponseWriter, r *http.Request, name string) {
	profile := pprof.Lookup(name)
	if profile == nil {
		http.Error(w, "there is no such profile", http.StatusNotFound)
		return
	}
	debug, _ := strconv.Atoi(r.FormValue("debug"))
	if debug == 0 {
		attach(w, name)
	} else {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	if gc, _ := strconv.Atoi(r.FormValue("gc")); gc > 0 && name == "heap" {
		runtime.GC()
	}
	_ = profile.WriteTo(w, debug) // a reader that hung up needs no answer
}

func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}
