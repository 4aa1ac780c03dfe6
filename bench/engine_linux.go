package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// engineProcess is how a server of PostgreSQL or Redis is run: as the user of
// that name if this is root, and never longer than this process.
func engineProcess(name string) (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT}
	if name == "" || os.Getuid() != 0 {
		return attributes, nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("as root, servers are run by a user %s, whom Debian's package makes: %w", name, err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user %s: %w", name, err)
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user %s: %w", name, err)
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attributes, nil
}

// giveTo makes a folder that of the user who runs with the attributes.
func giveTo(attributes *syscall.SysProcAttr, folder string) error {
	if attributes.Credential == nil {
		return nil
	}
	if err := os.Chown(folder, int(attributes.Credential.Uid), int(attributes.Credential.Gid)); err != nil {
		return fmt.Errorf("give a folder to the user of a server: %w", err)
	}
	return nil
}

// freeDisk is how many bytes are free where a folder is.
func freeDisk(folder string) (float64, error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, fmt.Errorf("look how much of the disk is free: %w", err)
	}
	return float64(disk.Bavail) * float64(disk.Bsize), nil
}
