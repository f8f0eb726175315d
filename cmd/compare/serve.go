package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"forkbench/serve"
	"forkbench/workload"
)

const (
	groupService = "The service"
	groupAllow   = "What may be run"
	groupGuard   = "Who may ask"

	// tokenVariable is the token, where --token-file names no file.
	tokenVariable = "FORKBENCH_SERVE_TOKEN"
)

// A serveOptions is what `compare serve` was asked to do.
type serveOptions struct {
	dir       string
	listen    string
	runs      bool
	targets   []serve.Target
	hosts     []string
	tokenFile string
	cert, key string
	insecure  bool
	verbose   bool
}

func serveFlags(o *serveOptions) []flag {
	return []flag{
		{group: groupService, name: "dir", value: "DIR", def: "runs", set: text(&o.dir, "--dir=runs"),
			usage: "the run directories; those that `compare --out=DIR/NAME` makes are shown, too"},
		{group: groupService, name: "listen", value: "ADDRESS", def: "127.0.0.1:8080", set: o.setListen,
			usage: "where to listen; port 0 takes a free one"},
		{group: groupService, name: "verbose", set: yes(&o.verbose), usage: "log more"},

		{group: groupAllow, name: "allow-runs", set: yes(&o.runs),
			usage: "comparisons of the built-in workloads may be started; without it, simulations only"},
		{group: groupAllow, name: "allow", value: "NAME=WORKLOAD,…", repeat: true, set: o.setAllow,
			usage: "comparisons of this one may be started, by that name: 'mail=py:app.tasks:send_mail,setup=app:create,path=.'; also python, payload, warm and env, several by repeating them; repeatable"},

		{group: groupGuard, name: "host", value: "NAME", repeat: true, set: o.setHost,
			usage: "a name under which browsers may ask for it, besides localhost; repeatable"},
		{group: groupGuard, name: "token-file", value: "FILE", set: text(&o.tokenFile, "--token-file=token"),
			usage: "the token that whoever asks must have; or in " + tokenVariable + "; needed except on loopback"},
		{group: groupGuard, name: "tls-cert", value: "FILE", set: text(&o.cert, "--tls-cert=cert.pem"), usage: "serve by TLS, with this certificate"},
		{group: groupGuard, name: "tls-key", value: "FILE", set: text(&o.key, "--tls-key=key.pem"), usage: "and its key"},
		{group: groupGuard, name: "insecure", set: yes(&o.insecure),
			usage: "serve other machines without TLS: the token can be read on the way"},
	}
}

func (o *serveOptions) setListen(text string) error {
	if _, _, err := net.SplitHostPort(text); err != nil {
		return errors.New("not an address, as in 127.0.0.1:8080")
	}
	o.listen = text
	return nil
}

var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)

func (o *serveOptions) setHost(text string) error {
	if !hostForm.MatchString(text) {
		return errors.New("not the name of a host, as in bench.example.org, perhaps with a port; there are no patterns")
	}
	o.hosts = append(o.hosts, text)
	return nil
}

var targetForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}$`)

// targetFlags are what may be said of an allowed workload besides what it is.
var targetFlags = []string{"setup", "warm", "python", "path", "payload", "env"}

// setAllow reads NAME=WORKLOAD,FLAG=VALUE,…; the values are checked as those flags are.
func (o *serveOptions) setAllow(text string) error {
	name, rest, ok := strings.Cut(text, "=")
	if !ok || !targetForm.MatchString(name) {
		return errors.New("begins with no name, as in mail=py:app.tasks:send_mail")
	}
	if slices.ContainsFunc(o.targets, func(t serve.Target) bool { return t.Name == name }) {
		return fmt.Errorf("%s is allowed twice", name)
	}
	parts := workload.SplitList(rest)
	what := strings.TrimSpace(parts[0])
	if _, err := workload.Parse(what); err != nil {
		return inner(err)
	}
	if !strings.HasPrefix(what, "py:") && !strings.HasPrefix(what, "jobs:") {
		return fmt.Errorf("%s: is a built-in workload: --allow-runs allows them", shorten(what, 80))
	}
	t := serve.Target{Name: name, Args: []string{"--workload=" + what}}
	scratch := new(options)
	known := pick(flagsOf(scratch), targetFlags...)
	for _, part := range parts[1:] {
		key, value, valued := strings.Cut(strings.TrimSpace(part), "=")
		i := slices.IndexFunc(known, func(f flag) bool { return f.name == key })
		switch {
		case i < 0:
			return fmt.Errorf("%s: %w", shorten(key, 40), unknown(key, targetFlags))
		case !valued:
			return fmt.Errorf("%s: needs a value: %[1]s=…", key)
		}
		if err := known[i].set(value); err != nil {
			return fmt.Errorf("%s=%s: %w", key, shorten(value, 80), err)
		}
		t.Args = append(t.Args, "--"+key+"="+value)
	}
	o.targets = append(o.targets, t)
	return nil
}

const serveLong = `Serve comparisons over HTTP: pages and an API to start them, to watch them, and to
look at all there are in a directory.

