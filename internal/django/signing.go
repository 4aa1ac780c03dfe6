package django

import (
	"bytes"
	"compress/zlib"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxSigned is how many bytes Loads gives at most, however well they were
// compressed: 4 MiB.
const MaxSigned = 4 << 20

// Why a signed value is refused. ErrSignatureExpired is an ErrBadSignature,
// as in Django.
var (
	ErrBadSignature     = errors.New("bad signature")
	ErrSignatureExpired = fmt.Errorf("%w: too old", ErrBadSignature)
	// ErrSignedPayload is a value that was signed with the right key and yet
	// is not what the key's owner signs.
	ErrSignedPayload = errors.New("malformed signed payload")
	// ErrTooLarge is a payload of more than MaxSigned bytes.
	ErrTooLarge = errors.New("signed payload too large")
	// ErrNoKey is a list of keys that is empty or has an empty one.
	ErrNoKey = errors.New("no secret key")
)

// signedSep stands between the parts of a signed value.
const signedSep = ":"

// A Signer signs text and refuses text that it did not sign
// (django.core.signing.Signer with SHA-256). It may be used concurrently.
type Signer struct {
	keys [][sha256.Size]byte // of the HMAC; the first one signs, each verifies
}

// NewSigner returns a signer for one purpose, which the salt names. The first
// key is Django's SECRET_KEY, the others its SECRET_KEY_FALLBACKS. ErrNoKey if
// there is none or one is empty.
func NewSigner(keys []string, salt string) (*Signer, error) {
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	s := &Signer{}
	for _, key := range keys {
		s.keys = append(s.keys, saltedKey(salt+"signer", key))
	}
	return s, nil
}

// checkKeys refuses what would let anyone sign.
func checkKeys(keys []string) error {
	if len(keys) == 0 || slices.Contains(keys, "") {
		return ErrNoKey
	}
	return nil
}

// Sign returns the value and its signature, separated by a colon.
func (s *Signer) Sign(value string) string {
	return value + signedSep + signature(&s.keys[0], value)
}

// Unsign returns the value in a signed text. ErrBadSignature if none of the
// keys signed it. Each comparison takes constant time.
func (s *Signer) Unsign(signed string) (string, error) {
	i := strings.LastIndex(signed, signedSep)
	if i < 0 {
		return "", ErrBadSignature
	}
	value, sent := signed[:i], []byte(signed[i+1:])
	for k := range s.keys {
		if subtle.ConstantTimeCompare([]byte(signature(&s.keys[k], value)), sent) == 1 {
			return value, nil
		}
	}
	return "", ErrBadSignature
}

func signature(key *[sha256.Size]byte, value string) string {
	mac := hmac.New(sha256.New, key[:])
	io.WriteString(mac, value)
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// A TimestampSigner signs text together with the time
// (django.core.signing.TimestampSigner). It may be used concurrently.
type TimestampSigner struct{ signer *Signer }

// NewTimestampSigner is NewSigner for a TimestampSigner.
func NewTimestampSigner(keys []string, salt string) (*TimestampSigner, error) {
	s, err := NewSigner(keys, salt)
	if err != nil {
		return nil, err
	}
	return &TimestampSigner{s}, nil
}

// Sign returns the value, the time in whole seconds, and the signature of both.
func (s *TimestampSigner) Sign(value string, now time.Time) string {
	return s.signer.Sign(value + signedSep + EncodeBase62(now.Unix()))
}

// Unsign returns the value in a signed text, whenever that was signed, and
// when that was. ErrBadSignature if none of the keys signed it,
// ErrSignedPayload if one did and there is no time in it.
func (s *TimestampSigner) Unsign(signed string) (value string, at time.Time, err error) {
	value, err = s.signer.Unsign(signed)
	if err != nil {
		return "", time.Time{}, err
	}
	i := strings.LastIndex(value, signedSep)
	if i < 0 {
		return "", time.Time{}, ErrSignedPayload
	}
	seconds, err := DecodeBase62(value[i+1:])
	if err != nil {
		return "", time.Time{}, ErrSignedPayload
	}
	return value[:i], time.Unix(seconds, 0), nil
}

// UnsignWithin is Unsign of what was signed at most maxAge before now;
// ErrSignatureExpired for what is older. As in Django, a time in the future
// is not too old.
func (s *TimestampSigner) UnsignWithin(signed string, maxAge time.Duration, now time.Time) (string, error) {
	value, at, err := s.Unsign(signed)
	if err != nil {
		return "", err
	}
	if now.Sub(at) > maxAge {
		return "", ErrSignatureExpired
	}
	return value, nil
}

// Dumps signs a JSON text as django.core.signing.dumps does an object. The
// text should be ASCII, as Python's serializer writes it.
func (s *TimestampSigner) Dumps(text []byte, now time.Time) string {
	return s.Sign(base64.RawURLEncoding.EncodeToString(text), now)
}

// DumpsCompressed is Dumps with compress=True: the text is compressed if that
// makes it shorter by more than the dot that says so.
func (s *TimestampSigner) DumpsCompressed(text []byte, now time.Time) string {
	packed := deflate(text)
	if len(packed) >= len(text)-1 {
		return s.Dumps(text, now)
	}
	return s.Sign("."+base64.RawURLEncoding.EncodeToString(packed), now)
}

// Loads returns the JSON text that Dumps or DumpsCompressed signed, here or in
// Django, and when that was. ErrBadSignature if none of the keys signed it,
// ErrSignedPayload if one did and it can't be decoded, ErrTooLarge if it is
// longer than MaxSigned.
func (s *TimestampSigner) Loads(signed string) (text []byte, at time.Time, err error) {
	if len(signed) > 2*MaxSigned {
		return nil, time.Time{}, ErrTooLarge
	}
	value, at, err := s.Unsign(signed)
	if err != nil {
		return nil, time.Time{}, err
	}
	value, compressed := strings.CutPrefix(value, ".")
	text, err = base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return nil, time.Time{}, ErrSignedPayload
	}
	if compressed {
		text, err = inflate(text)
	}
	if err == nil && len(text) > MaxSigned {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, time.Time{}, err
	}
	return text, at, nil
}

// A compressor is most of a megabyte: the ones at rest are used again.
var (
	deflaters = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}
	inflaters sync.Pool
)

