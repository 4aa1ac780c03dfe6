package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/valkey-io/valkey-go"

	"github.com/postern-auth/postern/internal/freeport"
)

// redis is a Redis or Valkey of the run's own.
type redis struct {
	*process
	address netip.AddrPort
}

// startRedis runs a server in dir. Like the databases beside it, it has on the
// disk what it acknowledges.
func startRedis(ctx context.Context, dir string) (*redis, error) {
	program, err := redisProgram()
	if err != nil {
		return nil, err
	}
	attributes, err := engineProcess("")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "redis")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, fmt.Errorf("make a folder for Redis: %w", err)
	}
	address, err := freeport.TCP()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(data, "log")
	command := exec.Command(program,
		"--port", strconv.Itoa(int(address.Port())), "--bind", "127.0.0.1", "--dir", data, "--logfile", log, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--save", "")
	command.Dir, command.SysProcAttr = data, attributes
	running, err := startProcess(dir, command)
	if err != nil {
		return nil, err
	}
	running.log = log
	r := &redis{process: running, address: address}
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		err := r.connected(func(valkey.Client) error { return nil })
		if err == nil {
			return r, nil
		}
		if how, ended := r.ended(); ended || time.Since(begin) > startPatience || ctx.Err() != nil {
			r.stop()
			return nil, fmt.Errorf("start Redis: %w\n%s", errors.Join(how, err), r.lastWords())
		}
	}
}

func redisProgram() (string, error) {
	for _, name := range []string{"redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New(`there is no Redis or Valkey: install Debian's package redis-server ("make prepare" does), or have redis-server or valkey-server in PATH`)
}

func (r *redis) stop() { r.end(syscall.SIGTERM) }

// url is that of the server, for whoever reaches it at port.
func (r *redis) url(port uint16) string { return fmt.Sprintf("redis://127.0.0.1:%d", port) }

func (r *redis) connected(do func(valkey.Client) error) error {
	client, err := valkey.NewClient(valkey.ClientOption{InitAddress: []string{r.address.String()}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		return err
	}
	defer client.Close()
	return do(client)
}

// Where the program keeps a session, and the ids of a user's sessions.
const (
	sessionPrefix = "postern:s:"
	indexPrefix   = "postern:u:"
)

// fill copies the only session for everyone, and returns how many bytes of the
// server's memory each takes. The users are those of a database.
func (r *redis) fill(ctx context.Context, c crowd) (bytes float64, err error) {
	err = r.connected(func(client valkey.Client) error {
		keys, err := client.Do(ctx, client.B().Keys().Pattern(sessionPrefix+"*").Build()).AsStrSlice()
		if err != nil {
			return err
		}
		if len(keys) != 1 {
			return fmt.Errorf("%d sessions are stored, want one to copy", len(keys))
		}
		model, err := client.Do(ctx, client.B().Hgetall().Key(keys[0]).Build()).AsStrMap()
		if err != nil {
			return err
		}
		before, err := usedMemory(ctx, client)
		if err != nil {
			return err
		}
		if err := c.copySessions(ctx, client, model); err != nil {
			return err
		}
		after, err := usedMemory(ctx, client)
		bytes = (after - before) / float64(c.sessions)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("fill Redis: %w", err)
	}
	return bytes, nil
}

// copySessions writes sessions as the program writes them: a hash, and its
// place in the index of the user, both with their time to go.
func (c crowd) copySessions(ctx context.Context, client valkey.Client, model map[string]string) error {
	const batch = 500
	random, now := rand.New(rand.NewPCG(7, 8)), time.Now()
	var commands []valkey.Completed
	var key []byte
	for n := range c.sessions {
		key = appendKey(key[:0], n)
		id := sha256.Sum256(key)
		digits, user := hex.EncodeToString(id[:]), strconv.Itoa(c.userID(n))
		began := now.Add(-time.Duration(random.Int64N(int64(loggedInWithin))))
		ends, seen := began.Add(sessionAge), now
		if n >= c.fresh {
			seen = now.Add(ahead)
		}
		own := map[string]string{
			"uid": user, "csrf": csrfSecret, "ua": browser, "created": micros(began), "seen": micros(seen), "exp": micros(ends),
		}
		fields := client.B().Hset().Key(sessionPrefix + digits).FieldValue()
		for name, value := range model {
			if changed, ok := own[name]; ok {
				value = changed
			}
			fields = fields.FieldValue(name, value)
		}
		commands = append(commands, fields.Build(),
			client.B().Pexpireat().Key(sessionPrefix+digits).MillisecondsTimestamp(ends.UnixMilli()).Build(),
			client.B().Zadd().Key(indexPrefix+user).ScoreMember().ScoreMember(float64(ends.UnixMilli()), digits).Build(),
			client.B().Pexpireat().Key(indexPrefix+user).MillisecondsTimestamp(now.Add(sessionAge).UnixMilli()).Build())
		if n%batch < batch-1 && n < c.sessions-1 {
			continue
		}
		for _, result := range client.DoMulti(ctx, commands...) {
			if err := result.Error(); err != nil {
				return err
			}
		}
		commands = commands[:0]
	}
	return nil
}

func micros(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// usedMemory is what the server has allocated, in bytes.
func usedMemory(ctx context.Context, client valkey.Client) (float64, error) {
	info, err := client.Do(ctx, client.B().Info().Section("memory").Build()).ToString()
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(info) {
		if digits, ok := strings.CutPrefix(line, "used_memory:"); ok {
			return strconv.ParseFloat(strings.TrimSpace(digits), 64)
		}
	}
	return 0, errors.New("INFO memory does not tell used_memory")
}
