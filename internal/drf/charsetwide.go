package drf

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// wide is UTF-16 or UTF-32, by the rules of Python's codecs.
type wide struct {
	size  int              // bytes of a unit: 2 or 4
	order binary.ByteOrder // nil: a byte order mark says, else little-endian
}

func (w wide) charset() *charset {
	c := &charset{decode: w.decode, stream: w.stream}
	if w.order != nil {
		c.stream = w.trimmed
	}
	return c
}

// decode is bytes.decode: without a byte order mark little-endian, and an
// error if the last unit is not whole.
func (w wide) decode(b []byte) ([]byte, bool) {
	if w.order == nil {
		w.order, b, _ = w.byteOrder(b)
	}
	text := make([]byte, 0, w.longest(len(b)))
	valid := true
	for len(b) >= w.size {
		r, n := w.rune(b)
		if r < 0 {
			r, valid = utf8.RuneError, false
		}
		text = utf8.AppendRune(text, r)
		b = b[n:]
	}
	if len(b) > 0 {
		text = utf8.AppendRune(text, utf8.RuneError)
		valid = false
	}
	return text, valid
}

// stream is the StreamReader's way: the byte order mark must be there, and
// what follows the last whole character is passed over.
func (w wide) stream(b []byte) ([]byte, bool) {
	order, rest, marked := w.byteOrder(b)
	if !marked && len(b) >= w.size {
		return nil, false
	}
	w.order = order
	return w.trimmed(rest)
}

func (w wide) trimmed(b []byte) ([]byte, bool) {
	b = b[:len(b)-len(b)%w.size]
	if n := len(b); w.size == 2 && n >= 2 && isHighSurrogate(rune(w.order.Uint16(b[n-2:]))) {
		b = b[:n-2]
	}
	return w.decode(b)
}

// byteOrder reads the byte order mark, if there is one.
func (w wide) byteOrder(b []byte) (order binary.ByteOrder, rest []byte, marked bool) {
	if len(b) >= w.size {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			if (wide{w.size, order}).unit(b) == 0xFEFF {
				return order, b[w.size:], true
			}
		}
	}
	return binary.LittleEndian, b, false
}

// longest is how many bytes of UTF-8 n bytes become at most.
func (w wide) longest(n int) int {
	if w.size == 2 {
		n += n / 2
	}
	return n + utf8.UTFMax
}

func (w wide) unit(b []byte) rune {
	if w.size == 2 {
		return rune(w.order.Uint16(b))
	}
	return rune(min(w.order.Uint32(b), utf8.MaxRune+1))
}

// rune reads the character at the start of b, which is at least one unit long.
// It is negative where there is none, and n how many bytes that takes.
func (w wide) rune(b []byte) (r rune, n int) {
	r = w.unit(b)
	switch {
	case w.size == 4 || !utf16.IsSurrogate(r):
		if !utf8.ValidRune(r) {
			r = -1
		}
		return r, w.size
	case isHighSurrogate(r) && len(b) >= 4:
		if pair := utf16.DecodeRune(r, w.unit(b[2:])); pair != utf8.RuneError {
			return pair, 4
		}
	}
	return -1, 2
}

func isHighSurrogate(r rune) bool { return 0xD800 <= r && r <= 0xDBFF }
