//go:build !linux

package main

import (
	"context"
	"errors"
	"syscall"
)

var errLinuxOnly = errors.New("the benchmarks run on Linux only")

// drive needs epoll, and the figures of memory need /proc.
func drive(context.Context, load) (tally, error) { return tally{}, errLinuxOnly }

func engineProcess(string) (*syscall.SysProcAttr, error) { return nil, errLinuxOnly }

func giveTo(*syscall.SysProcAttr, string) error { return errLinuxOnly }

func freeDisk(string) (float64, error) { return 0, errLinuxOnly }
