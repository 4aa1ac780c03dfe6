package guard

import (
	"sync"
	"time"
)

const (
	deviceShards = 64
	// maxDeviceAccounts bounds the accounts of a shard, about 140 bytes each.
	maxDeviceAccounts = 1024
	// devicesOfAccount is how many devices of one account are known: the
	// latest. Who owns an account does not push out those of others.
	devicesOfAccount = 8
)

// knownDevices remembers from where accounts were logged in to.
type knownDevices struct {
	shards [deviceShards]struct {
		mu       sync.Mutex
		accounts map[uint64]devices
	}
}

// devices are those of one account, the latest first.
type devices [devicesOfAccount]struct {
	device uint64
	login  int64 // unix seconds; 0: none
}

func newKnownDevices() *knownDevices {
	k := new(knownDevices)
	for i := range k.shards {
		k.shards[i].accounts = make(map[uint64]devices)
	}
	return k
}

func (k *knownDevices) has(who applicant, now time.Time) bool {
	shard := &k.shards[who.account%deviceShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	for _, d := range shard.accounts[who.account] {
		if d.device == who.device && d.login != 0 {
			return now.Unix()-d.login < int64(deviceAge/time.Second)
		}
	}
	return false
}

func (k *knownDevices) add(who applicant, now time.Time) {
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
	all[0].device, all[0].login = who.device, now.Unix()
	shard.accounts[who.account] = all
}

// forgetOne looks at a few accounts and forgets the one with the oldest login.
func forgetOne(accounts map[uint64]devices) {
	var oldest uint64
	looked, login := 0, int64(0)
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
