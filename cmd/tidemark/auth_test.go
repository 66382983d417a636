package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
)

// writeCertificate makes a certificate of its own for 127.0.0.1.
func writeCertificate(t *testing.T, certPath, keyPath, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{certPath: {Type: "CERTIFICATE", Bytes: der}, keyPath: {Type: "EC PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// A server goes over to a renewed certificate without a restart, and stays with
// the old one when the new files are no good.
func TestACertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	f := &guardFlags{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = plain.Close() }()
	if _, err := f.secure(plain); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Fatalf("without files: %v", err)
	}
	first := writeCertificate(t, f.Cert, f.Key, "first")
	l, err := f.secure(plain)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(c).ReadString('\n')
			_ = c.Close()
		}
	}()
	shown := func(trust *x509.Certificate) string {
		t.Helper()
		pool := x509.NewCertPool()
		pool.AddCert(trust)
		c, err := tls.Dial("tcp", plain.Addr().String(), &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(first); got != "first" {
		t.Errorf("%q", got)
	}
	second := writeCertificate(t, f.Cert, f.Key, "second")
	if err := f.reload(); err != nil {
		t.Fatal(err)
	}
	if got := shown(second); got != "second" {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(f.Key, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.reload(); tidemark.CodeOf(err) != tidemark.CodeUsage {
		t.Errorf("%v", err)
	}
	if got := shown(second); got != "second" {
		t.Errorf("%q", got)
	}
}

func TestFlagsThatGoTogether(t *testing.T) {
	for name, f := range map[string]guardFlags{
		"a key without its certificate": {Key: "x"}, "an issuer of no tokens": {Issuer: "x"}, "nobody to revoke": {Revoked: "x"}, "algorithms of no keys": {Algorithms: []string{"HS256"}},
	} {
		if err := f.check(); tidemark.CodeOf(err) != tidemark.CodeUsage || tidemark.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (&guardFlags{Cert: "x"}).scheme() != "https://" || (&guardFlags{}).scheme() != "http://" {
		t.Error("the scheme is wrong")
	}
}
