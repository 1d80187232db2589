package card

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"errors"
	"testing"

	"tufceremony/hsm/virtual"
)

// wire is a channel to a virtual card without any reader.
type wire struct{ card *virtual.Card }

func (w wire) Transmit(command []byte) ([]byte, error) { return w.card.Transmit(command), nil }

func newCard(t *testing.T, firmware string) *Card {
	t.Helper()
	v, err := virtual.New(virtual.Config{Serial: 14470876, Firmware: firmware})
	must(t, err)
	c := New(wire{v})
	must(t, c.Select(PIV))
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var factoryKey = bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 3)

func wantStatus(t *testing.T, err error, want Status) {
	t.Helper()
	var status Status
	if !errors.As(err, &status) || status != want {
		t.Errorf("error is %v, want %v", err, want)
	}
}

// Data longer than a command takes is chained, and a reply longer than one
// takes is fetched.
func TestLongObjects(t *testing.T) {
	for _, length := range []int{0, 1, 100, 245, 246, 247, 255, 256, 257, 511, 2000} {
		c := newCard(t, "5.4.3")
		must(t, c.Authenticate(TripleDES, factoryKey, rand.Reader))
		contents := bytes.Repeat([]byte{0xA5}, length)
		must(t, c.Put(ObjectAdmin, contents))
		got, err := c.Get(ObjectAdmin)
		if length == 0 {
			wantStatus(t, err, 0x6A82)
			continue
		}
		if err != nil || !bytes.Equal(got, contents) {
			t.Errorf("%d bytes came back as %d, %v", length, len(got), err)
		}
	}
}

func TestManagementKeys(t *testing.T) {
	for _, test := range []struct {
		firmware      string
		factory, next byte
	}{
		{"4.3.5", TripleDES, TripleDES}, {"5.4.3", TripleDES, AES128}, {"5.4.3", TripleDES, AES256}, {"5.7.1", AES192, AES192},
	} {
		c := newCard(t, test.firmware)
		wrong := bytes.Repeat([]byte{7}, len(factoryKey))
		wantStatus(t, c.Authenticate(test.factory, wrong, rand.Reader), 0x6982)
		must(t, c.Authenticate(test.factory, factoryKey, rand.Reader))
		key := make([]byte, ManagementKeyLength(test.next))
		rand.Read(key)
		must(t, c.SetManagementKey(test.next, key))
		must(t, c.Select(Management))
		must(t, c.Select(PIV))
		must(t, c.Authenticate(test.next, key, rand.Reader))
		if err := c.Authenticate(test.next, key[1:], rand.Reader); !errors.Is(err, ErrKeyLength) {
			t.Errorf("error is %v", err)
		}
		if err := c.SetManagementKey(test.next, key[1:]); !errors.Is(err, ErrKeyLength) {
			t.Errorf("error is %v", err)
		}
	}
	c := newCard(t, "5.7.1")
	if err := c.Authenticate(0x77, factoryKey, rand.Reader); err == nil {
		t.Error("a management key of an unknown type was given")
	}
	if err := c.Authenticate(AES192, factoryKey, bytes.NewReader(nil)); err == nil {
		t.Error("authenticated without randomness")
	}
}

// A card that takes any management key does not know it.
func TestCardMustKnowTheKey(t *testing.T) {
	witness := append([]byte{0x7C, 0x12, 0x80, 0x10}, make([]byte, aes.BlockSize)...)
	answer := append([]byte{0x7C, 0x12, 0x82, 0x10}, make([]byte, aes.BlockSize)...)
	c := New(&script{append(witness, 0x90, 0), append(answer, 0x90, 0)})
	if err := c.Authenticate(AES192, factoryKey, rand.Reader); err == nil || errors.Is(err, ErrMalformed) {
		t.Errorf("error is %v", err)
	}
}

// script answers with what was written for it, and then with nothing.
type script [][]byte

func (s *script) Transmit([]byte) ([]byte, error) {
	if len(*s) == 0 {
		return nil, errors.New("the script has ended")
	}
	reply := (*s)[0]
	*s = (*s)[1:]
	return reply, nil
}

