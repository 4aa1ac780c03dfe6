package redisstore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/postern-auth/postern/internal/auth"
)

// How the news is heard. The end of a session is published by the script that
// deletes it, on the server that has it, and a server passes what is published
// there on to its own subscribers in order. So one connection listens at
// every master; what the bus of a Cluster passes on from one server to another
// may be lost, and is not relied on. Every pingEvery a ping is published at
// each master over another connection, with the time at which it began. One that
// comes back from the same master proves that all news that this
// master published before it began has been heard. The heartbeat is the
// oldest of these times over all masters, and is given only while the masters
// own every slot between them: then no session can end where nobody listens.
const (
	pingChannel = prefix + "ping:"
	pingEvery   = 200 * time.Millisecond
	// deafAfter is how long nothing may be heard of a master before its
	// connection is given up: it may be cut without either end knowing.
	deafAfter = time.Second
	// retryAtMost is the longest pause before the next attempt to listen.
	retryAtMost = time.Second
)

var (
	errDeaf     = errors.New("no ping came back in time")
	errNoMaster = errors.New("no master is known")
	errDemoted  = errors.New("a server is no master any more")
	errSlots    = errors.New("the masters that are listened to do not own every slot")
)

// listen starts the listener, if anyone wants to hear.
func (s *Store) listen(ctx context.Context) {
	if s.o.Heartbeat == nil {
		s.listening = func() {}
		close(s.listened)
		return
	}
	ctx, s.listening = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.listened)
		s.keepListening(ctx)
	}()
}

// keepListening listens until ctx ends, in one session after the other.
func (s *Store) keepListening(ctx context.Context) {
	told := false
	for failures := 0; ctx.Err() == nil; failures++ {
		err := s.hear(ctx, func() {
			if told {
				s.o.Log.LogAttrs(ctx, slog.LevelInfo, "the news of the session store is heard again")
			}
			told, failures = false, 0
		})
		if ctx.Err() != nil {
			return
		}
		if !told {
			s.o.Log.LogAttrs(ctx, slog.LevelWarn, "the news of the session store is not heard: every check reads it", slog.Any("error", err))
			told = true
		}
		select {
		case <-time.After(min(retryAtMost, 50*time.Millisecond<<min(failures, 10))):
		case <-ctx.Done():
		}
	}
}

// ear listens to one master.
type ear struct {
	address string
	node    valkey.Client
	cluster bool
	id      string // in a Cluster
	channel string

	mu    sync.Mutex
	sent  uint64
	pings map[uint64]time.Time // began, of those that have not come back
	began time.Time            // of the newest that has come back
	heard time.Time            // when that was
	slots int
}

// hear listens to all masters until one is lost, or they are others, or ctx
// ends; heard is called at each heartbeat.
func (s *Store) hear(ctx context.Context, heard func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ears, lost, err := s.openEars(ctx)
	if err != nil {
		return err
	}
	// What was published before these connections listened is lost.
	s.o.News(auth.News{})

	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		for _, e := range ears {
			go func() {
				if err := e.ping(ctx, s.o.Now); err != nil {
					give(lost, fmt.Errorf("%s: %w", e.address, err))
				}
			}()
		}
		select {
		case <-tick.C:
		case err := <-lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
		began, err := agree(ears)
		if err != nil {
			return err
		}
		if !began.IsZero() {
			s.o.Heartbeat(began)
			heard()
		}
	}
}

// give hands over the first of several errors.
func give(to chan<- error, err error) {
	select {
	case to <- err:
	default:
	}
}

// openEars subscribes at every master. What ends a subscription comes on lost.
func (s *Store) openEars(ctx context.Context) ([]*ear, chan error, error) {
	bounded, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	masters, err := s.masters(bounded)
	if err != nil {
		return nil, nil, err
	}
	if len(masters) == 0 {
		return nil, nil, errNoMaster
	}
	name := make([]byte, 8)
	rand.Read(name)
	lost := make(chan error, 1)
	var ears []*ear
	for address, node := range masters {
		e := &ear{
			address: address, node: node, cluster: s.client.Mode() == valkey.ClientModeCluster,
			channel: pingChannel + hex.EncodeToString(name), pings: make(map[uint64]time.Time), heard: time.Now(),
		}
		if err := e.open(ctx, bounded, s.o.News, lost); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", address, err)
		}
		ears = append(ears, e)
	}
	return ears, lost, nil
}

