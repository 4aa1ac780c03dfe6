package recall

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/auth"
)

// The fleet is several nodes, each with a memory, over one engine that tells
// its listeners what was committed, in the order of the commits
// (PostgreSQL's NOTIFY, a Redis server's PUBLISH). A connection that listens
// may go deaf without anyone noticing, and what it was not told is lost. A
// node pings itself through the engine; it notices a lost connection some
// time later, connects anew and forgets everything. The property: a node
// recalls nothing older than what it acknowledged itself, or than what any node acknowledged
// longer than MaxSilence ago.
const (
	fleetNodes    = 2
	fleetSessions = 4
	fleetSteps    = 300
)

type fleet struct {
	now     time.Time
	version [modelSessions]int // in the engine
	// promised is what nobody may fall behind.
	promised [modelSessions]int
	recent   []foreignWrite // acknowledged, not yet binding for other nodes
	nodes    [fleetNodes]*fleetNode
	recalled int
	deafened int
}

type fleetNode struct {
	memory    *Memory
	heartbeat func(time.Time)
	// acknowledged is what this node itself may not fall behind.
	acknowledged [modelSessions]int
	// queue is on its way to the node; deaf says that nothing gets into it
	// any more.
	queue  []told
	deaf   bool
	pings  []time.Time // asked for, not yet committed
	checks []*check
	writes []*write
}

// told is what an engine tells a listener: news, or a ping of its own.
type told struct {
	news auth.News
	ping time.Time // zero: news
}

func newFleet() *fleet {
	f := &fleet{now: time.Unix(1_800_000_000, 0)}
	for i := range f.nodes {
		n := &fleetNode{memory: New(1<<10, func() time.Time { return f.now })}
		n.heartbeat = n.memory.Listen("the engine")
		n.heartbeat(f.now)
		f.nodes[i] = n
	}
	return f
}

func (f *fleet) node(t *rapid.T) *fleetNode {
	return f.nodes[rapid.IntRange(0, fleetNodes-1).Draw(t, "node")]
}

func (f *fleet) bind() {
	for len(f.recent) > 0 && f.now.Sub(f.recent[0].at) > MaxSilence {
		f.promise(f.recent[0].needs)
		f.recent = f.recent[1:]
	}
}

func (f *fleet) promise(needs [modelSessions]int) {
	for i, version := range needs {
		f.promised[i] = max(f.promised[i], version)
	}
}

func (f *fleet) startCheck(t *rapid.T) {
	n, session := f.node(t), rapid.IntRange(0, fleetSessions-1).Draw(t, "session")
	f.bind()
	known := n.memory.Recall(modelID(session), f.now)
	if known == nil {
		n.checks = append(n.checks, &check{session: session, at: f.now})
		return
	}
	f.recalled++
	version, err := strconv.Atoi(known.Username)
	if err != nil {
		t.Fatal(err)
	}
	if version < n.acknowledged[session] {
		t.Fatalf("session %d: recalled version %d, but the node itself acknowledged %d", session, version, n.acknowledged[session])
	}
	if version < f.promised[session] {
		t.Fatalf("session %d: recalled version %d, but %d was acknowledged long enough ago", session, version, f.promised[session])
	}
}

func (f *fleet) stepCheck(t *rapid.T) {
	n := f.node(t)
	if len(n.checks) == 0 {
		return
	}
	f.goOn(n, rapid.IntRange(0, len(n.checks)-1).Draw(t, "check"))
}

// endChecks lets nothing happen between the rest of the steps.
func (f *fleet) endChecks(t *rapid.T) {
	n := f.node(t)
	for len(n.checks) > 0 {
		f.goOn(n, 0)
	}
}

func (f *fleet) goOn(n *fleetNode, i int) {
	c := n.checks[i]
	switch c.step {
	case 0:
		c.mark = n.memory.Mark()
	case 1:
		c.version = f.version[c.session]
	case 2:
		n.memory.Remember(&auth.Known{
			SessionID: modelID(c.session), UserID: userOf(c.session), Username: strconv.Itoa(c.version),
		}, c.mark, c.at)
		n.checks = append(n.checks[:i], n.checks[i+1:]...)
	}
	c.step++
}

