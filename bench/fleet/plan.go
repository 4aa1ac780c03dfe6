package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// inputs is what a plan is made from. The comments of inputFields say what
// each is, and where its default is from.
type inputs struct {
	users, checks                         float64
	rate, skew                            float64
	logins, age, peak, registers, changes float64
	cores, busy, nodes                    float64
	warm, cold, login                     float64
	entry, session, user                  float64
	request, answer, news, read           float64
	reads, rows, disk, pool, cellNews     float64
}

// origin says what an input rests on.
type origin string

const (
	measured origin = "measured"
	assumed  origin = "assumed"
)

// field is an input: its flag, and what the tables call it.
type field struct {
	flag, usage string
	origin      origin
	least       float64
	of          func(*inputs) *float64
}

var inputFields = []field{
	{"users", "users", assumed, 1, func(i *inputs) *float64 { return &i.users }},
	{"checks", "checks a second at the peak", assumed, 1, func(i *inputs) *float64 { return &i.checks }},
	{"rate", "checks a second of a session in use", assumed, 1e-6, func(i *inputs) *float64 { return &i.rate }},
	{"skew", "how unlike sessions are: the deviation of the logarithms of their rates", assumed, 0, func(i *inputs) *float64 { return &i.skew }},
	{"logins", "logins of a user a day", assumed, 0, func(i *inputs) *float64 { return &i.logins }},
	{"age", "days that a session lives (SESSION_COOKIE_AGE)", assumed, 1e-3, func(i *inputs) *float64 { return &i.age }},
	{"registers", "registrations a day for each user", assumed, 0, func(i *inputs) *float64 { return &i.registers }},
	{"changes", "password changes and the like of a user a day", assumed, 0, func(i *inputs) *float64 { return &i.changes }},
	{"peak", "logins at the peak, to those of the mean", assumed, 1, func(i *inputs) *float64 { return &i.peak }},
	{"cores", "cores of a node", assumed, 1, func(i *inputs) *float64 { return &i.cores }},
	{"busy", "share of them that is busy at the peak", assumed, 0.01, func(i *inputs) *float64 { return &i.busy }},
	{"nodes", "nodes, 0 for as many as the processor time needs", assumed, 0, func(i *inputs) *float64 { return &i.nodes }},
	{"warm", "checks a second that a core answers from memory", measured, 1, func(i *inputs) *float64 { return &i.warm }},
	{"cold", "microseconds of a core more for a check that reads the store", measured, 0, func(i *inputs) *float64 { return &i.cold }},
	{"login", "milliseconds of a core for the password of a login or a registration", measured, 0, func(i *inputs) *float64 { return &i.login }},
	{"entry", "bytes of a remembered session", measured, 1, func(i *inputs) *float64 { return &i.entry }},
	{"session", "bytes of a stored session with its indexes, as in SQLite", measured, 1, func(i *inputs) *float64 { return &i.session }},
	{"user", "bytes of a stored user with its indexes, as in SQLite", measured, 1, func(i *inputs) *float64 { return &i.user }},
	{"request", "bytes of a browser's request for a check", assumed, 1, func(i *inputs) *float64 { return &i.request }},
	{"answer", "bytes of the answer", measured, 1, func(i *inputs) *float64 { return &i.answer }},
	{"news-bytes", "bytes of a piece of news on its way to a node", assumed, 1, func(i *inputs) *float64 { return &i.news }},
	{"read", "bytes of a read of the store, both ways", assumed, 1, func(i *inputs) *float64 { return &i.read }},
	{"reads", "reads a second that a database is given", assumed, 1, func(i *inputs) *float64 { return &i.reads }},
	{"rows", "rows a second that a database writes", assumed, 1, func(i *inputs) *float64 { return &i.rows }},
	{"disk", "gigabytes that a database is given", assumed, 0.1, func(i *inputs) *float64 { return &i.disk }},
	{"pool", "connections of a node to each database", assumed, 1, func(i *inputs) *float64 { return &i.pool }},
	{"cell-news", "news a second within a cell", assumed, 1, func(i *inputs) *float64 { return &i.cellNews }},
}

// tenMillion and billion are the two plans of docs/scaling.md.
var (
	tenMillion = inputs{
		users: 10e6, checks: 100e3, rate: 0.1, skew: 1,
		logins: 0.1, age: 14, peak: 3, registers: 0.001, changes: 0.001,
		cores: 16, busy: 0.5,
		warm: 20_000, cold: 96, login: 15.4,
		entry: 390, session: 448, user: 207,
		request: 700, answer: 376, news: 150, read: 1000,
		reads: 20_000, rows: 5000, disk: 1000, pool: 8, cellNews: 1000,
	}
	billion = func() inputs {
		i := tenMillion
		i.users, i.checks = 1e9, 10e6
		return i
	}()
)

