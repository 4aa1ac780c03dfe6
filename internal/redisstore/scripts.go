package redisstore

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/valkey-io/valkey-go"
)

// newsChannel is where the end of a session is told: "s" and its id in
// hexadecimal. What can't be read may mean anything.
const newsChannel = prefix + "news"

// script is sent by its digest, or whole: to a server that does not know it
// yet, and on a connection of its own.
type script struct {
	*valkey.Lua
	source string
	digest string // as EVALSHA wants it, SHA-1
}

func newScript(source string) *script {
	sum := sha1.Sum([]byte(source))
	return &script{valkey.NewLuaScript(source), source, hex.EncodeToString(sum[:])}
}

// Each script touches one key, which decides where it runs.
var (
	// The session, the time at which it goes, its fields.
	scriptStart = newScript(`
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
return 1`)

	// Ends a session and tells so, at once. The user, or nothing. If another
	// has ended it, and replicas are waited for, something is written all the
	// same: since Redis 7.2, WAIT waits for no more than this connection's own
	// last write, and the replicas may not have that end yet.
	scriptEnd = newScript(`
local uid = redis.call('HGET', KEYS[1], 'uid')
if redis.call('DEL', KEYS[1]) == 0 then
  if ARGV[2] then
    redis.call('HSET', KEYS[1], 'gone', '1')
    redis.call('DEL', KEYS[1])
  end
  return false
end
redis.call('PUBLISH', '` + newsChannel + `', ARGV[1])
return uid or ''`)

	// Moves last-seen and expiry on, never back, of a session that is there.
	scriptTouch = newScript(`
local had = redis.call('HMGET', KEYS[1], 'seen', 'exp')
if not had[1] or not had[2] then return 0 end
if tonumber(ARGV[1]) > tonumber(had[1]) then redis.call('HSET', KEYS[1], 'seen', ARGV[1]) end
if tonumber(ARGV[2]) > tonumber(had[2]) then
  redis.call('HSET', KEYS[1], 'exp', ARGV[2])
  redis.call('PEXPIREAT', KEYS[1], ARGV[3])
end
return 1`)

	// Announces an upgraded hash to a session of the former one, which may
	// itself have been announced.
	scriptAnnounce = newScript(`
local had = redis.call('HMGET', KEYS[1], 'ah', 'nah')
if had[1] == ARGV[1] or had[2] == ARGV[1] then redis.call('HSET', KEYS[1], 'ah', ARGV[1], 'nah', ARGV[2]) end
return 1`)

	// Puts a session into its user's index, or moves its expiry on, and takes
	// out those that expired before ARGV[3].
	scriptIndex = newScript(`
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last[2] + ` + strconv.FormatInt(indexSlack.Milliseconds(), 10) + `))
return 1`)
)

// indexSlack is how much longer the index knows a session than it lives: the
// clocks of nodes and servers need not agree.
const indexSlack = 5 * time.Minute

// run executes a script at the server that has the key. With Options.Replicas
// it is done when enough of them have it.
func (s *Store) run(ctx context.Context, what *script, key string, args ...string) (valkey.ValkeyResult, error) {
	if s.o.Replicas <= 0 {
		result := what.Exec(ctx, s.client, []string{key}, args)
		return result, classify(ignoreNil(result.Error()))
	}
	var result valkey.ValkeyResult
	err := s.client.Dedicated(func(c valkey.DedicatedClient) error {
		result = c.Do(ctx, c.B().Eval().Script(what.source).Numkeys(1).Key(key).Arg(args...).Build())
		if err := ignoreNil(result.Error()); err != nil {
			return err
		}
		// In a Cluster a command without a key goes where the connection is.
		n, err := c.Do(ctx, c.B().Wait().Numreplicas(int64(s.o.Replicas)).Timeout(s.o.replicaWait.Milliseconds()).Build()).AsInt64()
		if err == nil && n < int64(s.o.Replicas) {
			err = errNotReplicated
		}
		return err
	})
	return result, classify(err)
}

// runAll executes a script, which may be repeated, for many keys at once. It
// asks nothing of servers that have none of them: one that is away must not
// keep the others from their work, as it would with ExecMulti.
func (s *Store) runAll(ctx context.Context, what *script, calls []valkey.LuaExec) error {
	commands := make([]valkey.Completed, len(calls))
	for i, call := range calls {
		commands[i] = s.client.B().Evalsha().Sha1(what.digest).Numkeys(int64(len(call.Keys))).Key(call.Keys...).Arg(call.Args...).Build()
	}
	var failed error
	var unknown []valkey.Completed
	for i, result := range s.client.DoMulti(ctx, commands...) {
		err := ignoreNil(result.Error())
		if answered, ok := valkey.IsValkeyErr(err); ok && answered.IsNoScript() {
			unknown = append(unknown, s.client.B().Eval().Script(what.source).Numkeys(int64(len(calls[i].Keys))).Key(calls[i].Keys...).Arg(calls[i].Args...).Build())
		} else if failed == nil {
			failed = err
		}
	}
	if failed == nil && len(unknown) > 0 {
		failed = firstError(s.client.DoMulti(ctx, unknown...))
	}
	return classify(failed)
}

func firstError(results []valkey.ValkeyResult) error {
	for i := range results {
		if err := ignoreNil(results[i].Error()); err != nil {
			return err
		}
	}
	return nil
}

func ignoreNil(err error) error {
	if valkey.IsValkeyNil(err) {
		return nil
	}
	return err
}
