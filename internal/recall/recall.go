// Package recall is the memory of checked sessions in this process: it spares
// a check the way to the store. Nothing in it is served stale on purpose:
// entries leave on news of the store, told before a write is acknowledged;
// while the store's heartbeat is missing nothing is recalled at all; and what
// was read from the store while news came is not remembered. docs/recall.md
// argues why that is right.
//
// A look-up takes no lock and writes to no memory that all cores share.
package recall

import (
	"encoding/binary"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postern-auth/postern/internal/auth"
	"github.com/postern-auth/postern/internal/clock"
)

var _ auth.Memory = (*Memory)(nil)

const (
	// MaxSilence is how old the last heartbeat may be: a write of another
	// process is noticed in that time, or nothing is recalled.
	MaxSilence = time.Second
	// MaxAge is the belt to the braces: what was read so long ago, and at most a
	// second longer, is read again.
	MaxAge = 60 * time.Second
	// MaxText is the most text, in bytes, of a session that is remembered:
	// with the number of entries it bounds the memory.
	MaxText = 2048

	ways    = 8       // entries that share a set
	slots   = 1 << 16 // places that news about sessions, and about users, is noted at
	stripes = 64      // of sets, for locks and counters
)

// Memory remembers sessions. Safe for concurrent use.
type Memory struct {
	start time.Time
	// last numbers the news; a mark is its value before a read. A read after
	// mark m knows all news up to m.
	last atomic.Uint64
	// The number of the last news about everything, about a session and
	// about a user, the latter two in slots that several share.
	everything atomic.Uint64
	sessions   []atomic.Uint64
	users      []atomic.Uint64
	sources    []*source

	sets    []set
	stripes [stripes]stripe
}

// set is where the sessions whose ids begin alike are remembered.
type set struct {
	tags    [ways]atomic.Uint64 // part of the id, to look at one entry only
	entries [ways]atomic.Pointer[entry]
}

type entry struct {
	known *auth.Known
	mark  uint64
	read  uint32      // when, in whole seconds since start
	used  atomic.Bool // since the last search for a place
}

// isOld reports whether the entry was read longer than MaxAge before at.
func (e *entry) isOld(at int64) bool { return at > (int64(e.read)+1)*int64(time.Second)+int64(MaxAge) }

// stripe is the lock for writing to some of the sets, and their counters, on
// cache lines of its own.
type stripe struct {
	hits, misses, evicted atomic.Uint64
	entries               atomic.Int64
	writing               sync.Mutex
	_                     [24]byte
}

// source is a store that tells news.
type source struct {
	name string
	// heard is when its last heartbeat began; nil before the first.
	heard atomic.Pointer[clock.Reading]
}

// New returns a memory for so many sessions, rounded up to a multiple of 8,
// each of some 400 bytes. now is the clock that all times are of. It recalls
// nothing until a source of news is added and heard.
func New(capacity int, now func() time.Time) *Memory {
	m := &Memory{
		start:    now(),
		sessions: make([]atomic.Uint64, slots),
		users:    make([]atomic.Uint64, slots),
		sets:     make([]set, max(1, (capacity+ways-1)/ways)),
	}
	return m
}

// Listen adds a source of news, before the memory is used, and returns its
// heartbeat, to be called with a time up to which all that was committed at
// this source has been told to Hear. Nothing is recalled while the last
// heartbeat of any source began longer than MaxSilence ago, the time that the
// machine slept included.
func (m *Memory) Listen(name string) (heartbeat func(began time.Time)) {
	s := &source{name: name}
	m.sources = append(m.sources, s)
	return func(began time.Time) { s.beat(clock.Read(m.start, began)) }
}

// beat notes a heartbeat, unless a later one is noted already. One that the
// monotonic clock can't tell from the last is later if the wall clock has gone
// on: the machine slept between them.
func (s *source) beat(began clock.Reading) {
	for {
		heard := s.heard.Load()
		if heard != nil && (began.Monotonic < heard.Monotonic || began.Monotonic == heard.Monotonic && began.Wall <= heard.Wall) {
			return
		}
		if s.heard.CompareAndSwap(heard, &began) {
			return
		}
	}
}

// Hearing reports whether news can be relied on to arrive: whether anything
// is recalled at now.
func (m *Memory) Hearing(now time.Time) bool { return m.hearing(clock.Read(m.start, now)) }

// Deaf returns the names of the sources that are not heard at now.
func (m *Memory) Deaf(now time.Time) []string {
	var names []string
	for _, s := range m.sources {
		if !s.isHeard(clock.Read(m.start, now)) {
			names = append(names, s.name)
		}
	}
	return names
}

func (m *Memory) hearing(at clock.Reading) bool {
	for _, s := range m.sources {
		if !s.isHeard(at) {
			return false
		}
	}
	return len(m.sources) > 0
}

func (s *source) isHeard(at clock.Reading) bool {
	heard := s.heard.Load()
	return heard != nil && heard.Age(at) <= MaxSilence
}

// Hear forgets what news makes doubtful. When it returns, no check recalls
// it, not even one whose read of the store is under way.
func (m *Memory) Hear(n auth.News) {
	number := m.last.Add(1)
	if n.IsEverything() {
		raise(&m.everything, number)
		return
	}
	if n.User != 0 {
		raise(m.userSlot(n.User), number)
	}
	if !n.Session.IsZero() {
		raise(m.sessionSlot(n.Session), number)
		m.drop(n.Session)
	}
}

