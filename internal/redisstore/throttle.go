package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// throttlePrefix is what the keys of throttles begin with.
const throttlePrefix = prefix + "t:"

// scriptTake is one step of the generic cell rate algorithm (ITU-T I.371) by
// the server's clock, so that those of the nodes don't matter. The key holds
// the theoretical arrival in microseconds since 1970, and is gone when there
// is nothing left to wait for. ARGV are interval and burst, in microseconds.
// If the clock was set back, nobody waits longer than for one interval.
var scriptTake = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local arrival = tonumber(redis.call('GET', KEYS[1]) or '') or now
arrival = math.min(math.max(arrival, now), now + burst + interval)
local wait = arrival - now - burst
if wait > 0 then return wait end
arrival = arrival + interval
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', string.format('%.0f', math.ceil((arrival - now) / 1000)))
return 0`)

// Take counts an attempt under a key, for all nodes together: one each
// interval, after a burst that may be that far ahead. It returns 0 if the
// attempt is let through, or how long to wait for the next; that costs
// nothing. It is one atomic step on one key; whoever reads the store sees the
// key as it is given. Its error wraps auth.ErrUnavailable when the server does
// not answer within the context's time.
func (s *Store) Take(ctx context.Context, key string, interval, burst time.Duration) (wait time.Duration, err error) {
	args := []string{strconv.FormatInt(max(1, interval.Microseconds()), 10), strconv.FormatInt(burst.Microseconds(), 10)}
	us, err := scriptTake.Exec(ctx, s.client, []string{throttlePrefix + key}, args).AsInt64()
	if err != nil {
		return 0, fmt.Errorf("count an attempt: %w", classify(err))
	}
	return time.Duration(us) * time.Microsecond, nil
}
