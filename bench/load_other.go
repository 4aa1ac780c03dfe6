//go:build !linux

package main

import (
	"context"
	"errors"
)

// drive needs epoll, and the figures of memory need /proc.
func drive(context.Context, load) (tally, error) {
	return tally{}, errors.New("the benchmarks run on Linux only")
}
