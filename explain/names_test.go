package explain

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSecretArguments: a call whose arguments are somebody's secrets cannot be written
// down, whichever way they are given.
func TestSecretArguments(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	const script = `
import sys
from names import arguments

def f(name, key="", *more, secret_key=None, tokens=0, **options):
    return arguments(sys._getframe(), f)

for given in [
    f("s3", region="eu"), f("s3", "de"), f("s3", secret_key=None), f("s3", tokens=3), f("s3", author="ann"),
    f("s3", secret_key="x"), f("s3", aws_access_key_id="x"), f("s3", password=b"x"), f("s3", auth=("ann", "x")),
    f("host=db password=x"), f("Server=db;Pwd=x;"), f(url="https://h/?a=b&token=x", name="s3"), f("https://0123456789abcdef01@o1.ingest.sentry.io/1"),
    f("s3", headers=("Authorization", "Basic x")), f("s3", signing_key="x"), f("s3", session_cookie="x"), f('{"password": "x"}'),
    f("author: ann"), f("the password of ann"), f("password="),
    f("redis://:x@h/0"), f("s3", "", "amqp://ann:x@h//"), f("s3", url="https://ann@h/a:b"),
]:
    print(given)
`
	cmd := exec.Command("python3", "-B", "-c", script)
	cmd.Dir = here
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := []string{
		`["'s3'", "region='eu'"]`, `["'s3'", "'de'"]`, `["'s3'"]`, `["'s3'", 'tokens=3']`, `["'s3'", "author='ann'"]`,
		"None", "None", "None", "None", "None", "None", "None", "None", "None", "None", "None", "None",
		`["'author: ann'"]`, `["'the password of ann'"]`, `["'password='"]`,
		"None", "None", `["'s3'", "url='https://ann@h/a:b'"]`,
	}
	if got := strings.Split(strings.TrimSpace(string(text)), "\n"); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