It listens on loopback, and shows and simulates; comparisons run jobs for real, and are
allowed by --allow-runs and --allow. No request names code. On another address than
loopback it needs a token, and TLS or --insecure. Docs: docs/service.md.`

// serveCommand is `compare serve`.
func (p *program) serveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve comparisons, and the history of them, over HTTP",
		Long:  serveLong,
		Example: `  compare serve --dir=runs --allow-runs
  compare serve --allow=mail=py:app.tasks:send_mail,python=.venv/bin/python,path=.
  compare serve --listen=0.0.0.0:8443 --host=bench.example.org --token-file=token \
      --tls-cert=cert.pem --tls-key=key.pem`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o := new(serveOptions)
			problems := append(noArguments(cmd, args), parse(cmd, serveFlags(o))...)
			token, more := o.token(p.getenv)
			if err := p.usage(cmd, slices.Concat(problems, more)); err != nil {
				return err
			}
			return p.serve(cmd.Context(), o, token)
		},
	}
	flags := serveFlags(new(serveOptions))
	bind(cmd, flags)
	for _, f := range flags {
		switch f.name {
		case "dir":
			completeFlag(cmd, f.name, completeDirectories)
		case "token-file", "tls-cert", "tls-key":
			completeFlag(cmd, f.name, completeFiles)
		default:
			completeFlag(cmd, f.name, cobra.NoFileCompletions)
		}
	}
	return cmd
}

// token reads the token, and says what is missing for the address.
func (o *serveOptions) token(getenv func(string) string) (token string, problems []string) {
	token = getenv(tokenVariable)
	if o.tokenFile != "" {
		text, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return "", []string{fmt.Sprintf("--token-file=%s: %v", o.tokenFile, pathCause(err))}
		}
		if token = strings.TrimSpace(string(text)); token == "" {
			return "", []string{fmt.Sprintf("--token-file=%s: is empty", o.tokenFile)}
		}
	}
	if (o.cert == "") != (o.key == "") {
		problems = append(problems, "--tls-cert and --tls-key go together")
	}
	if o.listen == "" || onLoopback(o.listen) {
		return token, problems
	}
	if token == "" {
		problems = append(problems, fmt.Sprintf("--listen=%s: others can reach it: give a token by --token-file or %s, as in `openssl rand -hex 32`", o.listen, tokenVariable))
	}
	if o.cert == "" && !o.insecure {
		problems = append(problems, fmt.Sprintf("--listen=%s: others can read along: give --tls-cert and --tls-key, or --insecure", o.listen))
	}
	return token, problems
}

// onLoopback reports whether only this machine can reach an address.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// serve runs the service until a signal.
func (p *program) serve(ctx context.Context, o *serveOptions, token string) error {
	executable, err := os.Executable()
	if err != nil {
		return err
	}
	level := zapcore.InfoLevel
	if o.verbose {
		level = zapcore.DebugLevel
	}
	encoder := zap.NewProductionEncoderConfig()
	encoder.EncodeTime = zapcore.RFC3339TimeEncoder
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(encoder), zapcore.Lock(zapcore.AddSync(p.stderr)), level))
	server, err := serve.New(serve.Options{
		Dir: o.dir, Program: []string{executable}, Env: withoutToken(os.Environ()),
		Runs: o.runs, Targets: o.targets, Hosts: o.hosts, Token: token, Log: log,
	})
	if err != nil {
		return exitWith(exitUsage, fmt.Errorf("--dir=%s: %w", o.dir, err))
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return exitWith(exitUsage, errors.Join(fmt.Errorf("--listen=%s: %w", o.listen, err), server.Close()))
	}
	scheme := "http"
	address := l.Addr()
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return exitWith(exitUsage, errors.Join(fmt.Errorf("--tls-cert=%s: %w", o.cert, err), l.Close(), server.Close()))
		}
		l, scheme = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}), "https"
	}
	_, _ = fmt.Fprintf(p.stdout, "%s://%s/\n", scheme, address) // it is only said

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-p.signals:
			_, _ = io.WriteString(p.stderr, "stopping: the run that goes on ends in order; press Ctrl-C again to end at once\n")
			p.giveUp() // it is the system's to handle
			cancel()
		case <-ctx.Done():
		}
	})
	err = server.Serve(ctx, l)
	cancel()
	waiting.Wait()
	return err
}

// withoutToken is an environment for jobs.
func withoutToken(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, tokenVariable+"=") })
}
