package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/postern-auth/postern"
	"github.com/postern-auth/postern/internal/dburl"
)

// useDevSecret gives dev the secret key that lies beside its database, and
// makes it at the first start.
func (r *resolved) useDevSecret() error {
	if !r.generated {
		return nil
	}
	path := cmp.Or(databaseFile(r.config.Database), databaseFile(defaultDatabase)) + ".secret"
	key, err := devSecret(path)
	if err != nil {
		return &postern.ConfigError{Setting: path, Problem: err.Error()}
	}
	r.config.SecretKey = key
	return nil
}

// devSecret reads the secret key at path, or makes one if there is none.
func devSecret(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := createSecret(path); err != nil {
			return "", fmt.Errorf("can't make the secret key of the development server: %w", err)
		}
		info, err = os.Lstat(path)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("can't read the secret key of the development server: %w", withoutPath(err))
	case !info.Mode().IsRegular():
		return "", errors.New("holds the secret key of the development server and is not a regular file; remove it and start again")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("holds the secret key of the development server and others may read it; run: chmod 600 %s", path)
	}
	content, err := readSmall(path)
	if err != nil {
		return "", fmt.Errorf("can't read the secret key of the development server: %w", err)
	}
	key := strings.TrimSpace(string(content))
	if len(key) < 32 {
		return "", errors.New("should hold the secret key of the development server, but is too short; remove it and start again")
	}
	return key, nil
}

// createSecret writes a new secret to path at once, whole or not at all. When
// another process was first, its secret stays.
func createSecret(path string) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.Remove(file.Name()); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}()
	_, err = fmt.Fprintln(file, rand.Text()+rand.Text())
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	err = os.Link(file.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without hard links
		return os.Rename(file.Name(), path)
	}
	return nil
}

// databaseFile is the path of an SQLite database; "" for one that is no file.
func databaseFile(url string) string {
	file, err := dburl.SQLite(url)
	if err != nil {
		return ""
	}
	return file.Path
}
