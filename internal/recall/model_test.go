package recall

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postern-auth/postern/internal/auth"
)

// The model is a store whose every session has a version, which each
// revoking write raises, and any number of checks, writes, writes of another
// process and looks for these, each cut into steps that may be interleaved
// in any order. The property: what the memory recalls is never older than what was
// acknowledged before, or than what another process committed longer than
// MaxSilence ago.

const (
	modelSessions = 12
	modelUsers    = 3
)

func modelID(i int) auth.SessionID { return sha256.Sum256([]byte{byte(i)}) }

func userOf(session int) int64 { return int64(session%modelUsers) + 1 }

type model struct {
	memory    *Memory
	heartbeat func(time.Time)
	now       time.Time

	version      [modelSessions]int // in the store
	acknowledged [modelSessions]int // what nobody may fall behind
	foreign      []foreignWrite     // not yet binding, oldest first
	checks       []*check
	writes       []*write
	look         *look
	outside      int // how often another process has written
	noticed      int // how many of these a look has told
	recalled     int
}

type check struct {
	session, version int
	mark             uint64
	step             int
	at               time.Time
}

type write struct {
	news    auth.News
	affects []int
	needs   [modelSessions]int
	step    int
}

type foreignWrite struct {
	at    time.Time
	needs [modelSessions]int
}

type look struct {
	began   time.Time
	outside int
	step    int
}

func newModel(capacity int) *model {
	m := &model{now: time.Unix(1_800_000_000, 0)}
	m.memory = New(capacity, func() time.Time { return m.now })
	m.heartbeat = m.memory.Listen("the store")
	return m
}

// startCheck asks the memory. A hit is held against the property; after a
// miss the check goes on to the store.
func (m *model) startCheck(t *rapid.T) {
	session := rapid.IntRange(0, modelSessions-1).Draw(t, "session")
	m.bind()
	if known := m.memory.Recall(modelID(session), m.now); known != nil {
		m.recalled++
		version, err := strconv.Atoi(known.Username)
		if err != nil || known.SessionID != modelID(session) {
			t.Fatalf("session %d: recalled %q of %s", session, known.Username, known.SessionID)
		}
		if version < m.acknowledged[session] {
			t.Fatalf("session %d: recalled version %d, but %d was acknowledged", session, version, m.acknowledged[session])
		}
		return
	}
	m.checks = append(m.checks, &check{session: session, at: m.now})
}

// bind lets the writes of other processes count that are old enough.
func (m *model) bind() {
	for len(m.foreign) > 0 && m.now.Sub(m.foreign[0].at) > MaxSilence {
		m.raise(m.foreign[0].needs)
		m.foreign = m.foreign[1:]
	}
}

func (m *model) raise(needs [modelSessions]int) {
	for i, version := range needs {
		m.acknowledged[i] = max(m.acknowledged[i], version)
	}
}

func (m *model) stepCheck(t *rapid.T) {
	if len(m.checks) == 0 {
		t.Skip("no check is under way")
	}
	i := rapid.IntRange(0, len(m.checks)-1).Draw(t, "check")
	c := m.checks[i]
	switch c.step {
	case 0:
		c.mark = m.memory.Mark()
	case 1:
		c.version = m.version[c.session]
	case 2:
		m.memory.Remember(&auth.Known{
			SessionID: modelID(c.session), UserID: userOf(c.session), Username: strconv.Itoa(c.version),
		}, c.mark, c.at)
		m.checks = append(m.checks[:i], m.checks[i+1:]...)
	}
	c.step++
}

func (m *model) startWrite(t *rapid.T) {
	session := rapid.IntRange(0, modelSessions-1).Draw(t, "session")
	w := &write{news: auth.News{Session: modelID(session)}, affects: []int{session}}
	if rapid.Bool().Draw(t, "of the user") {
		w.news, w.affects = auth.News{User: userOf(session)}, nil
		for i := range modelSessions {
			if userOf(i) == userOf(session) {
				w.affects = append(w.affects, i)
			}
		}
	}
	m.writes = append(m.writes, w)
}

// stepWrite commits, tells, acknowledges.
func (m *model) stepWrite(t *rapid.T) {
	if len(m.writes) == 0 {
		t.Skip("no write is under way")
	}
	i := rapid.IntRange(0, len(m.writes)-1).Draw(t, "write")
	w := m.writes[i]
	switch w.step {
	case 0:
		m.commit(w.affects, &w.needs)
	case 1:
		m.memory.Hear(w.news)
	case 2:
		m.raise(w.needs)
		m.writes = append(m.writes[:i], m.writes[i+1:]...)
	}
	w.step++
}

func (m *model) commit(affects []int, needs *[modelSessions]int) {
	for _, i := range affects {
		m.version[i]++
		needs[i] = m.version[i]
	}
}

func (m *model) writeElsewhere(t *rapid.T) {
	f := foreignWrite{at: m.now}
	m.commit([]int{rapid.IntRange(0, modelSessions-1).Draw(t, "session")}, &f.needs)
	m.foreign = append(m.foreign, f)
	m.outside++
}

// stepLook is what the store does to notice other processes.
func (m *model) stepLook(*rapid.T) {
	if m.look == nil {
		m.look = &look{began: m.now}
		return
	}
	switch m.look.step {
	case 0:
		m.look.outside = m.outside
	case 1:
		if m.look.outside != m.noticed {
			m.memory.Hear(auth.News{})
			m.noticed = m.look.outside
		}
	case 2:
		m.heartbeat(m.look.began)
		m.look = nil
		return
	}
	m.look.step++
}

func (m *model) wait(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "milliseconds")) * time.Millisecond)
}

func TestNothingIsRecalledAfterItsEndWasAcknowledged(t *testing.T) {
	recalled := 0
	for _, capacity := range []int{ways, 1 << 10} {
		t.Run(fmt.Sprint(capacity, " entries"), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := newModel(capacity)
				t.Repeat(map[string]func(*rapid.T){
					"check": m.startCheck, "check again": m.startCheck,
					"go on with a check": m.stepCheck, "go on with another check": m.stepCheck, "go on with a third check": m.stepCheck,
					"write": m.startWrite, "go on with a write": m.stepWrite,
					"write elsewhere": m.writeElsewhere,
					"look":            m.stepLook, "look on": m.stepLook, "look further": m.stepLook,
					"wait": m.wait,
				})
				recalled += m.recalled
			})
		})
	}
	if recalled == 0 {
		t.Error("nothing was ever recalled: the test has tested nothing")
	}
}
