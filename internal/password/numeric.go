package password

// numeric is Django's NumericPasswordValidator.
type numeric struct{}

func (numeric) Validate(password string, _ Attributes) string {
	if password == "" {
		return ""
	}
	for _, r := range password {
		if !isDigit(r) {
			return ""
		}
	}
	return "This password is entirely numeric."
}
