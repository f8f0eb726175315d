// Package api holds what programs outside of this module may rely on: api.txt, a line
// for each exported name of each public package. The test shows what a change does to it.
package api

import (
	"flag"
	"fmt"
	"go/types"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/go/packages"
)

var update = flag.Bool("update", false, "write api.txt anew")

func TestAPI(t *testing.T) {
	got := strings.Join(face(t), "\n") + "\n"
	if *update {
		if err := os.WriteFile("api.txt", []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("api.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the public face has changed (-before +now); if it is meant, go test ./api -update, and a line in CHANGELOG.md:\n%s", diff)
	}
}

// face lists the public packages and what they export.
func face(t *testing.T) []string {
	t.Helper()
	found, err := packages.Load(&packages.Config{Mode: packages.LoadTypes, Dir: ".."}, "./...")
	if err != nil {
		t.Fatal(err)
	}
	if packages.PrintErrors(found) > 0 {
		t.Fatal("the packages have errors")
	}
	var lines []string
	for _, p := range found {
		if p.Name == "main" || strings.Contains(p.PkgPath+"/", "/internal/") {
			continue
		}
		lines = append(lines, "package "+p.PkgPath)
		for _, name := range p.Types.Scope().Names() {
			if o := p.Types.Scope().Lookup(name); o.Exported() {
				lines = append(lines, describe(p.Types, o)...)
			}
		}
	}
	if len(lines) == 0 {
		t.Fatal("there are no packages")
	}
	slices.Sort(lines)
	return lines
}

// describe is a name with all that can be reached by it. Each line begins with the
// package, so that a line says all by itself.
func describe(p *types.Package, o types.Object) []string {
	local := func(other *types.Package) string {
		if other == p {
			return ""
		}
		return other.Name()
	}
	line := func(format string, args ...any) string {
		return "package " + p.Path() + ": " + fmt.Sprintf(format, args...)
	}
	switch o := o.(type) {
	case *types.Const:
		return []string{line("const %s %s = %s", o.Name(), types.TypeString(o.Type(), local), o.Val())}
	case *types.Var:
		return []string{line("var %s %s", o.Name(), types.TypeString(o.Type(), local))}
	case *types.Func:
		return []string{line("%s", types.ObjectString(o, local))}
	}
	if alias, ok := o.Type().(*types.Alias); ok {
		return []string{line("type %s = %s", o.Name(), types.TypeString(alias.Rhs(), local))}
	}
	named, ok := o.Type().(*types.Named)
	if !ok {
		return []string{line("%s", types.ObjectString(o, local))}
	}
	var lines []string
	switch u := named.Underlying().(type) {
	case *types.Struct:
		lines = append(lines, line("type %s struct", o.Name()))
		for f := range u.Fields() {
			if f.Exported() {
				lines = append(lines, line("type %s struct, %s %s", o.Name(), f.Name(), types.TypeString(f.Type(), local)))
			}
		}
	case *types.Interface:
		lines = append(lines, line("type %s interface", o.Name()))
		for m := range u.Methods() {
			if m.Exported() {
				lines = append(lines, line("type %s interface, %s%s", o.Name(), m.Name(), strings.TrimPrefix(types.TypeString(m.Type(), local), "func")))
			} else {
				lines = append(lines, line("type %s interface, of this package's own types only", o.Name()))
			}
		}
	default:
		lines = append(lines, line("type %s %s", o.Name(), types.TypeString(u, local)))
	}
	for m := range named.Methods() {
		if m.Exported() {
			lines = append(lines, line("%s", types.ObjectString(m, local)))
		}
	}
	return slices.Compact(lines)
}
