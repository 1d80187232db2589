//go:build cgo

package pkcs11

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	p11 "github.com/miekg/pkcs11"

	"tufceremony/hsm"
	"tufceremony/hsm/hsmtest"
)

func TestFakeConformance(t *testing.T) {
	const noFinger = "PKCS#11 does not tell that a device waits for a touch"
	hsmtest.Run(t, hsmtest.Device{
		New: func(t *testing.T) hsmtest.Instance {
			f, r, text := newFake(t)
			return hsmtest.Instance{
				Open:     func() (hsm.Token, error) { return opened(open(r, text, Options{})) },
				PIN:      []byte(fakePIN),
				WrongPIN: []byte("654321"),
				Tries:    fakeTries,
				Remove:   func(*testing.T) { f.fail["Sign"] = p11.CKR_DEVICE_REMOVED },
			}
		},
		Lacks: map[hsmtest.Capability]string{
			hsmtest.Counts:      "PKCS#11 has flags for few tries left and for the last one, and no count",
			hsmtest.Touch:       noFinger,
			hsmtest.MissedTouch: noFinger,
		},
	})
}

func opened(t *token, err error) (hsm.Token, error) {
	if err != nil {
		return nil, err
	}
	return t, nil
}

// typist types one PIN and keeps what it was told.
type typist struct {
	pin   string
	asked []hsm.PINRequest
}

func (p *typist) PIN(r hsm.PINRequest) ([]byte, error) {
	p.asked = append(p.asked, r)
	return []byte(p.pin), nil
}
func (p *typist) Touch(hsm.TouchRequest) func() { return func() {} }

func mustOpen(t *testing.T, r *registry, text string) *token {
	t.Helper()
	token, err := open(r, text, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { token.Close() })
	return token
}

func signer1(t *testing.T, token *token, p hsm.Prompter) (crypto.Signer, error) {
	t.Helper()
	keys, err := token.Keys()
	if err != nil || len(keys) == 0 {
		t.Fatalf("keys: %v, %v", keys, err)
	}
	return token.Signer(keys[0], p)
}

func mustSigner(t *testing.T, token *token, p hsm.Prompter) crypto.Signer {
	t.Helper()
	signer, err := signer1(t, token, p)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func signMessage(signer crypto.Signer) error {
	digest := sha256.Sum256([]byte("message"))
	signature, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err == nil && !ecdsa.VerifyASN1(signer.Public().(*ecdsa.PublicKey), digest[:], signature) {
		return errors.New("the signature does not verify")
	}
	return err
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error is %v, want %q in it", err, want)
	}
}

// The flags tell the person what a mistake costs: nothing is known until the
// final try.
func TestTriesFromFlags(t *testing.T) {
	_, r, text := newFake(t)
	token := mustOpen(t, r, text)
	wrong := &typist{pin: "654321"}
	for _, want := range []int{hsm.Unknown, 1} {
		_, err := signer1(t, token, wrong)
		var pinError *hsm.PINError
		if !errors.As(err, &pinError) || pinError.TriesLeft != want {
			t.Fatalf("error is %v, want %d tries left", err, want)
		}
		if info, err := token.Info(); err != nil || info.TriesLeft != want {
			t.Errorf("info is %+v, %v", info, err)
		}
	}
	_, err := signer1(t, token, wrong)
	wantError(t, err, "that was the last try")
	if wrong.asked[2].TriesLeft != 1 {
		t.Errorf("asked with %d tries left, want 1", wrong.asked[2].TriesLeft)
	}
}

func TestFirstOpenerInitialisesAndLastFinalises(t *testing.T) {
	f, r, text := newFake(t)
	for n := 1; n <= 2; n++ {
		token := mustOpen(t, r, text)
		if _, err := open(r, text, Options{}); err == nil {
			t.Error("opened twice")
		}
		if _, err := open(r, strings.Replace(text, "holder-1", "other", 1), Options{}); !errors.Is(err, hsm.ErrNotFound) {
			t.Errorf("error is %v", err)
		}
		if f.inits != n || f.finals != n-1 {
			t.Errorf("%d times initialised and %d finalised while open", f.inits, f.finals)
		}
		if err := token.Close(); err != nil || f.finals != n {
			t.Errorf("%d times finalised, %v", f.finals, err)
		}
	}
	f.fail["GetSlotList"] = p11.CKR_DEVICE_ERROR
	_, err := open(r, text, Options{})
	wantError(t, err, "CKR_DEVICE_ERROR")
	if f.inits != f.finals {
		t.Errorf("%d times initialised and %d finalised after an error", f.inits, f.finals)
	}
}

func TestModuleInUseElsewhere(t *testing.T) {
	f, r, text := newFake(t)
	f.initialised = true
	_, err := open(r, text, Options{})
	wantError(t, err, "another part of this process uses the module already (CKR_CRYPTOKI_ALREADY_INITIALIZED)")
	if f.finals != 0 {
		t.Error("finalised the other part's module")
	}
}

// After an error there is no session, no login, and no signer from before.
func TestErrorEndsSession(t *testing.T) {
	for function, code := range map[string]p11.Error{
		"SignInit":          p11.CKR_KEY_FUNCTION_NOT_PERMITTED,
		"Sign":              p11.CKR_FUNCTION_CANCELED,
		"FindObjectsInit":   p11.CKR_OPERATION_ACTIVE,
		"FindObjects":       p11.CKR_GENERAL_ERROR,
		"FindObjectsFinal":  p11.CKR_GENERAL_ERROR,
		"GetAttributeValue": p11.CKR_DEVICE_ERROR,
		"GetTokenInfo":      p11.CKR_DEVICE_ERROR,
	} {
		t.Run(function, func(t *testing.T) {
			f, r, text := newFake(t)
			token := mustOpen(t, r, text)
			p := &typist{pin: fakePIN}
			signer := mustSigner(t, token, p)
			f.fail[function] = code
			_, infoError := token.Info()
			_, keysError := token.Keys()
			wantError(t, errors.Join(infoError, keysError, signMessage(signer)), returnValues[code].name)
			if len(f.sessions) > 1 || f.loggedIn {
				t.Errorf("%d sessions, logged in: %v", len(f.sessions), f.loggedIn)
			}
			wantError(t, signMessage(signer), "the session ended after an error")
			if err := signMessage(mustSigner(t, token, p)); err != nil || len(p.asked) != 2 {
				t.Errorf("asked %d times, %v", len(p.asked), err)
			}
		})
	}
}

func TestRemovalCodes(t *testing.T) {
	for _, code := range []p11.Error{p11.CKR_DEVICE_REMOVED, p11.CKR_TOKEN_NOT_PRESENT,
		p11.CKR_SESSION_HANDLE_INVALID, p11.CKR_SESSION_CLOSED, p11.CKR_SLOT_ID_INVALID} {
		f, r, text := newFake(t)
		token := mustOpen(t, r, text)
		signer := mustSigner(t, token, &typist{pin: fakePIN})
		f.fail["Sign"] = code
		if err := signMessage(signer); !errors.Is(err, hsm.ErrRemoved) {
			t.Errorf("%v: error is %v", code, err)
		}
		if _, err := token.Keys(); !errors.Is(err, hsm.ErrRemoved) {
			t.Errorf("%v: afterwards: %v", code, err)
		}
		if err := token.Close(); err != nil || f.finals != 1 {
			t.Errorf("%v: %d times finalised, %v", code, f.finals, err)
		}
	}
}

// A token that took the place of the one that was pulled is not that one.
func TestSwappedAtSignature(t *testing.T) {
	f, r, text := newFake(t)
	token, err := open(r, text, Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { token.Close() })
	signer := mustSigner(t, token, &typist{pin: fakePIN})
	f.fail["Sign"], f.info.SerialNumber = p11.CKR_GENERAL_ERROR, "0002"
	if err := signMessage(signer); !errors.Is(err, hsm.ErrRemoved) {
		t.Errorf("error is %v", err)
	}
}

// Pulled before the PIN was typed: no PIN is asked for.
func TestRemovedBeforeLogin(t *testing.T) {
	f, r, text := newFake(t)
	token := mustOpen(t, r, text)
	keys, _ := token.Keys()
	f.gone = true
	p := &typist{pin: fakePIN}
	if _, err := token.Signer(keys[0], p); !errors.Is(err, hsm.ErrRemoved) || len(p.asked) != 0 {
		t.Errorf("asked %d times, %v", len(p.asked), err)
	}
}

// Another token in the same slot gets no PIN.
func TestSwappedToken(t *testing.T) {
	f, r, text := newFake(t)
	token := mustOpen(t, r, text)
	keys, _ := token.Keys()
	f.info.SerialNumber = "0002"
	p := &typist{pin: fakePIN}
	if _, err := token.Signer(keys[0], p); !errors.Is(err, hsm.ErrRemoved) || len(p.asked) != 0 {
		t.Errorf("asked %d times, %v", len(p.asked), err)
	}
}

func TestPINPad(t *testing.T) {
	f, r, text := newFake(t)
	f.info.Flags |= p11.CKF_PROTECTED_AUTHENTICATION_PATH
	p := &typist{pin: fakePIN}
	if _, err := signer1(t, mustOpen(t, r, text), p); !errors.Is(err, hsm.ErrUnsupported) || len(p.asked) != 0 {
		t.Errorf("asked %d times, %v", len(p.asked), err)
	}
}