func (f field) set(i *inputs, text string) error {
	value, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("%q is no number", text)
	}
	*f.of(i) = value
	return nil
}

// largest keeps every figure of a plan a number that can be written.
const largest = 1e15

func (i inputs) validate() error {
	for _, f := range inputFields {
		if value := *f.of(&i); !(value >= f.least && value <= largest) { // or it is no number
			return fmt.Errorf("-%s must be %s to %g", f.flag, short(f.least), largest)
		}
	}
	switch {
	case i.busy > 1:
		return fmt.Errorf("-busy must be at most 1")
	case i.skew > 4:
		return fmt.Errorf("-skew must be at most 4")
	}
	return nil
}

const day = 86_400

// plan is what a fleet needs at its peak. Rates are those of a second.
type plan struct {
	inUse, stored                  float64 // sessions
	logins, registrations, news    float64
	cells                          float64
	sticky, random                 balance
	warmCores, coldCores, logCores float64
	nodes                          float64
	touches, rows                  float64
	byReads, byRows, byDisk        float64 // databases
	sessionDisk, userDisk          float64 // bytes
	entries                        float64 // in the memory of a node
}

// balance is how checks fare in one way to balance.
type balance struct{ hitRate, reads float64 }

// sampleSize is how many sessions stand for all in the formulas.
const sampleSize = 10_000

// draw makes a plan.
func (i inputs) draw() plan {
	rates := ratesOf(scene{followed: sampleSize, rate: i.rate, skew: i.skew})
	p := plan{
		inUse:         i.checks / i.rate,
		stored:        i.users * i.logins * i.age,
		logins:        i.users * i.logins * i.peak / day,
		registrations: i.users * i.registers * i.peak / day,
	}
	// As many sessions end as begin, and every end is news.
	ends := p.logins + p.registrations
	p.news = ends + i.users*i.changes*i.peak/day
	p.cells = max(1, math.Ceil(p.news/i.cellNews))
	life := lifetime(p.news/p.cells, int(max(1, p.inUse/p.cells)))
	p.sticky = i.fare(expectedHitRate(rates, 1, life))

	p.warmCores = i.checks / i.warm
	p.coldCores = p.sticky.reads * i.cold / 1e6
	p.logCores = (p.logins + p.registrations) * i.login / 1e3
	p.nodes = i.nodes
	if p.nodes == 0 {
		// One more than needed in each cell, so that one may be away.
		need := (p.warmCores + p.coldCores + p.logCores) / i.busy / i.cores
		p.nodes = p.cells * max(3, math.Ceil(need/p.cells)+1)
	}
	perCell := max(1, int(math.Round(p.nodes/p.cells)))
	p.random = i.fare(expectedHitRate(rates, perCell, life))
	p.entries = p.inUse / p.nodes

	p.touches = expectedTouches(rates) * p.inUse / sampleSize
	// A login writes a session and the user's last login, its end removes it,
	// a registration writes a user and a session.
	p.rows = p.touches + 2*p.logins + ends + 2*p.registrations
	p.sessionDisk, p.userDisk = p.stored*i.session, i.users*i.user
	p.byReads = math.Ceil(p.sticky.reads / i.reads)
	p.byRows = math.Ceil(p.rows / i.rows)
	p.byDisk = math.Ceil((p.sessionDisk + p.userDisk) / (i.disk * 1e9))
	return p
}

func (i inputs) fare(hitRate float64) balance { return balance{hitRate, i.checks * (1 - hitRate)} }

// databases is how many there must be.
func (p plan) databases() float64 { return max(p.byReads, p.byRows, p.byDisk, p.cells) }

// row is a line of a plan's table.
type row struct {
	name  string
	value func(inputs, plan) string
}

// number makes the value of a row from a number.
func number(of func(inputs, plan) float64) func(inputs, plan) string {
	return func(i inputs, p plan) string { return short(of(i, p)) }
}

