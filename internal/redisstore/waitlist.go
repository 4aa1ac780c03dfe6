package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Waitlist says how the unrecognised clients of one account wait, for all
// nodes together; what each field means is told at guard.WaitlistRules.
type Waitlist struct {
	Interval, Burst, Ahead, Grace time.Duration
	Kept, Share                   int
}

// scriptSlot is guard's wait list of an account, in one step on one key, by
// the server's clock: a rate by the generic cell rate algorithm, and slots for
// the clients that it refuses; internal/guard/waitlist.go says why. The key
// holds all of it, packed: the theoretical arrival, the slots in the order of
// their times, and the time of the last attempt. It is gone when nobody has
// anything left to come for. Times are microseconds since 1970. If the clock
// has stepped back since the last attempt, all times move back with it, so that
// no wait is longer than it was then. The answer is whether the client's case
// is settled, and the wait.
var scriptSlot = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local device, network = ARGV[1], ARGV[2]
local interval, burst, ahead, grace = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local most, share, queue = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9] == '1'

local arrival, slots, last = 0, {}, 0
local packed = redis.call('GET', KEYS[1])
if packed then arrival, slots, last = cmsgpack.unpack(packed) end
local back = math.max(0, last - now)
arrival = arrival - back

-- Slots whose grace is over are forgotten.
local kept = {}
for _, slot in ipairs(slots) do
  slot[3] = slot[3] - back
  if slot[3] + grace >= now then kept[#kept + 1] = slot end
end
slots = kept

local function take(most)
  local turn = math.max(arrival, now)
  local wait = math.max(0, turn - now - burst)
  if wait > most then return wait, false end
  arrival = turn + interval
  return wait, true
end

local function answer(settled, wait)
  local last = arrival
  if #slots > 0 then last = math.max(last, slots[#slots][3] + grace) end
  if last > now then
    redis.call('SET', KEYS[1], cmsgpack.pack(arrival, slots, now), 'PX', string.format('%.0f', math.ceil((last - now) / 1000)))
  else
    redis.call('DEL', KEYS[1])
  end
  return {settled, math.ceil(wait)}
end

-- A client that has a slot comes for it, or too early.
for i, slot in ipairs(slots) do
  if slot[1] == device then
    if slot[3] > now then return answer(1, slot[3] - now) end
    table.remove(slots, i)
    return answer(1, 0)
  end
end

local wait, counted = take(0)
if counted then return answer(1, 0) end
if not queue then return answer(0, 0) end

-- Without a slot the wait says when it makes sense to try again.
local neighbours, first = 0, 0
for _, slot in ipairs(slots) do
  if slot[2] == network and slot[3] > now then
    neighbours = neighbours + 1
    if neighbours == 1 then first = slot[3] - now end
  end
end
if neighbours >= share then return answer(1, first) end
if #slots >= most then return answer(1, math.max(1000000, slots[1][3] + grace - now)) end
wait, counted = take(ahead)
if not counted then return answer(1, math.max(1000000, wait - ahead)) end
slots[#slots + 1] = {device, network, now + wait}
return answer(1, wait)`)

// TakeSlot lets an unrecognised client try at an account, or gives it a slot in
// the account's wait list if there is room, for all nodes together. key, device
// and network name the account, the client and the part of the net it comes
// from; whoever reads the store sees them as they are given. Without queue a
// client that is refused is not settled, and gets no slot. wait is 0 for one
// that is let through. The error wraps auth.ErrUnavailable when the server does
// not answer within the context's time.
func (s *Store) TakeSlot(ctx context.Context, key, device, network string, w Waitlist, queue bool) (wait time.Duration, settled bool, err error) {
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	queued := "0"
	if queue {
		queued = "1"
	}
	args := []string{
		device, network,
		whole(max(1, w.Interval.Microseconds())), whole(w.Burst.Microseconds()), whole(w.Ahead.Microseconds()), whole(w.Grace.Microseconds()),
		strconv.Itoa(w.Kept), strconv.Itoa(w.Share), queued,
	}
	answer, err := scriptSlot.Exec(ctx, s.client, []string{throttlePrefix + key}, args).AsIntSlice()
	if err == nil && len(answer) != 2 {
		err = fmt.Errorf("%d numbers were answered", len(answer))
	}
	if err != nil {
		return 0, false, fmt.Errorf("take a slot: %w", classify(err))
	}
	return time.Duration(answer[1]) * time.Microsecond, answer[0] == 1, nil
}
