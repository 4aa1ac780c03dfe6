// Package browsertest opens pages in Debian's Chromium, for tests. Whatever a
// page complains about in its console, a violation of its policy, a request to
// another host or an asset that is missing fails the test that opened it.
package browsertest

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a step of a test may take at most.
const patience = 30 * time.Second

// Browser is a running Chromium.
type Browser struct{ ctx context.Context }

// shared is the one Chromium of a test program: each tab has cookies of its
// own, and starting one costs more than most tests.
var shared struct {
	mu      sync.Mutex
	browser *Browser
	stop    func()
}

// End ends the browser, if a test has started it; for TestMain.
func End() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.browser != nil {
		shared.stop()
	}
}

// Start returns the browser, which the first test starts, and End ends.
func Start(t testing.TB) *Browser {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.browser == nil {
		shared.browser, shared.stop = start(t)
	}
	return shared.browser
}

func start(t testing.TB) (browser *Browser, stop func()) {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("this test needs Chromium: install Debian's package chromium (make test does), or put the program chromium on the path")
	}
	folder, err := os.MkdirTemp("", "postern-chromium-")
	if err != nil {
		t.Fatal(err)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(program), chromedp.Headless, chromedp.DisableGPU, chromedp.NoSandbox, chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck, chromedp.WindowSize(1200, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-renderer-backgrounding", true), chromedp.Flag("disable-backgrounding-occluded-windows", true),
		chromedp.Flag("disable-background-timer-throttling", true), // tests run side by side
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.UserDataDir(folder),
	)
	ctx, cancel := chromedp.NewContext(allocator)
	stop = func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		end()
		_ = os.RemoveAll(folder)
	}
	if err := chromedp.Do(ctx); err != nil {
		stop()
		t.Fatalf("start Chromium: %v", err)
	}
	return &Browser{ctx: ctx}, stop
}

// Tab is one page of a person of its own: tabs share no cookies.
type Tab struct {
	t    testing.TB
	ctx  context.Context
	base string

	mu         sync.Mutex
	complaints []string
	hosts      map[string]bool
}

// Person opens a tab with cookies of its own. Paths are under base, such as
// "http://127.0.0.1:8000".
func (b *Browser) Person(t testing.TB, base string) *Tab {
	t.Helper()
	tab := &Tab{t: t, base: base, hosts: make(map[string]bool)}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext(), chromedp.WithListener(tab.notice))
	tab.ctx = ctx
	// The tab lives as long as the context of its first step.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	tab.do(chromedp.EmulateViewport(1200, 900))
	t.Cleanup(func() {
		tab.verdict()
		cancel()
	})
	return tab
}

// notice writes down what a page must not do.
func (p *Tab) notice(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		// An answer of 4xx is an answer; what is missing comes as a response.
		if e.Entry.Source != log.EntrySourceNetwork && e.Entry.Level != log.EntryLevelVerbose {
			p.complain("%s: %s", e.Entry.Source, e.Entry.Text)
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			p.complain("console.%s", e.Type)
		}
	case *runtime.EventExceptionThrown:
		p.complain("exception: %s", e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "data" && u.Scheme+"://"+u.Host != p.base {
			p.complain("a request to another host: %s", u.Host)
		}
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 && e.Type != network.ResourceTypeDocument && e.Type != network.ResourceTypeFetch {
			p.complain("%s answered %d", e.Response.URL, e.Response.Status)
		}
	}
}

func (p *Tab) complain(format string, args ...any) {
	p.complaints = append(p.complaints, fmt.Sprintf(format, args...))
}

func (p *Tab) verdict() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.complaints {
		p.t.Errorf("the browser complains: %s", c)
	}
}

// TakeComplaints returns what the page was blamed for so far, and forgives it.
func (p *Tab) TakeComplaints() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.complaints
	p.complaints = nil
	return taken
}

func (p *Tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.fail(err)
	}
}