// open subscribes on a connection of its own, which lasts as long as ctx.
func (e *ear) open(ctx, bounded context.Context, news func(auth.News), lost chan<- error) error {
	if e.cluster {
		var err error
		if e.id, err = e.node.Do(bounded, e.node.B().ClusterMyid().Build()).ToString(); err != nil {
			return err
		}
	}
	conn, release := e.node.Dedicate()
	ended := conn.SetPubSubHooks(valkey.PubSubHooks{OnMessage: func(m valkey.PubSubMessage) {
		if m.Channel == newsChannel {
			news(parseNews(m.Message))
		} else {
			e.took(m.Message)
		}
	}})
	go func() {
		select {
		case err := <-ended:
			give(lost, fmt.Errorf("%s: the connection that listens has ended: %w", e.address, err))
		case <-ctx.Done():
		}
		release()
	}()
	return conn.Do(bounded, conn.B().Subscribe().Channel(newsChannel, e.channel).Build()).Error()
}

// ping asks the master what it is, and publishes a ping there. In a Cluster
// the pings of one master reach the subscribers of another, so each names its
// own.
func (e *ear) ping(ctx context.Context, now func() time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, deafAfter)
	defer cancel()
	number := e.begin(now())
	commands := []valkey.Completed{e.node.B().Role().Build()}
	if e.cluster {
		commands = append(commands, e.node.B().ClusterSlots().Build())
	}
	commands = append(commands, e.node.B().Publish().Channel(e.channel).Message(e.address+" "+strconv.FormatUint(number, 10)).Build())
	results := e.node.DoMulti(ctx, commands...)
	for i := range results {
		if err := results[i].Error(); err != nil {
			return err
		}
	}
	isMaster, err := readRole(results[0])
	if err == nil && !isMaster {
		err = errDemoted
	}
	if err != nil || !e.cluster {
		return err
	}
	slots, err := countSlots(results[1], e.id)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.slots = slots
	return err
}

// maxPings is how many pings may be under way.
const maxPings = 16

func (e *ear) begin(at time.Time) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sent++
	e.pings[e.sent] = at
	delete(e.pings, e.sent-maxPings)
	return e.sent
}

// took notes a ping that has come back.
func (e *ear) took(message string) {
	digits, ok := strings.CutPrefix(message, e.address+" ")
	number, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	began, known := e.pings[number]
	if !known {
		return
	}
	delete(e.pings, number)
	if began.After(e.began) {
		e.began, e.heard = began, time.Now()
	}
}

// agree returns the time up to which every master has been heard, zero if one
// has not been heard yet, and an error if one can't be heard any more.
func agree(ears []*ear) (time.Time, error) {
	var oldest time.Time
	slots, complete := 0, true
	for _, e := range ears {
		e.mu.Lock()
		began, heard, owned := e.began, e.heard, e.slots
		e.mu.Unlock()
		if time.Since(heard) > deafAfter {
			return time.Time{}, fmt.Errorf("%s: %w", e.address, errDeaf)
		}
		if began.IsZero() {
			complete = false
		}
		if oldest.IsZero() || began.Before(oldest) {
			oldest = began
		}
		slots += owned
	}
	if !complete {
		return time.Time{}, nil
	}
	if ears[0].cluster && slots != slotCount {
		return time.Time{}, errSlots
	}
	return oldest, nil
}

// parseNews reads what was published. What can't be read may mean anything.
func parseNews(message string) auth.News {
	if digits, ok := strings.CutPrefix(message, "s"); ok {
		if id, ok := idOf(digits); ok {
			return auth.News{Session: id}
		}
	}
	return auth.News{}
}