func (f *fleet) startWrite(t *rapid.T) {
	n, session := f.node(t), rapid.IntRange(0, fleetSessions-1).Draw(t, "session")
	w := &write{news: auth.News{Session: modelID(session)}, affects: []int{session}}
	if rapid.Bool().Draw(t, "of the user") {
		w.news, w.affects = auth.News{User: userOf(session)}, nil
		for i := range fleetSessions {
			if userOf(i) == userOf(session) {
				w.affects = append(w.affects, i)
			}
		}
	}
	n.writes = append(n.writes, w)
}

// stepWrite commits, which has the engine tell the listeners; tells the
// node's own memory; acknowledges.
func (f *fleet) stepWrite(t *rapid.T) {
	n := f.node(t)
	if len(n.writes) == 0 {
		return
	}
	i := rapid.IntRange(0, len(n.writes)-1).Draw(t, "write")
	w := n.writes[i]
	switch w.step {
	case 0:
		for _, session := range w.affects {
			f.version[session]++
			w.needs[session] = f.version[session]
		}
		f.tell(told{news: w.news}, nil)
	case 1:
		n.memory.Hear(w.news)
	case 2:
		for session, version := range w.needs {
			n.acknowledged[session] = max(n.acknowledged[session], version)
		}
		f.bind()
		f.recent = append(f.recent, foreignWrite{at: f.now, needs: w.needs})
		n.writes = append(n.writes[:i], n.writes[i+1:]...)
	}
	w.step++
}

// tell hands something to the listener of one node, or of all.
func (f *fleet) tell(what told, only *fleetNode) {
	for _, n := range f.nodes {
		if !n.deaf && (only == nil || only == n) {
			n.queue = append(n.queue, what)
		}
	}
}

// ping begins a ping, or commits the oldest that was begun.
func (f *fleet) ping(t *rapid.T) {
	n := f.node(t)
	if len(n.pings) == 0 || rapid.Bool().Draw(t, "begin another") {
		n.pings = append(n.pings, f.now)
		return
	}
	f.tell(told{ping: n.pings[0]}, n)
	n.pings = n.pings[1:]
}

// pingThrough is a ping without anything between its steps.
func (f *fleet) pingThrough(t *rapid.T) {
	n := f.node(t)
	f.tell(told{ping: f.now}, n)
	for len(n.queue) > 0 {
		n.hearNext()
	}
}

func (n *fleetNode) hearNext() {
	next := n.queue[0]
	n.queue = n.queue[1:]
	if next.ping.IsZero() {
		n.memory.Hear(next.news)
	} else {
		n.heartbeat(next.ping)
	}
}

// deliver is the listener at work.
func (f *fleet) deliver(t *rapid.T) {
	n := f.node(t)
	if len(n.queue) == 0 {
		return
	}
	for range rapid.IntRange(1, len(n.queue)).Draw(t, "how many") {
		n.hearNext()
	}
}

// cut makes a connection deaf, with or without what is on its way.
func (f *fleet) cut(t *rapid.T) {
	n := f.node(t)
	n.deaf = true
	f.deafened++
	if len(n.queue) > 0 {
		n.queue = n.queue[:rapid.IntRange(0, len(n.queue)).Draw(t, "arrives")]
	}
}

// reconnect listens first and forgets everything then.
func (f *fleet) reconnect(t *rapid.T) {
	n := f.node(t)
	if !n.deaf {
		return
	}
	n.deaf, n.queue = false, nil
	n.memory.Hear(auth.News{})
}

func (f *fleet) wait(t *rapid.T) {
	f.now = f.now.Add(time.Duration(rapid.IntRange(1, 700).Draw(t, "milliseconds")) * time.Millisecond)
}

func TestNoNodeOfAFleetRecallsWhatWasRevokedBeforeTheBound(t *testing.T) {
	recalled, deafened := 0, 0
	for range 10 {
		rapid.Check(t, func(t *rapid.T) {
			f := newFleet()
			actions := []func(*rapid.T){
				f.startCheck, f.startCheck, f.startCheck, f.stepCheck, f.stepCheck, f.stepCheck, f.endChecks, f.endChecks,
				f.startWrite, f.stepWrite, f.stepWrite, f.stepWrite,
				f.ping, f.ping, f.ping, f.deliver, f.deliver, f.pingThrough, f.pingThrough, f.cut, f.reconnect, f.wait, f.wait,
			}
			for range fleetSteps {
				rapid.SampledFrom(actions).Draw(t, "action")(t)
			}
			recalled += f.recalled
			deafened += f.deafened
		})
	}
	if recalled == 0 || deafened == 0 {
		t.Errorf("%d recalled, %d connections cut: the test has tested nothing", recalled, deafened)
	}
}
