package core_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockaccel/sockaccel/internal/testkit"
)

// kTLS: after setsockopt(TCP_ULP, "tls") and the keys, the kernel enciphers what
// the program sends. An sk_msg program sees the plaintext, so a socket must have
// either.

const (
	solTLS = 282
	tlsTX  = 1
	tlsRX  = 2
)

// tlsInfo is struct tls12_crypto_info_aes_gcm_128: TLS 1.2, a key and a salt of
// ours, and records numbered from 0.
func tlsInfo() []byte {
	info := binary.NativeEndian.AppendUint16(nil, 0x0303)
	info = binary.NativeEndian.AppendUint16(info, 51)
	info = append(info, make([]byte, 8)...)
	info = append(info, tlsKey...)
	info = append(info, tlsSalt...)
	return append(info, make([]byte, 8)...)
}

var (
	tlsKey  = []byte("sixteen byte key")
	tlsSalt = []byte("salt")
)

// tlsRecords is one direction, as its reader sees it without kTLS.
type tlsRecords struct{ next uint64 }

const tlsOverhead = 5 + 8 + 16 // header, explicit nonce, tag

// open deciphers one record of application data.
func (r *tlsRecords) open(record []byte) ([]byte, error) {
	if len(record) < tlsOverhead || !bytes.Equal(record[:3], []byte{23, 3, 3}) {
		return nil, fmt.Errorf("not a record: %q", record)
	}
	block, err := aes.NewCipher(tlsKey)
	if err != nil {
		return nil, err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	aad := binary.BigEndian.AppendUint64(nil, r.next)
	aad = append(aad, record[:3]...)
	aad = binary.BigEndian.AppendUint16(aad, uint16(len(record)-tlsOverhead))
	r.next++
	return gcm.Open(nil, append(bytes.Clone(tlsSalt), record[5:13]...), record[13:], aad)
}

// mustRecv fails the test unless the next record is message, and nothing of it
// can be read without the key.
func (r *tlsRecords) mustRecv(tb testing.TB, a *testkit.Agent, fd int, message []byte) {
	tb.Helper()
	record, err := a.RecvAll(fd, tlsOverhead+len(message), patience)
	if err != nil {
		tb.Fatalf("the raw peer reads %q, %v; want a record of %q", record, err, message)
	}
	if got, err := r.open(record); err != nil || !bytes.Equal(got, message) {
		tb.Fatalf("the raw peer reads %q, deciphered %q, %v; want %q", record, got, err, message)
	}
}

// requireTLS skips where the kernel has none.
func requireTLS(tb testing.TB) {
	tb.Helper()
	testkit.RequireRoot(tb)
	a := testkit.StartAgent(tb, testkit.AgentOptions{Name: "outside"})
	lfd, addr := a.MustListen(tb, testkit.Loopback, false)
	fd := a.MustDial(tb, addr, false)
	if err := startTLS(a, fd); err != nil {
		tb.Skipf("this kernel has no kTLS: %v", err)
	}
	a.MustClose(tb, fd)
	a.MustClose(tb, lfd)
}

func startTLS(a *testkit.Agent, fd int) error {
	return a.SetsockoptBytes(fd, unix.SOL_TCP, unix.TCP_ULP, []byte("tls"))
}

func setTLSKeys(a *testkit.Agent, fd int, directions ...int) (err error) {
	for _, d := range directions {
		err = errors.Join(err, a.SetsockoptBytes(fd, solTLS, d, tlsInfo()))
	}
	return err
}

// A socket that has kTLS before it could be accelerated never is: its own
// kTLS works, and the peer that reads without finds records, and no plaintext.
func TestTLSBeforeEntry(t *testing.T) {
	requireTLS(t)
	withAndWithout(t, func(t *testing.T, s *scene, on bool) {
		// Blocking at birth, so that it may be adopted as soon as it is not.
		c := s.open(t, true, true)
		other := s.open(t, true, true) // whose server has no kTLS
		before := s.tool.Status(t)
		for _, end := range []struct {
			a  *testkit.Agent
			fd int
		}{{c.client, c.cfd}, {c.server, c.sfd}, {other.client, other.cfd}} {
			if err := startTLS(end.a, end.fd); err != nil {
				t.Fatal(err)
			}
			if err := setTLSKeys(end.a, end.fd, tlsTX, tlsRX); err != nil {
				t.Fatal(err)
			}
		}
		var cookies []uint64
		for _, x := range []trustConn{c, other} {
			x.setNonblocking(t)
			cookies = append(cookies, cookie(t, x.client, x.cfd), cookie(t, x.server, x.sfd))
		}
		var records tlsRecords
		talk := func() {
			t.Helper()
			c.exchange(t, 8)
			for i := range 8 {
				message := fmt.Appendf(nil, "secret %d", i)
				other.client.MustSend(t, other.cfd, message)
				records.mustRecv(t, other.server, other.sfd, message)
			}
		}
		for range 3 {
			talk()
			trustPasses(t, s.tool)
		}
		if in := s.inSockhash(t, on, cookies...); len(in) != 0 {
			t.Errorf("%d ends in the sockhash", len(in))
		}
		after := s.tool.Status(t)
		if n := after.Messages.Redirected - before.Messages.Redirected; n != 0 {
			t.Errorf("redirected %d messages", n)
		}
		if n := after.NotAccelerated.ULP - before.NotAccelerated.ULP; on && n != 2 {
			t.Errorf("%d connections counted as ulp, want 2", n)
		}
	})
}

// On a socket in the sockhash TCP_ULP is refused as by a kernel without kTLS,
// and the connection goes on, redirected, as its program then wants it.
func TestTLSRefused(t *testing.T) {
	requireTLS(t)
	s := newTrustedScene(t)
	cfd, sfd := s.connect(t)
	before := s.counts(t)
	for _, end := range []struct {
		a  *testkit.Agent
		fd int
	}{{s.client, cfd}, {s.server, sfd}} {
		if err := startTLS(end.a, end.fd); !errors.Is(err, unix.ENOENT) {
			t.Errorf("TCP_ULP: %v, want ENOENT", err)
		}
		// A program that does not look: keys without kTLS are refused.
		if err := setTLSKeys(end.a, end.fd, tlsTX); err == nil {
			t.Error("keys were taken")
		}
	}
	const rounds = 10
	trustConn{s.client, s.server, cfd, sfd}.exchange(t, rounds)
	s.requireRedirected(t, true, before, 2*rounds)
}

// TCP_ULP at every step of an adoption. Where it is granted the raw peer reads
// records from then on, never plaintext; where it is refused, plaintext.
func TestTLSWhileAdopted(t *testing.T) {
	requireTLS(t)
	s := newTrustedScene(t)
	before := s.counts(t)
	granted, refused := 0, 0
	for i := range max(testkit.Volume(64), 12) {
		c := s.open(t, true, false)
		if err := c.client.SetNonblock(c.cfd, true); err != nil {
			t.Fatal(err)
		}
		passes := 0
		trustPassesUntil(t, s.tool, func() bool { passes++; return passes > i%6 })
		trustKick(t, s.tool) // the next steps, meanwhile
		err := startTLS(c.client, c.cfd)
		encrypted := err == nil
		switch {
		case encrypted:
			granted++
			err = setTLSKeys(c.client, c.cfd, tlsTX)
		case errors.Is(err, unix.ENOENT):
			refused++
			err = nil
		}
		if err != nil {
			t.Fatal(err)
		}
		var records tlsRecords
		for j := range 8 {
			message := fmt.Appendf(nil, "secret %d", j)
			c.client.MustSend(t, c.cfd, message)
			if encrypted {
				records.mustRecv(t, c.server, c.sfd, message)
			} else {
				c.server.MustRecv(t, c.sfd, message)
			}
		}
		c.close(t)
	}
	t.Logf("granted %d times, refused %d times, %+v", granted, refused, s.counts(t).since(before))
	if granted == 0 || refused == 0 {
		t.Error("only one of both was tried")
	}
}