var planRows = []row{
	{"sessions in use at the peak: checks / rate", number(func(_ inputs, p plan) float64 { return p.inUse })},
	{"sessions stored at most: users × logins × age", number(func(_ inputs, p plan) float64 { return p.stored })},
	{"logins a second at the peak", number(func(_ inputs, p plan) float64 { return p.logins })},
	{"registrations a second at the peak", number(func(_ inputs, p plan) float64 { return p.registrations })},
	{"news a second at the peak", number(func(_ inputs, p plan) float64 { return p.news })},
	{"cells, so that none has more news than it is given", number(func(_ inputs, p plan) float64 { return p.cells })},
	{"**nodes**, one to spare in each cell", number(func(_ inputs, p plan) float64 { return p.nodes })},
	{"cores busy with checks from memory", number(func(_ inputs, p plan) float64 { return p.warmCores })},
	{"cores busy with reading the store, more", number(func(_ inputs, p plan) float64 { return p.coldCores })},
	{"cores busy with passwords", number(func(_ inputs, p plan) float64 { return p.logCores })},
	{"recalled, each session at a node of its own", func(_ inputs, p plan) string { return percent(p.sticky.hitRate) }},
	{"store reads a second, so", number(func(_ inputs, p plan) float64 { return p.sticky.reads })},
	{"recalled, balanced at random within the cell", func(_ inputs, p plan) string { return percent(p.random.hitRate) }},
	{"store reads a second, so", number(func(_ inputs, p plan) float64 { return p.random.reads })},
	{"sessions to remember at a node, evenly spread", number(func(_ inputs, p plan) float64 { return p.entries })},
	{"memory for them at each node", func(i inputs, p plan) string { return bytesText(p.entries * i.entry) }},
	{"last-seen rows written a second, at least", number(func(_ inputs, p plan) float64 { return p.touches })},
	{"rows written a second, with those of logins and ends", number(func(_ inputs, p plan) float64 { return p.rows })},
	{"sessions on disk, as in SQLite", func(_ inputs, p plan) string { return bytesText(p.sessionDisk) }},
	{"users on disk, as in SQLite", func(_ inputs, p plan) string { return bytesText(p.userDisk) }},
	{"databases for the reads", number(func(_ inputs, p plan) float64 { return p.byReads })},
	{"databases for the rows written", number(func(_ inputs, p plan) float64 { return p.byRows })},
	{"databases for the disk", number(func(_ inputs, p plan) float64 { return p.byDisk })},
	{"**databases**: the most of these, at least one a cell", number(func(_ inputs, p plan) float64 { return p.databases() })},
	{"connections, if a node has a pool for each database of its cell", number(func(i inputs, p plan) float64 { return p.nodes * i.pool * math.Ceil(p.databases()/p.cells) })},
	{"of these to one database", number(func(i inputs, p plan) float64 { return p.nodes / p.cells * i.pool })},
	{"news a second to send within a cell: news × nodes", number(func(_ inputs, p plan) float64 { return p.news / p.cells * p.nodes / p.cells })},
	{"the same without cells", number(func(_ inputs, p plan) float64 { return p.news * p.nodes })},
	{"network for news out of the engines of a cell", func(i inputs, p plan) string { return bits(p.news / p.cells * p.nodes / p.cells * i.news) }},
	{"network for news into a node", func(i inputs, p plan) string { return bits(p.news / p.cells * i.news) }},
	{"network for checks, in", func(i inputs, _ plan) string { return bits(i.checks * i.request) }},
	{"network for checks, out", func(i inputs, _ plan) string { return bits(i.checks * i.answer) }},
	{"network for checks of a node, out", func(i inputs, p plan) string { return bits(i.checks * i.answer / p.nodes) }},
	{"network between nodes and databases, reads", func(i inputs, p plan) string { return bits(p.sticky.reads * i.read) }},
	{"reads a second after an outage of all news: every check", number(func(i inputs, _ plan) float64 { return i.checks })},
	{"databases that would take for it", number(func(i inputs, _ plan) float64 { return math.Ceil(i.checks / i.reads) })},
}

// inputsTable says what plans rest on, a column each.
func inputsTable(all []inputs) string {
	b := newGrid(all, "input", "flag", "")
	for _, f := range inputFields {
		cells := []string{f.usage, "`-" + f.flag + "`", string(f.origin)}
		for _, i := range all {
			cells = append(cells, short(*f.of(&i)))
		}
		b.line(cells...)
	}
	return b.String()
}

// plansTable says what comes of them.
func plansTable(all []inputs) string {
	plans := make([]plan, len(all))
	for n, i := range all {
		plans[n] = i.draw()
	}
	b := newGrid(all, "at the peak")
	for _, r := range planRows {
		cells := []string{r.name}
		for n, i := range all {
			cells = append(cells, r.value(i, plans[n]))
		}
		b.line(cells...)
	}
	return b.String()
}

// grid is a table with a column for each plan after the first ones.
type grid struct{ strings.Builder }

func newGrid(all []inputs, first ...string) *grid {
	b := &grid{}
	rule := strings.Repeat("|---", len(first)) + strings.Repeat("|--:", len(all)) + "|\n"
	for _, i := range all {
		first = append(first, short(i.users)+" users")
	}
	b.line(first...)
	b.WriteString(rule)
	return b
}

func (b *grid) line(cells ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }
