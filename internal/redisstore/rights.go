package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// oldestVersion is the first that the store works with.
const oldestVersion = 7

// examine looks at every master: is it new enough, and may this user do what
// the store does? A right that is missed later would be an error in the
// middle of a login.
func (s *Store) examine(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	masters, err := s.masters(ctx)
	if err != nil {
		return err
	}
	for address, node := range masters {
		if err := s.examineOne(ctx, node); err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
	}
	return nil
}

func (s *Store) examineOne(ctx context.Context, node valkey.Client) error {
	hello, err := node.Do(ctx, node.B().Hello().Build()).AsMap()
	if err != nil {
		return err
	}
	version, mode := hello["version"], hello["mode"]
	text, _ := version.ToString()
	major, _, _ := strings.Cut(text, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestVersion {
		return &oldServerError{text}
	}
	if err := mayDo(ctx, node, s.o.Replicas > 0); err != nil {
		return err
	}
	// The client takes a Cluster whose slots it may not see for one server.
	if kind, _ := mode.ToString(); kind == "cluster" && s.client.Mode() != valkey.ClientModeCluster {
		return errors.Join(node.Do(ctx, node.B().ClusterSlots().Build()).Error(), errHiddenCluster)
	}
	return nil
}

var errHiddenCluster = errors.New("it is a node of a Cluster, whose slots can't be seen")

type oldServerError struct{ version string }

func (e *oldServerError) Error() string { return "its version is " + strconv.Quote(e.version) }

// probe is a name that is no session's, no user's and no throttle's. Of the
// commands that are tried with it none leaves anything, but for HSET, whose
// field goes with the key at once.
const probe = prefix + "probe"

// mayDo tries every command that the store sends, or that its scripts do. A
// server says first whether a command is allowed, and only then whether it
// can be done, or belongs to another: what it says then does not matter here.
func mayDo(ctx context.Context, node valkey.Client, waits bool) error {
	b := node.B()
	commands := []valkey.Completed{
		b.Hset().Key(probe).FieldValue().FieldValue("f", "v").Build(),
		b.Pexpireat().Key(probe).MillisecondsTimestamp(time.Now().Add(time.Minute).UnixMilli()).Build(),
		b.Hget().Key(probe).Field("f").Build(),
		b.Hmget().Key(probe).Field("f").Build(),
		b.Hgetall().Key(probe).Build(),
		b.Del().Key(probe).Build(),
		b.Zadd().Key(probe).Xx().ScoreMember().ScoreMember(0, "m").Build(),
		b.Zrange().Key(probe).Min("0").Max("-1").Build(),
		b.Zrem().Key(probe).Member("m").Build(),
		b.Zremrangebyscore().Key(probe).Min("0").Max("0").Build(),
		b.Get().Key(probe).Build(),
		b.Set().Key(probe).Value("v").Xx().Build(),
		b.Time().Build(),
		b.Scan().Cursor(0).Count(1).Build(),
		b.Publish().Channel(pingChannel + "probe").Message("").Build(),
		b.Eval().Script("return 1").Numkeys(1).Key(probe).Build(),
		b.Evalsha().Sha1(strings.Repeat("0", 40)).Numkeys(1).Key(probe).Build(),
	}
	if waits {
		commands = append(commands, b.Wait().Numreplicas(0).Timeout(1).Build())
	}
	for _, result := range node.DoMulti(ctx, commands...) {
		if err := denied(result.Error()); err != nil {
			return err
		}
	}
	return node.Dedicated(func(c valkey.DedicatedClient) error {
		// Without hooks the client would wait for messages.
		c.SetPubSubHooks(valkey.PubSubHooks{OnMessage: func(valkey.PubSubMessage) {}})
		return denied(errors.Join(
			c.Do(ctx, c.B().Subscribe().Channel(pingChannel+"probe").Build()).Error(),
			c.Do(ctx, c.B().Unsubscribe().Channel(pingChannel+"probe").Build()).Error(),
		))
	})
}

// denied keeps the errors that say that something is not allowed, and those of
// the way to the server.
func denied(err error) error {
	if answered, ok := valkey.IsValkeyErr(err); ok && !strings.HasPrefix(answered.Error(), "NOPERM") {
		return nil
	}
	return ignoreNil(err)
}
