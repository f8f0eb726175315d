package explain_test

import (
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestPublicTypes: whoever uses the package from another module can name the types of
// each exported field, and of all that exported methods and functions take and return.
func TestPublicTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("the compiler's work, which the race detector would have done again")
	}
	const path = "forkbench/explain"
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", path)
	list.Stderr = os.Stderr
	text, err := list.Output()
	check(t, err)
	compiled := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		compiled[name] = file
	}
	from := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(compiled[path]) })
	pkg, err := from.Import(path)
	check(t, err)
	face := face{t: t, pkg: pkg, seen: make(map[types.Type]bool)}
	for _, name := range pkg.Scope().Names() {
		if o := pkg.Scope().Lookup(name); o.Exported() {
			face.look(name, o.Type())
		}
	}
	if len(face.seen) < 20 {
		t.Errorf("only %d types looked at", len(face.seen))
	}
}

// A face is what a package shows to others.
type face struct {
	t    *testing.T
	pkg  *types.Package
	seen map[types.Type]bool
}

// look looks at a type that is met on the way to it from something exported.
func (f *face) look(way string, of types.Type) {
	if f.seen[of] {
		return
	}
	f.seen[of] = true
	switch of := of.(type) {
	case *types.Alias:
		f.named(way, of.Obj())
	case *types.Named:
		if f.named(way, of.Obj()) && of.Obj().Pkg() == f.pkg {
			f.look(way, of.Underlying())
			for selected := range types.NewMethodSet(types.NewPointer(of)).Methods() {
				if m := selected.Obj(); m.Exported() {
					f.look(way+"."+m.Name(), m.Type())
				}
			}
		}
		for arg := range of.TypeArgs().Types() {
			f.look(way, arg)
		}
	case *types.Struct:
		for field := range of.Fields() {
			if field.Exported() || field.Embedded() {
				f.look(way+"."+field.Name(), field.Type())
			}
		}
	case *types.Signature:
		f.look(way, of.Params())
		f.look(way, of.Results())
	case *types.Tuple:
		for v := range of.Variables() {
			f.look(way, v.Type())
		}
	case *types.Map:
		f.look(way, of.Key())
		f.look(way, of.Elem())
	case *types.Interface:
		for m := range of.Methods() {
			f.look(way+"."+m.Name(), m.Type())
		}
	case interface{ Elem() types.Type }: // a pointer, a slice, an array, a channel
		f.look(way, of.Elem())
	}
}

// named reports whether others can name a type, and says so where they cannot.
func (f *face) named(way string, o *types.TypeName) bool {
	if o.Pkg() == nil { // error
		return true
	}
	internal := strings.Contains("/"+o.Pkg().Path()+"/", "/internal/")
	if internal || !o.Exported() {
		f.t.Errorf("%s has the type %s.%s, which another module cannot name", way, o.Pkg().Path(), o.Name())
		return false
	}
	return true
}
