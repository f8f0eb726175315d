package plots

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"forkbench/runner"
)

// Write draws every plot of a into dir, which must exist, in each format. It
// returns the names of the files it has written, without dir, in reading order;
// after an error, of those that are complete. Files of the same names are
// replaced, each in one step: no file is ever half written.
func Write(dir string, a *runner.Analysis) ([]string, error) {
	var names []string
	for _, p := range All() {
		for _, f := range Formats() {
			name := p.Name + "." + string(f)
			err := writeFile(filepath.Join(dir, name), func(w io.Writer) error { return p.Draw(w, f, a) })
			if err != nil {
				return names, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// writeFile makes the file path hold what write writes, or leaves it as it was.
func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	b := bufio.NewWriter(f)
	err = write(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Chmod(0o644)
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, errors.Join(cause(err), os.Remove(f.Name())))
	}
	return nil
}

// cause is what went wrong, without the name of the temporary file it went
// wrong with.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
