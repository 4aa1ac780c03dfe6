package guard

import (
	"sync"
	"time"
)

const (
	// deviceAge is how long an address stays recognised after a login from it.
	deviceAge    = 30 * 24 * time.Hour
	deviceShards = 64
	// maxDeviceAccounts bounds the accounts of a shard, about 140 bytes each.
	maxDeviceAccounts = 1024
	// devicesOfAccount is how many devices of one account are recognised: the
	// latest. Who owns an account does not push out those of others.
	devicesOfAccount = 8
)

// recognisedDevices remembers from where accounts were logged in to.
type recognisedDevices struct {
	shards [deviceShards]struct {
		mu       sync.Mutex
		accounts map[uint64]devices
	}
}

// devices are those of one account, the latest first.
type devices [devicesOfAccount]struct {
	device uint64 // 0: none
	login  time.Duration
}

func newRecognisedDevices() *recognisedDevices {
	k := new(recognisedDevices)
	for i := range k.shards {
		k.shards[i].accounts = make(map[uint64]devices)
	}
	return k
}

func (k *recognisedDevices) has(who client, now time.Duration) bool {
	shard := &k.shards[who.account%deviceShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for _, d := range shard.accounts[who.account] {
		if d.device == who.device {
			return now-d.login < deviceAge
		}
	}
	return false
}

func (k *recognisedDevices) add(who client, now time.Duration) {
	shard := &k.shards[who.account%deviceShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	all, known := shard.accounts[who.account]
	if !known && len(shard.accounts) >= maxDeviceAccounts {
		forgetOne(shard.accounts)
	}
	at := 0
	for at < len(all)-1 && all[at].device != who.device {
		at++
	}
	copy(all[1:at+1], all[:at])
	all[0].device, all[0].login = who.device, now
	shard.accounts[who.account] = all
}

// forgetOne looks at a few accounts and forgets the one with the oldest login.
func forgetOne(accounts map[uint64]devices) {
	var oldest uint64
	looked, login := 0, time.Duration(0)
	for account, all := range accounts {
		if looked == 0 || all[0].login < login {
			oldest, login = account, all[0].login
		}
		if looked++; looked == 8 {
			break
		}
	}
	delete(accounts, oldest)
}
