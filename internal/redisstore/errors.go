package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/valkey-io/valkey-go"

	"github.com/postern-auth/postern/internal/auth"
)

// errNotReplicated says that a write was done, but not by enough replicas in
// time.
var errNotReplicated = errors.New("too few replicas have the write")

// The first words of errors that say that a server can't serve now.
var awayWords = []string{
	"LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "NOREPLICAS", "OOM", "BUSY", "UNKILLABLE",
	"MOVED", "ASK", "ERR max number of clients", "NOMASTERLINK", "UNBLOCKED",
	"NOAUTH", "WRONGPASS", "NOPERM", "ERR ACL failure in script", // passwords and rights that were changed
}

// classify wraps err in auth.ErrUnavailable if the servers, the way to them
// or the caller's deadline is to blame, and not the command.
func classify(err error) error {
	if err == nil || valkey.IsValkeyNil(err) {
		return err
	}
	if answered, ok := valkey.IsValkeyErr(err); ok {
		for _, word := range awayWords {
			if strings.HasPrefix(answered.Error(), word) {
				return unavailable(err)
			}
		}
		return err
	}
	var network net.Error
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) || errors.As(err, &network) ||
		errors.Is(err, valkey.ErrClosing) || errors.Is(err, valkey.ErrNoSlot) || errors.Is(err, valkey.ErrNoAddr) || errors.Is(err, valkey.ErrReplicaOnlyNotSupported) ||
		errors.Is(err, errNotReplicated) || isLost(err) {
		return unavailable(err)
	}
	return err
}

// isLost knows the client's own words for a connection that has ended.
func isLost(err error) bool {
	text := err.Error()
	for _, words := range []string{"connection", "closed", "closing", "broken pipe", "timeout", "EOF", "no slot", "the connection"} {
		if strings.Contains(text, words) {
			return true
		}
	}
	return false
}

// unavailable wraps err in auth.ErrUnavailable, once; nil stays nil.
func unavailable(err error) error {
	if err == nil || errors.Is(err, auth.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", auth.ErrUnavailable, err)
}

// explain says what an error at the opening means for the operator.
func explain(name string, err error) error {
	way := "check host and port, TLS, and that the server runs"
	var old *oldServerError
	var certificate *tls.CertificateVerificationError
	switch text := err.Error(); {
	case errors.As(err, &old):
		return fmt.Errorf("open session store %s: Redis or Valkey %d or newer is needed (%w)", name, oldestVersion, err)
	case errors.As(err, &certificate):
		way = "name the file of the certificate authority that signed the server's certificate, which must be for that host, as the parameter ca_file"
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"):
		way = "check user and password"
	case strings.Contains(text, "NOPERM"), errors.Is(err, errHiddenCluster):
		way = "give the user what docs/redis.md lists"
	}
	return fmt.Errorf("open session store %s: %s (%w)", name, way, unavailable(err))
}
