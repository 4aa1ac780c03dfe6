package drf

const usernameMessage = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."

// Username validates the characters of a username as Django's UnicodeUsernameValidator, `^[\w.@+-]+\Z`:
// letters and numbers of any script, and . @ + - _. Length is not its matter.
func Username(text string) string {
	if text == "" {
		return usernameMessage
	}
	for _, r := range text {
		switch r {
		case '.', '@', '+', '-':
		default:
			if !isWord(r) {
				return usernameMessage
			}
		}
	}
	return ""
}