// raise sets a slot to a number, unless a later one is there already.
func raise(slot *atomic.Uint64, number uint64) {
	for {
		noted := slot.Load()
		if noted >= number || slot.CompareAndSwap(noted, number) {
			return
		}
	}
}

// Mark implements auth.Memory.
func (m *Memory) Mark() uint64 { return m.last.Load() }

// Recall implements auth.Memory.
func (m *Memory) Recall(id auth.SessionID, now time.Time) *auth.Known {
	return m.recall(id, clock.Read(m.start, now))
}

func (m *Memory) recall(id auth.SessionID, at clock.Reading) *auth.Known {
	tag, s, own := m.place(id)
	if m.hearing(at) {
		for i := range s.tags {
			if s.tags[i].Load() != tag {
				continue
			}
			e := s.entries[i].Load()
			if e == nil || e.known.SessionID != id || !m.holds(e) || e.isOld(at.Monotonic) {
				continue
			}
			if !e.used.Load() {
				e.used.Store(true)
			}
			own.hits.Add(1)
			return e.known
		}
	}
	own.misses.Add(1)
	return nil
}

// holds reports whether no news about the entry has come since its mark.
func (m *Memory) holds(e *entry) bool {
	return m.everything.Load() <= e.mark &&
		m.sessionSlot(e.known.SessionID).Load() <= e.mark &&
		m.userSlot(e.known.UserID).Load() <= e.mark
}

// Remember implements auth.Memory.
func (m *Memory) Remember(k *auth.Known, mark uint64, now time.Time) {
	if k.SizeOfText() > MaxText {
		return
	}
	at := int64(now.Sub(m.start))
	e := &entry{known: k, mark: mark, read: uint32(at / int64(time.Second))}
	if !m.holds(e) { // nor will it ever: spare it the place
		return
	}
	tag, s, own := m.place(k.SessionID)
	own.writing.Lock()
	defer own.writing.Unlock()
	i, former := m.room(s, e, tag, at)
	switch {
	case former == nil:
		own.entries.Add(1)
	case former.known.SessionID != k.SessionID && m.holds(former):
		own.evicted.Add(1)
	}
	s.entries[i].Store(e)
	s.tags[i].Store(tag)
}

// room finds the place for an entry in its set: where the same session was,
// a free one, one whose entry no longer holds, or the first that was not
// used since the last search (the clock algorithm).
func (m *Memory) room(s *set, e *entry, tag uint64, at int64) (int, *entry) {
	doubtful := -1
	for i := range s.entries {
		former := s.entries[i].Load()
		if former != nil && former.known.SessionID == e.known.SessionID {
			return i, former
		}
		if doubtful < 0 && (former == nil || !m.holds(former) || former.isOld(at)) {
			doubtful = i
		}
	}
	if doubtful >= 0 {
		return doubtful, s.entries[doubtful].Load()
	}
	// Any place is as good as another to begin at.
	first := int((tag ^ uint64(at)) % ways)
	for turn := range ways {
		i := (first + turn) % ways
		former := s.entries[i].Load()
		if !former.used.Swap(false) {
			return i, former
		}
	}
	return first, s.entries[first].Load()
}

// drop takes a session's entry out.
func (m *Memory) drop(id auth.SessionID) {
	_, s, own := m.place(id)
	own.writing.Lock()
	defer own.writing.Unlock()
	for i := range s.entries {
		if e := s.entries[i].Load(); e != nil && e.known.SessionID == id {
			s.tags[i].Store(0)
			s.entries[i].Store(nil)
			own.entries.Add(-1)
		}
	}
}

// place tells where a session is remembered, if it is. Ids are hashes: their
// bytes are as good as random.
func (m *Memory) place(id auth.SessionID) (tag uint64, s *set, own *stripe) {
	tag = binary.LittleEndian.Uint64(id[8:])
	n, _ := bits.Mul64(binary.LittleEndian.Uint64(id[:]), uint64(len(m.sets)))
	return tag, &m.sets[n], &m.stripes[n%stripes]
}

func (m *Memory) sessionSlot(id auth.SessionID) *atomic.Uint64 {
	return &m.sessions[binary.LittleEndian.Uint16(id[16:])]
}

// userSlot spreads ids, which follow one another, over the slots.
func (m *Memory) userSlot(id int64) *atomic.Uint64 {
	return &m.users[uint64(id)*0x9e3779b97f4a7c15>>48]
}

// Stats is what a memory has done and holds.
type Stats struct {
	Hits, Misses uint64
	Evicted      uint64 // entries that left for others while they still held
	Heard        uint64 // pieces of news
	Entries      int    // among them some that news has made doubtful, until their place is needed
	Capacity     int
}

// Stats counts.
func (m *Memory) Stats() Stats {
	s := Stats{Heard: m.last.Load(), Capacity: len(m.sets) * ways}
	for i := range m.stripes {
		c := &m.stripes[i]
		s.Hits += c.hits.Load()
		s.Misses += c.misses.Load()
		s.Evicted += c.evicted.Load()
		s.Entries += int(c.entries.Load())
	}
	return s
}
