package django

import (
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultResetTimeout is Django's PASSWORD_RESET_TIMEOUT: three days.
const DefaultResetTimeout = 3 * 24 * time.Hour

const resetTokenSalt = "django.contrib.auth.tokens.PasswordResetTokenGenerator"

// ResetTokens makes and checks tokens that allow to set a new password, as
// django.contrib.auth.tokens.PasswordResetTokenGenerator does. Nothing is
// stored: a token is over when the user's password, last login or address
// changes, or when it is too old. It may be used concurrently.
type ResetTokens struct {
	keys    []string
	timeout time.Duration
}

// NewResetTokens returns a maker of tokens that last for timeout, in whole
// seconds. The first key is Django's SECRET_KEY, the others its
// SECRET_KEY_FALLBACKS. ErrNoKey if there is none or one is empty.
func NewResetTokens(keys []string, timeout time.Duration) (*ResetTokens, error) {
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	return &ResetTokens{keys: slices.Clone(keys), timeout: timeout}, nil
}

// ResetUser is what of a user a token depends on.
type ResetUser struct {
	ID        int64
	Password  string    // the encoded password
	LastLogin time.Time // the zero Time if there was none
	Email     string
}

// Make returns a token for the user. Django reads the wall clock in its
// TIME_ZONE: where that is not UTC, give now in that location.
func (r *ResetTokens) Make(user ResetUser, now time.Time) string {
	return resetToken(r.keys[0], user, resetSeconds(now))
}

// Check reports whether the token is the user's and not too old. now is as in
// Make. Each comparison takes constant time.
func (r *ResetTokens) Check(user ResetUser, token string, now time.Time) bool {
	stamp, _, _ := strings.Cut(token, "-")
	made, err := strconv.ParseInt(stamp, 36, 64)
	if err != nil {
		return false
	}
	for _, key := range r.keys {
		if subtle.ConstantTimeCompare([]byte(resetToken(key, user, made)), []byte(token)) == 1 {
			return resetSeconds(now)-made <= int64(r.timeout/time.Second)
		}
	}
	return false
}

// resetToken is _make_token_with_timestamp; seconds are since 2001.
func resetToken(key string, user ResetUser, seconds int64) string {
	lastLogin := ""
	if !user.LastLogin.IsZero() {
		lastLogin = user.LastLogin.UTC().Format(time.DateTime)
	}
	sum := saltedHMAC(resetTokenSalt, key,
		strconv.FormatInt(user.ID, 10)+user.Password+lastLogin+strconv.FormatInt(seconds, 10)+user.Email)
	digits := hex.EncodeToString(sum[:])
	var half [len(sum)]byte
	for i := range half {
		half[i] = digits[2*i]
	}
	return strconv.FormatInt(seconds, 36) + "-" + string(half[:])
}

// resetSeconds counts the wall clock's seconds since 2001 as if every day had
// 24 hours, whatever the location.
func resetSeconds(now time.Time) int64 {
	wall := time.Date(now.Year(), now.Month(), now.Day(), now.Hour(), now.Minute(), now.Second(), 0, time.UTC)
	return wall.Unix() - time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC).Unix()
}
