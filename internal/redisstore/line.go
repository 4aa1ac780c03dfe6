package redisstore

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Line says how the strangers of one account take turns, for all nodes
// together; what each field means is told at guard.LineRules.
type Line struct {
	Interval, Burst, Ahead, Grace time.Duration
	Places, Share                 int
	// Seed decides who wins a draw. It is not stored.
	Seed string
}

// scriptTurn is guard's line of strangers, in one step on one key, by the
// server's clock: a rate by the generic cell rate algorithm, places for those
// it refuses, and a draw for those who find no place; internal/guard/line.go
// says why. The key holds all of it, packed: the theoretical arrival, the
// places in the order of their times, the lots (the lowest first), whether
// the line was full, and when the draw is. It is gone when nobody has
// anything left to come for. Times are microseconds since 1970. The answer is
// whether the stranger's case is settled, and the wait.
var scriptTurn = newScript(`
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local device, network, seed = ARGV[1], ARGV[2], ARGV[3]
local interval, burst, ahead, grace = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local places, share, queue = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10] == '1'

local arrival, taken, lots, full, draw = 0, {}, {}, 0, 0
local packed = redis.call('GET', KEYS[1])
if packed then arrival, taken, lots, full, draw = cmsgpack.unpack(packed) end
if arrival > now + burst + 2 * (ahead + interval) then -- the clock was set back
  arrival, taken, lots, full, draw = 0, {}, {}, 0, 0
end

local function take(most)
  local turn = math.max(arrival, now)
  local wait = math.max(0, turn - now - burst)
  if wait > most then return wait, false end
  arrival = turn + interval
  return wait, true
end

local function answer(settled, wait)
  local last = arrival
  if #taken > 0 then last = math.max(last, taken[#taken][3] + grace) end
  if draw > 0 then last = math.max(last, draw + grace) end
  if last > now then
    redis.call('SET', KEYS[1], cmsgpack.pack(arrival, taken, lots, full, draw), 'PX', string.format('%.0f', math.ceil((last - now) / 1000)))
  else
    redis.call('DEL', KEYS[1])
  end
  return {settled, math.ceil(wait)}
end

-- Places that nobody came for are forgotten, and a draw that is due is held.
local kept = {}
for i, place in ipairs(taken) do
  if place[3] + grace >= now and i > #taken - 3 * places then kept[#kept + 1] = place end
end
taken = kept
if draw > 0 and now >= draw then
  if now <= draw + grace then
    for _, lot in ipairs(lots) do
      taken[#taken + 1] = {lot[1], lot[2], now + take(math.huge)}
    end
  end
  full, lots, draw = 0, {}, 0
end

-- Who has a place comes for it, or too early.
for i, place in ipairs(taken) do
  if place[1] == device then
    if place[3] > now then return answer(1, place[3] - now) end
    table.remove(taken, i)
    return answer(1, 0)
  end
end

local wait, counted = take(0)
if counted then return answer(1, 0) end
if not queue then return answer(0, 0) end

local ends = now
if #taken > 0 then ends = math.max(now, taken[#taken][3]) end
local neighbours = 0
for _, place in ipairs(taken) do
  if place[2] == network and place[3] > now then neighbours = neighbours + 1 end
end
if full == 0 and neighbours < share then
  wait, counted = take(ahead)
  if counted then
    taken[#taken + 1] = {device, network, now + wait}
    return answer(1, wait)
  end
  full, ends = 1, math.max(ends, now + wait)
end
if draw == 0 then draw = math.max(ends, now + 1000000) end

-- The lowest lots are kept, of each network no more than its share.
local number = redis.sha1hex(seed .. device .. string.format('%.0f', draw))
local at = #lots + 1
for i, lot in ipairs(lots) do
  if lot[3] == number then return answer(1, draw - now) end
  if number < lot[3] then at = i break end
end
table.insert(lots, at, {device, network, number})
local of, highest = 0, 0
for i, lot in ipairs(lots) do
  if lot[2] == network then of, highest = of + 1, i end
end
if of > share then
  table.remove(lots, highest)
elseif #lots > places then
  table.remove(lots)
end
return answer(1, draw - now)`)

// TakeTurn lets a stranger try at an account, or gives it a place in the
// account's line, for all nodes together. key, device and network name the
// account, the stranger and the part of the net it comes from; whoever reads
// the store sees them as they are given. Without queue a stranger for whom
// there is no turn is not settled, and gets no place. wait is 0 for one who is
// let through. The error wraps auth.ErrUnavailable when the server does not
// answer within the context's time.
func (s *Store) TakeTurn(ctx context.Context, key, device, network string, l Line, queue bool) (wait time.Duration, settled bool, err error) {
	whole := func(n int64) string { return strconv.FormatInt(n, 10) }
	queued := "0"
	if queue {
		queued = "1"
	}
	args := []string{
		device, network, l.Seed,
		whole(max(1, l.Interval.Microseconds())), whole(l.Burst.Microseconds()), whole(l.Ahead.Microseconds()), whole(l.Grace.Microseconds()),
		strconv.Itoa(l.Places), strconv.Itoa(l.Share), queued,
	}
	answer, err := scriptTurn.Exec(ctx, s.client, []string{throttlePrefix + key}, args).AsIntSlice()
	if err == nil && len(answer) != 2 {
		err = fmt.Errorf("%d numbers were answered", len(answer))
	}
	if err != nil {
		return 0, false, fmt.Errorf("take a turn: %w", classify(err))
	}
	return time.Duration(answer[1]) * time.Microsecond, answer[0] == 1, nil
}