// deflate compresses at zlib's default level, as Python does. The bytes are
// not zlib's own, but any zlib reads them.
func deflate(text []byte) []byte {
	var packed bytes.Buffer
	w := deflaters.Get().(*zlib.Writer)
	defer deflaters.Put(w)
	w.Reset(&packed)
	w.Write(text) // a bytes.Buffer takes everything
	w.Close()
	return packed.Bytes()
}

// inflate gives up beyond MaxSigned bytes.
func inflate(packed []byte) ([]byte, error) {
	source := bytes.NewReader(packed)
	r, _ := inflaters.Get().(io.ReadCloser)
	var err error
	if r == nil {
		r, err = zlib.NewReader(source)
	} else {
		err = r.(zlib.Resetter).Reset(source, nil)
	}
	if err != nil {
		return nil, ErrSignedPayload
	}
	defer inflaters.Put(r)
	text, err := io.ReadAll(io.LimitReader(r, MaxSigned+1))
	if err != nil {
		return nil, ErrSignedPayload
	}
	return text, nil
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// EncodeBase62 writes a number as django.core.signing.b62_encode does.
func EncodeBase62(n int64) string {
	var digits [12]byte // 11 for 2⁶³, and a sign
	at := len(digits)
	rest := uint64(n)
	if n < 0 {
		rest = -rest
	}
	for {
		at--
		digits[at] = base62[rest%62]
		if rest /= 62; rest == 0 {
			break
		}
	}
	if n < 0 {
		at--
		digits[at] = '-'
	}
	return string(digits[at:])
}

// DecodeBase62 reads what EncodeBase62 wrote. ErrBase62 if it is no number or
// does not fit into an int64.
func DecodeBase62(s string) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	if digits == "" {
		return 0, ErrBase62
	}
	var n int64
	for i := range len(digits) {
		digit := strings.IndexByte(base62, digits[i])
		if digit < 0 || n > (math.MaxInt64-int64(digit))/62 {
			return 0, ErrBase62
		}
		n = n*62 + int64(digit)
	}
	if negative {
		n = -n
	}
	return n, nil
}

// ErrBase62 is text that is no number in base 62.
var ErrBase62 = errors.New("not a number in base 62")
