package stream

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A security is what an address says of TLS, in the words of redis-py.
type security struct {
	asked          bool // as in Celery, that turns it on
	insecure       bool // nothing is verified
	anyName        bool // whose a certificate is, is not verified
	cas, cert, key string
}

// untaken are options with another way to say the same.
var untaken = map[string]string{
	"ssl_password":              "name a key without a password, with ssl_keyfile=FILE",
	"ssl_ca_path":               "name the certificates with ssl_ca_certs=FILE",
	"ssl_ca_data":               "name the certificates with ssl_ca_certs=FILE",
	"ssl_validate_ocsp":         "leave it out: certificates are not looked up",
	"ssl_validate_ocsp_stapled": "leave it out: certificates are not looked up",
}

// security takes the options on TLS from the address.
func (a *address) security() (security, error) {
	var s security
	get := func(name string) string {
		value, found := a.take(name)
		s.asked = s.asked || found
		return value
	}
	reqs, check := get("ssl_cert_reqs"), get("ssl_check_hostname")
	s.anyName = strings.EqualFold(check, "false") || check == "0"
	for _, f := range []struct {
		name string
		to   *string
	}{{"ssl_ca_certs", &s.cas}, {"ssl_certfile", &s.cert}, {"ssl_keyfile", &s.key}} {
		if path := get(f.name); path != "" {
			var err error
			if *f.to, err = filepath.Abs(path); err != nil { // others read it, elsewhere
				return s, err
			}
		}
	}
	for _, name := range []string{"ssl_min_version", "ssl_ciphers", "ssl_include_verify_flags", "ssl_exclude_verify_flags"} {
		_ = get(name) // what is agreed on is as strong, or the server refuses
	}
	for _, o := range a.query {
		if way, found := untaken[o.name]; found {
			return s, fmt.Errorf("%s= is not taken: %s", o.name, way)
		}
	}
	switch strings.TrimPrefix(strings.ToLower(reqs), "cert_") {
	case "", "required", "optional": // a server always shows one
	case "none":
		s.insecure = true
	default:
		return s, errors.New("ssl_cert_reqs= must be none, optional or required")
	}
	if s.asked && isSocket(a.scheme) {
		return s, errors.New("a Unix socket has no TLS: leave out the options that begin with ssl_")
	}
	return s, nil
}

// complete sets what was said in go-redis's configuration; nil is not TLS.
func (s *security) complete(c *tls.Config) error {
	if c == nil {
		return nil
	}
	if s.cas != "" {
		pem, err := os.ReadFile(s.cas)
		if err != nil {
			return fmt.Errorf("ssl_ca_certs=%s: %w", s.cas, fileCause(err))
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("ssl_ca_certs=%s: holds no certificate in PEM", s.cas)
		}
	}
	if s.cert == "" && s.key != "" {
		return errors.New("ssl_keyfile= needs ssl_certfile=FILE")
	}
	if s.cert != "" {
		pair, err := tls.LoadX509KeyPair(s.cert, cmp.Or(s.key, s.cert))
		if err != nil {
			return fmt.Errorf("ssl_certfile=%s: %w", s.cert, fileCause(err))
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch {
	case s.insecure:
		c.InsecureSkipVerify = true
	case s.anyName:
		signedOnly(c)
	}
	return nil
}

// signedOnly verifies who signed a certificate, and not whose it is.
func signedOnly(c *tls.Config) {
	roots := c.RootCAs
	c.InsecureSkipVerify = true // instead of what follows
	c.VerifyConnection = func(s tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(o)
		return err
	}
}

func fileCause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