// fail ends the test with a picture of what the page showed.
func (p *Tab) fail(err error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText.slice(0, 3000)`))
	p.t.Fatalf("%v; the page is %s", err, text)
}

// Open goes to a path and returns the status of the answer.
func (p *Tab) Open(path string) int {
	p.t.Helper()
	return p.navigate(chromedp.Navigate(p.base + path))
}

// Follow clicks what leads to another page, and returns its status.
func (p *Tab) Follow(selector string) int {
	p.t.Helper()
	return p.navigate(chromedp.Click(chromedp.CSS(selector)))
}

func (p *Tab) navigate(step chromedp.Action[chromedp.Void]) int {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	answer, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		p.fail(err)
	}
	if answer == nil {
		return 0
	}
	return int(answer.Status)
}

// Click clicks what stays on the page.
func (p *Tab) Click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// Fill types a text into a field in place of what is there.
func (p *Tab) Fill(selector, text string) {
	p.t.Helper()
	p.Set(selector, "")
	if text != "" {
		p.do(chromedp.SendKeys(chromedp.CSS(selector), text))
	}
}

// Set sets a field's value as a script does, for lists and dates.
func (p *Tab) Set(selector, value string) {
	p.t.Helper()
	p.do(chromedp.WaitReady(chromedp.CSS(selector)))
	Eval[bool](p, "document.querySelector("+quote(selector)+").value = "+quote(value)+"; true")
}

// Press sends keys to what has the focus.
func (p *Tab) Press(keys string) {
	p.t.Helper()
	p.do(chromedp.SendKeys(chromedp.CSS(":focus"), keys))
}

// Text returns the visible text of the first element that the selector finds.
func (p *Tab) Text(selector string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		p.fail(fmt.Errorf("text of %s: %w", selector, err))
	}
	return text
}

// Has reports whether the selector finds anything now.
func (p *Tab) Has(selector string) bool {
	p.t.Helper()
	return Eval[bool](p, "document.querySelector("+quote(selector)+") !== null")
}

// WaitText waits until the page's text has want in it.
func (p *Tab) WaitText(want string) {
	p.t.Helper()
	p.WaitFor("document.body.innerText.includes(" + quote(want) + ")")
}

// WaitFor waits until an expression of JavaScript is true, on the page that is
// open or on one that takes its place meanwhile.
func (p *Tab) WaitFor(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](expression))
		switch {
		case err == nil:
			return
		case ctx.Err() != nil || !pageWasReplaced(err):
			p.fail(fmt.Errorf("wait for %s: %w", expression, err))
		}
	}
}

// pageWasReplaced reports whether an expression had no answer because its page
// went away as it was asked.
func pageWasReplaced(err error) bool {
	for _, said := range []string{"Cannot find context", "Execution context was destroyed", "Inspected target navigated"} {
		if strings.Contains(err.Error(), said) {
			return true
		}
	}
	return false
}

// Path is that of the page now open, with its query.
func (p *Tab) Path() string {
	p.t.Helper()
	return Eval[string](p, "location.pathname + location.search")
}

// Eval evaluates an expression of JavaScript in the page.
func Eval[T any](p *Tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.fail(fmt.Errorf("evaluate %.80s: %w", expression, err))
	}
	return value
}

// Look sets the scheme of colours, "light" or "dark", and the width of the
// page in CSS pixels.
func (p *Tab) Look(scheme string, width int64) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		p.fail(err)
	}
	p.do(chromedp.EmulateViewport(width, 900))
}

// tallest is how much of a page's height a picture shows, in CSS pixels: a
// list goes on as it begins.
const tallest = 2000

// Screenshot keeps a picture of the page as NAME.png in the folder that
// POSTERN_SCREENSHOTS names; without it none is made.
func (p *Tab) Screenshot(name string) {
	p.t.Helper()
	folder := os.Getenv("POSTERN_SCREENSHOTS")
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	size := Eval[[2]float64](p, "[document.documentElement.clientWidth, document.documentElement.scrollHeight]")
	yes := true
	picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &yes, OptimizeForSpeed: &yes,
		Clip: &page.Viewport{Width: size[0], Height: min(size[1], tallest), Scale: 1},
	})
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), picture.Data, 0o644)
	}
	if err != nil {
		p.t.Fatalf("screenshot %s: %v", name, err)
	}
}

// axe-core 4.14.1, by Deque Systems, under MPL 2.0: testdata/axe.LICENSE.
//
//go:embed testdata/axe.min.js
var axe string

// finding is one rule that axe saw broken.
type finding struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

const (
	// everyRule is WCAG 2.2 AA and axe's best practices.
	everyRule = `['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']`
	// colourRules are what can differ between light and dark: the stylesheet
	// changes colours between them, and nothing else.
	colourRules = `{type: 'rule', values: ['color-contrast', 'link-in-text-block']}`
)

// Accessible fails the test if axe finds anything against WCAG 2.2 AA or its
// best practices on the page as it is now.
func (p *Tab) Accessible() {
	p.t.Helper()
	p.findNothing(everyRule)
}

// findNothing fails the test if axe finds anything against the rules.
func (p *Tab) findNothing(rules string) {
	p.t.Helper()
	if !Eval[bool](p, "'axe' in window") {
		Eval[bool](p, axe+"; true")
	}
	found := Eval[string](p, `axe.run(document, {resultTypes: ['violations'], runOnly: `+rules+`}).then(r => JSON.stringify(r.violations))`)
	var violations []finding
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		p.t.Fatalf("what axe says: %v", err)
	}
	for _, v := range violations {
		for _, n := range v.Nodes {
			p.t.Errorf("%s: axe %s (%s): %s %s", p.Path(), v.ID, v.Help, n.HTML, strings.ReplaceAll(n.Summary, "\n", " "))
		}
	}
}

// wide lists what scrolls sideways on the page, "" for nothing.
const wide = `[document.documentElement, ...document.querySelectorAll('main *')]
	.filter(e => e.scrollWidth > e.clientWidth + 1 && (e === document.documentElement || ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)))
	.map(e => e.tagName + '.' + e.className + ' by ' + (e.scrollWidth - e.clientWidth)).join(', ')`

// Inspect looks at the page as a whole: it is accessible in light and dark, a
// phone and a zoom of 200 % show all of it without scrolling sideways, nor is
// anything on it cut off, and a picture is kept of each.
func (p *Tab) Inspect(name string) {
	p.t.Helper()
	p.Look("light", 1200)
	p.Accessible()
	p.Screenshot(name + "-light")
	p.Look("dark", 1200)
	p.findNothing(colourRules)
	p.Screenshot(name + "-dark")
	p.Fits(name + "-narrow")
	p.Look("light", 1200)
}

// Fits fails the test if anything on the page has to be scrolled sideways at a
// zoom of 200 % or on a phone, and keeps a picture of the phone.
func (p *Tab) Fits(name string) {
	p.t.Helper()
	for _, width := range []int64{600, 320} {
		p.Look("light", width)
		if over := Eval[string](p, wide); over != "" {
			p.t.Errorf("%s: at %d pixels one has to scroll sideways: %s", p.Path(), width, over)
		}
	}
	p.Screenshot(name)
}

// Speak has the browser ask for pages in a language.
func (p *Tab) Speak(tag string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": tag}})
	if err != nil {
		p.fail(err)
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s) // a string always marshals
	return string(b)
}
