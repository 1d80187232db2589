package attest

import _ "embed"

// The certificates of https://developers.yubico.com/PKI/ as published in June
// 2025: yubico-ca-certs.txt, without the roots of the FIDO and the OpenPGP
// applet, and yubico-intermediate.pem, whole.

//go:embed certs/yubico-roots.pem
var yubicoRoots []byte

//go:embed certs/yubico-intermediates.pem
var yubicoIntermediates []byte

// The key of this root is derived from a published sentence. Whoever can read
// can forge what it certifies.
//
//go:embed certs/rehearsal.pem
var rehearsalRoot []byte

// rehearsalName is the subject's common name of the rehearsals' root.
const rehearsalName = "Ceremony Rehearsal PIV Root - NOT YUBICO"

// pin is a certificate that this package trusts, by the SHA-256 of its DER in
// lower-case hex.
type pin struct {
	name, sha256 string
	kind         kind
}

// kind says how a root certifies devices.
type kind int

const (
	// named by a file: a CA certifies device certificates, by the rules of RFC 5280.
	named kind = iota
	// old: the root certifies device certificates itself. Some of those lack
	// BasicConstraints.
	old
	// tree: below the root are intermediates, one for each of the device's
	// applications. Devices with firmware 5.7.4 and later.
	tree
)

var pinnedRoots = []pin{
	{"Yubico Attestation Root 1", "62760c6a6ef91679f454c8902b80fd009825b3f25da90f1fbace2ec6586cd5a8", tree},
	{"Yubico PIV Root CA Serial 263751", "63ece914e54dd87915f34033c85af4c0696ba1512f8add66ced738331207b546", old},
	{u2fRoot, "0fa1386f80eb8713263ae5c1d84deb455bdf08aea50ab05503cefee82b092d42", old},
}

// u2fRoot certified the PIV applet of devices made before the middle of 2017
// and of some made in 2018, by mistake.
const u2fRoot = "Yubico U2F Root CA Serial 457200631"

// Not all of them certify PIV: see checkIssuer.
var pinnedIntermediates = []pin{
	{"Yubico Attestation Intermediate A 1", "4698a1d3389c3ec60016c216250f1d0439922832d65142327436376dc2942b55", tree},
	{"Yubico Attestation Intermediate B 1", "d4cc3f456fdaf4e7812a21aab1dfe9d8e27d24e2fd2d6f21c9940109f0daa754", tree},
	{"Yubico FIDO Attestation A 1", "4ebabc9cbc964f722c985f3784d057e9ef5dcf454dcb4f767fccca58cf16a4e8", tree},
	{"Yubico FIDO Attestation B 1", "4eadda86ff62cff987e111a07910d8554de42f71d5d6da7744610e09012dd319", tree},
	{"Yubico OPGP Attestation A 1", "a53831d9649ab86bb1132e0a8a65eda9f7506d2b1495f76b3321960cc454c054", tree},
	{"Yubico OPGP Attestation B 1", "5decb182e9357d4a835acf988e1ea29713737ee08bce0f0ba79da8f295dd0e9f", tree},
	{"Yubico PIV Attestation A 1", "6de693f05376f5d8ca29069261e1c8626c75d503bd2edbfd75354cad1f722870", tree},
	{"Yubico PIV Attestation B 1", "2d55b7998f4e42569d6d8fa382b6dc77d1dacf07358b19701163892922b17052", tree},
	{"Yubico SD Attestation A 1", "d408b28425decdea936644f74ba460a4e953b92a86b3e3356eb36d9cc16c368d", tree},
	{"Yubico SD Attestation B 1", "8f30bdf4ac57ed7975ef7c74ae8d6c0512e678d695001b7cc781b534a0db5dfe", tree},
}