func TestPINs(t *testing.T) {
	c := newCard(t, "5.4.3")
	if left, known, err := c.Tries(); left != 3 || !known || err != nil {
		t.Errorf("%d tries, %v, %v", left, known, err)
	}
	wantStatus(t, c.Verify([]byte("654321")), 0x63C2)
	must(t, c.Verify([]byte("123456")))
	if _, known, err := c.Tries(); known || err != nil {
		t.Errorf("known: %v, %v", known, err)
	}
	wantStatus(t, c.MissPIN(), 0x63C2)
	wantStatus(t, c.MissPUK(), 0x63C2)
	must(t, c.ChangeReference(RefPIN, []byte("123456"), []byte("82461739")))
	must(t, c.ResetRetry([]byte("12345678"), []byte("246813")))
	must(t, c.Verify([]byte("246813")))
	wantStatus(t, c.Reset(), 0x6985)
	for _, pin := range [][]byte{nil, []byte("123456789"), {1, 2, 3, 4, 5, 0xFF}} {
		if err := c.Verify(pin); !errors.Is(err, ErrPINLength) {
			t.Errorf("%q: error is %v", pin, err)
		}
	}
}

func TestIdentity(t *testing.T) {
	for firmware, wantSerial := range map[string]bool{"4.3.5": false, "5.2.4": true} {
		c := newCard(t, firmware)
		version, err := c.Version()
		if err != nil || version.String() != firmware {
			t.Errorf("version %v, %v", version, err)
		}
		if serial, err := c.Serial(); (err == nil) != wantSerial || wantSerial && serial != 14470876 {
			t.Errorf("serial %d, %v", serial, err)
		}
		must(t, c.Select(OTP))
		if serial, err := c.SerialOTP(); err != nil || serial != 14470876 {
			t.Errorf("serial %d, %v", serial, err)
		}
	}
	for _, test := range []struct {
		a    Firmware
		b    [3]byte
		want bool
	}{
		{Firmware{5, 3, 0}, [3]byte{5, 3, 0}, true}, {Firmware{5, 2, 9}, [3]byte{5, 3, 0}, false},
		{Firmware{6, 0, 0}, [3]byte{5, 3, 1}, true}, {Firmware{5, 3, 0}, [3]byte{5, 3, 1}, false},
	} {
		if test.a.AtLeast(test.b[0], test.b[1], test.b[2]) != test.want {
			t.Errorf("%v at least %v is not %v", test.a, test.b, test.want)
		}
	}
}

