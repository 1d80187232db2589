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
// Signatures are CKM_ECDSA with P-256 over a SHA-256 digest made on the host,
// the one mechanism that every module at hand implements correctly. Keys of
// other types are not listed.
//
// # What it will not do
//
// It does not trust a module's answer more than it must, but a module is code
// in this process: one that is broken or hostile can do whatever the user can.
// It does not verify signatures; whoever asked for one does. It does not try a
// PIN twice, and asks nobody if the token says that the PIN is locked. It does
// not use a PIN pad, since the binding cannot pass a null PIN. It cannot tell
// that a device waits for a touch: PKCS#11 has no words for that, so Prompter's
// Touch is never called.
//
// The PIN's slice is wiped after use. The binding makes copies of it that
// cannot be wiped, one on Go's heap and one on C's, and the module may make
// more: a PIN is as safe as the memory of the process.
//
// # Sessions and concurrency
//
// A module is initialised when its first token is opened, and finalised when
// the last is closed; it is never unloaded, since that is where modules crash.
// One mutex a module serialises all calls: modules that crash or deadlock on
// concurrent use outnumber those that do not. A token can be open once in a
// process. PKCS#11 cannot keep other processes out.
//
// After any error the session is closed, because some modules leave it in a
// state in which the next call fails too. That logs out: signers from before
// refuse, and the next one asks for the PIN again.
package pkcs11
