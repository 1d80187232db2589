// Package virtual has YubiKeys made of software, in a pcscd of their own, for
// tests and rehearsals: every layer above the plug is the real one.
//
//	func TestMain(m *testing.M) {
//		virtual.Init() // a stack is this program again, in another process
//		os.Exit(m.Run())
//	}
//
//	stack, err := virtual.Start(virtual.Config{Serial: 14470876}, virtual.Config{Firmware: "5.4.3"})
//	if errors.Is(err, virtual.ErrUnavailable) {
//		t.Skip(err) // it says what is missing
//	}
//	defer stack.Stop()
//	cmd.Env = append(os.Environ(), stack.Env()) // "PCSCLITE_CSOCK_NAME=..."
//	stack.Card(0).PullAt(3, virtual.After)      // pulled after its third APDU from now
//	stack.Card(0).Plug()                        // and back
//
// A client outside reaches a stack through that variable alone, and needs no
// privilege; stacks side by side do not meet. A process that is a client
// itself must set the variable before it first uses PC/SC, since libpcsclite
// reads it once: one stack for the whole test binary, started in TestMain, and
// a fresh card for each test by Remote.Swap. Other processes reach the cards
// with Dial(stack.Control()). When the process that started a stack dies, the
// stack ends by itself and takes its files along.
//
// The card is PIV with Yubico's extensions as firmware 4.3.5, 5.2.4, 5.4.3 and
// 5.7.1 has them, with a little of the management and the OTP applet. Its
// attestations lead to a root whose key is public knowledge (RootName), so
// that they prove nothing and cannot be taken for a device's. Card answers
// APDUs without any stack, on every system; a stack wants Linux, pcscd and
// vpcd (scripts/packages piv), and namespaces, which most systems give to
// everybody and some only to root.
//
// It will not show what only hardware has: USB, the reader's own timing, a
// finger, the time a chip takes. It keeps nothing on disk and no secret from
// anybody. A stack hides the devices that are really plugged in from its
// pcscd; a client that looks for them by other ways than PC/SC, as ykman does
// over USB, is to be told the reader's name.
package virtual