// What a card may answer that is no reply.
func TestMalformed(t *testing.T) {
	endless := make(script, 2000)
	for i := range endless {
		endless[i] = append(make([]byte, 256), 0x61, 0x00)
	}
	for name, malformed := range map[string]struct {
		replies script
		ask     func(*Card) error
	}{
		"no status word":       {script{{0x90}}, func(c *Card) error { return c.Select(PIV) }},
		"a reply without end":  {endless, func(c *Card) error { return c.Select(PIV) }},
		"short metadata":       {script{{0x90, 0}, {0x01, 0x90, 0}}, func(c *Card) error { _, _ = c.Metadata(0x9B); _, err := c.Metadata(0x9B); return err }},
		"long version":         {script{{5, 4, 3, 2, 0x90, 0}}, func(c *Card) error { _, err := c.Version(); return err }},
		"short serial":         {script{{5, 4, 3, 0x90, 0}}, func(c *Card) error { _, err := c.Serial(); return err }},
		"config cut short":     {script{{9, 2, 0x90, 0}}, func(c *Card) error { _, err := c.Config(); return err }},
		"policy of one byte":   {script{{2, 1, 1, 0x90, 0}}, func(c *Card) error { _, err := c.Metadata(0x9C); return err }},
		"object without tag":   {script{{0x54, 0, 0x90, 0}}, func(c *Card) error { _, err := c.Get(ObjectAdmin); return err }},
		"certificate of noise": {script{{0x53, 2, 0x71, 0, 0x90, 0}}, func(c *Card) error { _, err := c.Certificate(0x9C); return err }},
		"bad compression":      {script{{0x53, 6, 0x70, 1, 1, 0x71, 1, 1, 0x90, 0}}, func(c *Card) error { _, err := c.Certificate(0x9C); return err }},
		"key of another size":  {nil, func(*Card) error { _, err := PublicKey(RSA2048, []byte{0x81, 1, 7, 0x82, 1, 3}); return err }},
		"point off the curve": {nil, func(*Card) error {
			_, err := PublicKey(P256, append([]byte{0x86, 65, 4}, make([]byte, 64)...))
			return err
		}},
	} {
		replies := malformed.replies
		if err := malformed.ask(New(&replies)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}

// Fields that other programs keep stay as they are.
func TestYkmanObjects(t *testing.T) {
	admin, err := WithPINProtected([]byte{0x80, 12, 0x81, 1, 0x01, 0x82, 1, 9, 0x83, 4, 1, 2, 3, 4})
	if want := []byte{0x80, 9, 0x81, 1, 0x03, 0x83, 4, 1, 2, 3, 4}; err != nil || !bytes.Equal(admin, want) {
		t.Errorf("%x, %v", admin, err)
	}
	if flags, err := AdminFlags(admin); flags != 3 || err != nil {
		t.Errorf("flags %x, %v", flags, err)
	}
	if admin, err = WithPINProtected(nil); err != nil || !bytes.Equal(admin, []byte{0x80, 3, 0x81, 1, 2}) {
		t.Errorf("%x, %v", admin, err)
	}
	key := bytes.Repeat([]byte{7}, 32)
	protected, err := WithProtectedKey([]byte{0x88, 4, 0x8A, 2, 1, 1}, key)
	if err != nil || !bytes.HasSuffix(protected, []byte{0x8A, 2, 1, 1}) {
		t.Errorf("%x, %v", protected, err)
	}
	if got, err := ProtectedKey(protected); err != nil || !bytes.Equal(got, key) {
		t.Errorf("%x, %v", got, err)
	}
	if got, err := ProtectedKey(nil); err != nil || got != nil {
		t.Errorf("%x, %v", got, err)
	}
	for _, foreign := range [][]byte{{0x88, 3, 0x89, 1, 1}, {0x70, 0}, {1}} {
		if _, err := ProtectedKey(foreign); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: error is %v", foreign, err)
		}
	}
}

// Whatever a card answers, nothing panics.
func FuzzReplies(f *testing.F) {
	f.Add([]byte{0x53, 2, 0x71, 0}, byte(P256))
	f.Add([]byte{0x01, 1, 0x11, 0x02, 2, 1, 1, 0x04, 2, 0x86, 0}, byte(Ed25519))
	f.Add([]byte{0x7F, 0x49, 0x82, 1, 0}, byte(RSA2048))
	f.Add([]byte{0x88, 2, 0x89, 0}, byte(RSA1024))
	f.Fuzz(func(t *testing.T, data []byte, algorithm byte) {
		ask := func(ask func(*Card) error) {
			reply := append(bytes.Clone(data), 0x90, 0)
			_ = ask(New(&script{reply, reply, reply}))
		}
		ask(func(c *Card) error { _, err := c.Version(); return err })
		ask(func(c *Card) error { _, err := c.Config(); return err })
		ask(func(c *Card) error { _, err := c.Serial(); return err })
		ask(func(c *Card) error { _, err := c.Metadata(0x9C); return err })
		ask(func(c *Card) error { _, err := c.Certificate(0x9C); return err })
		ask(func(c *Card) error { _, err := c.Attest(0x9C); return err })
		ask(func(c *Card) error { _, err := c.Generate(0x9C, algorithm, 2, 1); return err })
		ask(func(c *Card) error { return c.Authenticate(AES192, factoryKey, rand.Reader) })
		if public, err := PublicKey(algorithm, data); err == nil && AlgorithmOf(public) != algorithm {
			t.Errorf("a key of algorithm %02x is one of %02x", algorithm, AlgorithmOf(public))
		}
		if changed, err := WithPINProtected(data); err == nil {
			if flags, err := AdminFlags(changed); err != nil || flags&FlagPINProtected == 0 {
				t.Errorf("%x became %x", data, changed)
			}
		}
		if changed, err := WithProtectedKey(data, factoryKey); err == nil {
			if key, err := ProtectedKey(changed); err != nil || !bytes.Equal(key, factoryKey) {
				t.Errorf("%x became %x", data, changed)
			}
		}
	})
}

// endless says that there is more to come, and never gives it.
type endless struct{ n int }

func (e *endless) Transmit([]byte) ([]byte, error) {
	e.n++
	return []byte{0x61, 0xFF}, nil
}

// A device that never comes to an end is given up.
func TestEndlessReply(t *testing.T) {
	wire := &endless{}
	if err := New(wire).Select(PIV); !errors.Is(err, ErrMalformed) || wire.n > 1000 {
		t.Errorf("after %d commands: %v", wire.n, err)
	}
}
