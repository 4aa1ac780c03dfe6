package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/postern-auth/postern"
)

// Permissions that make a file weak.
const (
	othersRead       fs.FileMode = 0o004
	othersUse        fs.FileMode = 0o007
	groupOrOthersUse fs.FileMode = 0o077
	othersReplace    fs.FileMode = 0o022
)

// weakFiles are the files of the settings that more users of the machine may
// read or replace than should. Windows has no such permissions.
func (r *resolved) weakFiles() []postern.Weakness {
	if runtime.GOOS == "windows" {
		return nil
	}
	database := databaseFile(r.config.Database)
	var found []postern.Weakness
	for _, rule := range []struct {
		id, setting, path string
		weak              fs.FileMode
		why, wayOut       string
	}{
		{"postern.W090", "SECRET_KEY_FILE", r.secretKeyFile, groupOrOthersUse,
			"other users of the machine may read the secret key", "chmod 600"},
		{"postern.W091", "DATABASE_URL", database, othersUse,
			"every user of the machine may read or change the users and their hashes", "chmod 600, of PATH-wal and PATH-shm too"},
		{"postern.W092", "DATABASE_URL", folderOf(database), othersReplace,
			"other users of the machine may put another file in the place of the database", "chmod 700 the directory, or give the database one of its own"},
		{"postern.W093", "TLS_KEY", r.listen.TLSKey, groupOrOthersUse,
			"other users of the machine may read the private key", "chmod 600"},
		{"postern.W094", "CONFIG", r.fileOfSecret(), othersRead,
			"every user of the machine may read the file of settings, which holds the secret key", "chmod 640 the file, or move the key to a POSTERN_SECRET_KEY_FILE"},
	} {
		mode, ok := permissions(rule.path)
		if !ok || mode&rule.weak == 0 {
			continue
		}
		found = append(found, postern.Weakness{
			ID: rule.id, AtStart: rule.id == "postern.W090" || rule.id == "postern.W094", Setting: envPrefix + rule.setting, Value: rule.path,
			Why: fmt.Sprintf("%s (its mode is %04o)", rule.why, mode), WayOut: rule.wayOut,
		})
	}
	return found
}

func folderOf(file string) string {
	if file == "" {
		return ""
	}
	return filepath.Dir(file)
}

// fileOfSecret is the file of settings if the secret key stands in it.
func (r *resolved) fileOfSecret() string {
	if r.sources["SECRET_KEY"] != fromFile && r.sources["SECRET_KEY_FALLBACKS"] != fromFile {
		return ""
	}
	return r.bound.configFile
}

// permissions is false for what is not there. In a directory with the sticky
// bit nobody replaces the files of another.
func permissions(path string) (fs.FileMode, bool) {
	if path == "" {
		return 0, false
	}
	file, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	if file.IsDir() && file.Mode()&fs.ModeSticky != 0 {
		return 0, false
	}
	return file.Mode().Perm(), true
}
