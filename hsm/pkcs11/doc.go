// Package pkcs11 signs with tokens that are reached through a PKCS#11 module:
// SoftHSM, smart cards, TPMs, HSMs.
//
//	token, err := pkcs11.Open("pkcs11:token=holder-1;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so")
//
// The URI must name the module by its absolute path, and describe exactly one
// token. If none fits, the error lists those present; if several do, it lists
// their serial numbers and nothing is opened. A slot number alone is not a
// description: numbers change when tokens are initialised.
//
// Keys on P-256, P-384 and Ed25519 and RSA keys are listed and sign. The digest
// is made on the host; P-256 goes with SHA-256, P-384 with SHA-384, and the
// signature comes as ASN.1 DER. Ed25519 takes the message. RSA signs by
// *rsa.PSSOptions, or by PKCS #1 v1.5 without; a device that signs with PSS only
// what it hashes itself needs the message, through crypto.SignMessage. Which
// mechanism works is found out by signing, since lists of mechanisms lie, and
// kept for the session.
//
// # The module
//
// A module is code in this process. It is tried in a child process first, on
// Linux: loaded, initialised, finalised. One that is no module, lacks a symbol,
// crashes or hangs is an error in words that way, and so is one that will not be
// initialised; it is not loaded here at all. A module that only says that it does
// not like children (0x190, 0x191) is loaded all the same. None has been seen
// that cannot stand the trial, tpm2-pkcs11 included: it comes before this process
// has loaded the module, and not at all where it has.
//
// The reserved argument of C_Initialize is given only where the URI has
// x-init-reserved. NSS cannot do without, and openCryptoki refuses any.
//
// Each call into a module has a time limit (Options.Timeout). One that takes
// longer is given up, with an error that wraps hsm.ErrNoAnswer: its goroutine
// stays inside the module for as long as the process lives, and nothing is asked
// of that module any more, not even to finalise. A module that crashes after the
// trial takes the process with it, and nobody gets a signature.
//
// A program that ends, or is told to by a signal, calls FinalizeAll.
//
// # What it will not do
//
// It does not trust a module's answer more than it must, but one that is broken
// or hostile can do whatever the user can. It does not verify signatures;
// whoever asked for one does. It does not try a PIN twice, and asks nobody if
// the token says that the PIN is locked. It does not use a PIN pad. It cannot
// tell that a device waits for a touch: PKCS#11 has no words for that, so
// Prompter's Touch is never called.
//
// The PIN's slice is wiped after use, and on Unix the module reads the PIN from
// locked memory: the binding, which would make strings of it, is passed by. A
// module may keep a copy; SoftHSM keeps none that could be found.
//
// # Sessions and concurrency
//
// A module is initialised when its first token is opened, and finalised when
// the last is closed; it is never unloaded, since that is where modules crash.
// One mutex a module serialises all calls: modules that crash or deadlock on
// concurrent use outnumber those that do not. Tokens and signers may be used
// from several goroutines, which wait for each other; a Prompter must not use
// the token that asks it. A token can be open once in a process. PKCS#11 cannot
// keep other processes out.
//
// A device that was pulled is told as such (hsm.ErrRemoved), and few modules do
// that by themselves: after an error that may mean anything, the driver looks
// for a second whether the module still lists the token. The first error stays,
// whatever comes of that.
//
// After any error the session is closed, because some modules leave it in a
// state in which the next call fails too. That logs out: signers from before
// refuse, and the next one asks for the PIN again. A mechanism that the device
// refuses is no such error where there is another to try: a new session takes
// the place of the old one without a moment in between, and stays logged in.
//
// # What the limit costs
//
// A call into C cannot be taken back, so whoever waits and whoever is in the
// module are two goroutines, and to hand over from one to the other takes longer
// where there is a second processor. Of the signatures a second that the binding
// alone makes with SoftHSM and P-256, about 90 µs each, the driver makes 84 to
// 94 % on one processor (GOMAXPROCS=1), and on two 72 to 75 % while the machine
// is idle and 54 to 65 % while it is busy; without the second goroutine, and so
// without a limit, 93 to 98 % on either (BenchmarkSign, on a virtual machine).
// Others were tried. A goroutine that stays makes no difference to speak of. A
// thread that is handed calls in C, and sleeps between them, makes 65 to 78 % on
// two processors and 60 to 72 % on one. To look for the answer for 100 µs before
// going to sleep is slower on two, since the module wants the processor that the
// looking takes. A device that needs 10 ms for a signature loses half a percent.
package pkcs11
