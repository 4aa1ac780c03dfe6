package password

import (
	"fmt"
	"unicode/utf8"
)

// minimumLength is Django's MinimumLengthValidator. It counts code points.
type minimumLength int

func (least minimumLength) Validate(password string, _ Attributes) string {
	if utf8.RuneCountInString(password) >= int(least) {
		return ""
	}
	characters := "characters"
	if least == 1 {
		characters = "character"
	}
	return fmt.Sprintf("This password is too short. It must contain at least %d %s.", int(least), characters)
}
