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

// A defect is a panic in the drawing of one plot. The other plots can still be
// drawn.
type defect struct {
	plot  string
	value any
}

var _ error = (*defect)(nil)

func (d *defect) Error() string {
	return fmt.Sprintf("the plot %q cannot be drawn from these records, which is a defect of this program: %v", d.plot, d.value)
}

// Write draws every plot of a into dir, which must exist, in each format. It
// returns the names of the files it has written, without dir, in reading order;
// after an error, of those that are complete. Files of the same names are
// replaced, each in one step: no file is ever half written.
//
// A file that cannot be written ends it. A plot whose drawing panics does not:
// the others are written, and the error names that plot.
func Write(dir string, a *runner.Analysis) ([]string, error) {
	return write(dir, All(), a)
}

func write(dir string, plots []Plot, a *runner.Analysis) ([]string, error) {
	var drawings []drawing
	for _, p := range plots {
		drawings = append(drawings, drawing{p.Name, func(w io.Writer, f Format) error { return p.Draw(w, f, a) }})
	}
	return writeAll(dir, drawings)
}

// A drawing is a picture that may not have been laid out yet.
type drawing struct {
	name string
	draw func(io.Writer, Format) error
}

func writeAll(dir string, drawings []drawing) (names []string, err error) {
	var defects []error
	for _, d := range drawings {
		for _, f := range Formats() {
			name := d.name + "." + string(f)
			err := writeFile(filepath.Join(dir, name), func(w io.Writer) error { return d.try(w, f) })
			if _, ok := errors.AsType[*defect](err); ok {
				defects = append(defects, err)
				break // the other formats draw the same
			}
			if err != nil {
				return names, errors.Join(append(defects, err)...)
			}
			names = append(names, name)
		}
	}
	return names, errors.Join(defects...)
}

// try draws, with a panic as an error.
func (d drawing) try(w io.Writer, f Format) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &defect{d.name, v}
		}
	}()
	return d.draw(w, f)
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
